"""A visitor of an example: an HTTP client with cookies."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookiejar import Cookie, CookieJar
from typing import Any
from urllib.parse import urlencode
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

COOKIE = "beaker.session.id"

_ANSWER_SECONDS = 60.0
# An id of Beaker or of this package: after Beaker's signature, or before that of Flask.
_ID_LENGTH = 32


@dataclass(frozen=True)
class Page:
    """The data of the page ``/``.

    :param visits: how many visits this session has counted, including this one.
    :param user: the logged-in user, or ``None``.
    """

    visits: int
    user: str | None


class _Stay(HTTPRedirectHandler):
    """Do not follow redirects, because the next page would count a visit."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Visitor:
    """An HTTP client of an example with several workers.

    A test names the worker of each request by its position in the list.

    :param workers: the addresses of the workers.
    :param token_field: the form field for the token of the last page, if pages have one.
    :param cookie_name: the name of the session cookie.
    """

    def __init__(self, workers: Sequence[str], token_field: str, cookie_name: str = COOKIE) -> None:
        self._workers = workers
        self._token_field = token_field
        self._cookie_name = cookie_name
        self._token: str | None = None
        self._cookies = CookieJar()
        self.session_ids: set[str] = set()
        self.answer: dict[str, Any] = {}

    def visit(self, worker: int = 0) -> Page:
        """Open the page, and return its data."""
        status, body = self._request(worker, "/")
        assert status == 200, body
        self.answer = json.loads(body)
        self._token = self.answer.get("csrf_token", self._token)
        return Page(self.answer["visits"], self.answer["user"])

    def login(self, user: str, worker: int = 0) -> None:
        """Log in."""
        self._submit(worker, "/login", {"user": user})

    def logout(self, worker: int = 0) -> None:
        """Log out."""
        self._submit(worker, "/logout", {})

    def open(self, path: str, worker: int = 0) -> int:
        """Make a GET request, and return the HTTP status."""
        return self._request(worker, path)[0]

    def post(self, path: str, fields: dict[str, str], worker: int = 0) -> int:
        """Send a form without a token, and return the HTTP status."""
        return self._request(worker, path, fields)[0]

    def copy_cookies(self, other: Visitor) -> None:
        """Copy the current cookies of another visitor."""
        self._token = other._token
        for cookie in other._cookies:
            self._cookies.set_cookie(cookie)

    @property
    def token(self) -> str:
        """The token of the last page, which has to have one."""
        assert self._token is not None
        return self._token

    @property
    def cookie(self) -> Cookie | None:
        """The session cookie."""
        return next((cookie for cookie in self._cookies if cookie.name == self._cookie_name), None)

    @property
    def session_id(self) -> str:
        """The session id in the cookie, which has to exist."""
        cookie = self.cookie
        assert cookie is not None
        assert cookie.value is not None
        return cookie.value.partition(".")[0][-_ID_LENGTH:]

    def _submit(self, worker: int, path: str, fields: dict[str, str]) -> None:
        if self._token is not None:
            fields = {**fields, self._token_field: self._token}
        status, body = self._request(worker, path, fields)
        assert 200 <= status < 400, f"{status} {body}"

    def _request(
        self, worker: int, path: str, fields: dict[str, str] | None = None
    ) -> tuple[int, str]:
        data = None if fields is None else urlencode(fields).encode()
        headers = {"Accept": "application/json"}
        request = Request(f"{self._workers[worker]}{path}", data, headers)
        try:
            with self._opener().open(request, timeout=_ANSWER_SECONDS) as answer:
                status, body = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read().decode()
        if self.cookie is not None:
            self.session_ids.add(self.session_id)
        return status, body

    def _opener(self) -> OpenerDirector:
        return build_opener(ProxyHandler({}), HTTPCookieProcessor(self._cookies), _Stay())
