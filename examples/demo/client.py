"""Browsers that send real HTTP requests to the demo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from examples.demo.lab import COOKIE, HEADER, Lab

REQUEST_SECONDS = 30.0
_SIGNATURE_LENGTH = 40


@dataclass
class Answer:
    """The response of a step.

    :param status: the HTTP status.
    :param session: the session as the application saw it.
    :param times: when the step began, had loaded, and had saved, in seconds.
    :param set_cookie: the ``Set-Cookie`` header, if there is one.
    """

    status: int
    session: Mapping[str, Any] = field(default_factory=dict)
    times: tuple[float, float, float] = (0.0, 0.0, 0.0)
    set_cookie: str = ""


class Browser:
    """A browser with one cookie, at one application of the lab.

    :param lab: the applications.
    :param port: the port of the demo.
    :param application: the application.
    """

    def __init__(self, lab: Lab, port: int, application: str, cookie: str = "") -> None:
        self._lab, self._port = lab, port
        self.application = application
        self.cookie = cookie

    def copy(self, cookie: str) -> Browser:
        """Return another browser at the same application.

        :param cookie: its cookie.
        """
        return Browser(self._lab, self._port, self.application, cookie)

    @property
    def id(self) -> str:
        """The session id in the cookie, which follows the signature."""
        return self.cookie[_SIGNATURE_LENGTH:]

    def go(self, step: str, *, keep: bool = True, **fields: object) -> Answer:
        """Send a request.

        :param step: the step.
        :param keep: whether the browser keeps the cookie that the response sets.
        :param fields: the fields of the query.
        """
        connection = HTTPConnection("127.0.0.1", self._port, timeout=REQUEST_SECONDS)
        headers = {HEADER: self._lab.key}
        if self.cookie:
            headers["Cookie"] = f"{COOKIE}={self.cookie}"
        try:
            path = f"/lab/{self.application}/{step}?{urlencode(fields)}"
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        set_cookie = response.getheader("Set-Cookie") or ""
        if keep and set_cookie:
            morsel = SimpleCookie(set_cookie).get(COOKIE)
            self.cookie = morsel.value if morsel is not None else ""
        began, loaded, saved = (
            float(response.getheader(name) or 0) for name in ("X-Began", "X-Loaded", "X-Saved")
        )
        is_json = response.getheader("Content-Type") == "application/json"
        return Answer(
            response.status, json.loads(body) if is_json else {}, (began, loaded, saved), set_cookie
        )


def visit(port: int, cookies: SimpleCookie, method: str, path: str, form: str = "") -> str:
    """Send a request as an ordinary browser, and keep its cookies.

    :param port: the port of the demo.
    :param cookies: the cookies of the browser, which may change.
    :param method: the method.
    :param path: the path.
    :param form: the encoded form.
    :returns: the page.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    headers = {
        "Cookie": "; ".join(f"{name}={morsel.coded_value}" for name, morsel in cookies.items()),
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "Mozilla/5.0 (iPhone) Safari, played by the demo",
    }
    try:
        connection.request(method, path, form, headers)
        response = connection.getresponse()
        for line in response.headers.get_all("Set-Cookie") or ():
            cookies.load(line)
        return response.read().decode()
    finally:
        connection.close()
