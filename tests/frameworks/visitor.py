"""A visitor of an example: a browser with its cookies, which speaks HTTP."""

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
# Both of a uuid of Beaker's and of an id of MongoSession; a signature stands before it.
_ID_LENGTH = 32


@dataclass(frozen=True)
class Page:
    """What the page ``/`` shows.

    :param visits: how many visits it counted in this session, this one among them.
    :param user: who is logged in; ``None`` for nobody.
    """

    visits: int
    user: str | None


class _Stay(HTTPRedirectHandler):
    """Follow no redirect: to go on to the page would be a visit that no test asked for."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Visitor:
    """A browser at an example that several workers serve.

    The worker is named by its place in the list, so that each test says which process it meets.

    :param workers: the addresses of the workers.
    :param token_field: the field that a form sends the token of the last page back in, where pages
        have one.
    """

    def __init__(self, workers: Sequence[str], token_field: str) -> None:
        self._workers = workers
        self._token_field = token_field
        self._token: str | None = None
        self._cookies = CookieJar()
        self.session_ids: set[str] = set()
        self.answer: dict[str, Any] = {}

    def visit(self, worker: int = 0) -> Page:
        """Open the page, and return what it shows."""
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
        """Follow a link, and return the HTTP status."""
        return self._request(worker, path)[0]

    def post(self, path: str, fields: dict[str, str], worker: int = 0) -> int:
        """Send a form without any token, and return the HTTP status."""
        return self._request(worker, path, fields)[0]

    def take_cookies(self, other: Visitor) -> None:
        """Have the cookies that another visitor has now, without news of what becomes of them."""
        self._token = other._token
        for cookie in other._cookies:
            self._cookies.set_cookie(cookie)

    @property
    def cookie(self) -> Cookie | None:
        """The session cookie."""
        return next((cookie for cookie in self._cookies if cookie.name == COOKIE), None)

    @property
    def session_id(self) -> str:
        """The session id in the cookie, which has to be there."""
        cookie = self.cookie
        assert cookie is not None
        assert cookie.value is not None
        return cookie.value[-_ID_LENGTH:]

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
