"""Applications with a shopping cart in the session."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import bson
from beaker.middleware import SessionMiddleware as BeakerMiddleware

from beaker_mongo_soajs import InsecureSessionWarning

Act = Callable[[Any], object]
Data = dict[str, Any]

TIMEOUT_SECONDS = 3600
COOKIE_NAME = "beaker.session.id"


def cart(size_bytes: int) -> Data:
    """Return the content of a session.

    :param size_bytes: the size as BSON; the content may be a few bytes larger.
    """
    items: list[dict[str, Any]] = []
    data: Data = {"user": "ann", "visits": 0, "cart": items}
    while (missing := size_bytes - len(bson.encode(data))) > 0:
        # An item takes some 60 bytes. Encoding all items after each one would be slow.
        numbers = range(len(items), len(items) + max(1, missing // 64))
        items += [{"sku": f"article-{n}", "count": n, "price": n * 1.25} for n in numbers]
    return data


class Site(Protocol):
    """An application in this process, which serves one request after the other."""

    def begin(self) -> str:
        """Serve a request without a cookie that saves a session; return the cookie."""

    def read(self, cookie: str) -> object:
        """Serve a request that reads its session."""

    def change(self, cookie: str, number: int) -> object:
        """Serve a request that changes one number in its session."""

    def log_in(self, cookie: str) -> str:
        """Serve a request that sets the user under a new id; return the new cookie."""

    def log_out(self, cookie: str) -> object:
        """Serve a request that deletes its session."""


class BeakerSite:
    """An application behind Beaker's SessionMiddleware, or a subclass of it.

    :param data: the content of a new session.
    :param options: the options of the session, without prefix.
    :param middleware: the class of the middleware.
    """

    def __init__(
        self,
        data: Data,
        options: Mapping[str, Any],
        middleware: Callable[..., Any] = BeakerMiddleware,
    ) -> None:
        self._data = data
        self._items = len(data["cart"])
        # Cookies are not signed: the cost depends on the installed cryptography library, and is
        # the same for all stores.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureSessionWarning)
            self._wsgi = middleware(_respond, {}, timeout=TIMEOUT_SECONDS, **options)

    def begin(self) -> str:
        """Serve a request without a cookie that saves a session; return the cookie."""
        return self._serve("", self._fill)

    def read(self, cookie: str) -> object:
        """Serve a request that reads its session."""
        return self._serve(cookie, self._look)

    def change(self, cookie: str, number: int) -> object:
        """Serve a request that changes one number in its session."""

        def count(session: Any) -> None:
            session["visits"] = number
            session.save()

        return self._serve(cookie, count)

    def log_in(self, cookie: str) -> str:
        """Serve a request that sets the user under a new id; return the new cookie."""
        return self._serve(cookie, _log_in)

    def log_out(self, cookie: str) -> object:
        """Serve a request that deletes its session."""
        return self._serve(cookie, _log_out)

    def _serve(self, cookie: str, act: Act) -> str:
        cookies = [cookie]

        def start(_status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
            cookies.extend(text for name, text in headers if name == "Set-cookie")

        list(self._wsgi({"HTTP_COOKIE": cookie, "benchmarks.act": act}, start))
        return cookies[-1].strip().partition(";")[0]

    def _fill(self, session: Any) -> None:
        session.update(self._data)
        session.save()

    def _look(self, session: Any) -> None:
        # A missing session would be fast, but wrong.
        if len(session["cart"]) != self._items:
            raise AssertionError("the loaded session is not the saved one")


def _respond(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["benchmarks.act"](environ["beaker.session"])
    start_response("200 OK", [])
    return [b""]


def _log_in(session: Any) -> None:
    session.regenerate_id()
    session["user"] = "bob"
    session.save()


def _log_out(session: Any) -> None:
    session.delete()


def session_id(cookie: str) -> str:
    """Return the session id in a cookie of Beaker.

    :param cookie: the name and the value.
    """
    return cookie.removeprefix(f"{COOKIE_NAME}=")


def cookies_for(session_ids: Iterable[str]) -> list[str]:
    """Return the cookies for session ids.

    :param session_ids: the ids.
    """
    return [f"{COOKIE_NAME}={each}" for each in session_ids]
