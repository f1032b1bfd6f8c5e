"""Headers that keep caches from giving one visitor's response to another."""

from typing import Any

import pytest
from beaker.middleware import SessionMiddleware as BeakerMiddleware
from webtest import TestApp

from beaker_mongo_soajs import MongoSession
from beaker_mongo_soajs.backend.response_headers import add_cache_headers
from tests.conftest import Options
from tests.mongo_session.hosts import HOSTS, make_host

pytestmark = pytest.mark.slow

# Beaker's middleware and pyramid_beaker save nothing in these requests, and so call nothing of this
# package.
PROXIED = ("SessionMiddleware", "Paste", "Pyramid")


@pytest.fixture(params=list(HOSTS))
def host(request: pytest.FixtureRequest) -> str:
    """Return the name of each way to serve MongoSession."""
    name: str = request.param
    return name


def _headers(app: Any, query: str = "") -> tuple[list[str], list[str], bool]:
    headers = app.get(f"/?{query}").headers
    return headers.getall("Vary"), headers.getall("Cache-Control"), "Set-Cookie" in headers


class TestHosts:
    """The responses of each way to serve MongoSession."""

    def test_response_that_sets_the_cookie(self, host: str, options: Options) -> None:
        """It varies with the cookie, and no cache stores it."""
        app: Any = TestApp(make_host(host, options))
        assert (["Cookie"], ["no-store"], True) == _headers(app, "n=5")
        assert (["Cookie"], ["no-store"], True) == _headers(app, "logout")

    def test_request_that_read_the_session(self, host: str, options: Options) -> None:
        """The response varies with the cookie, also if there was none, and may be stored."""
        app: Any = TestApp(make_host(host, options))
        assert (["Cookie"], [], False) == _headers(app)
        app.get("/?n=5")
        assert (["Cookie"], [], False) == _headers(app)
        assert (["Cookie"], [], False) == _headers(app, "n=6")

    def test_request_that_left_the_session_alone(self, host: str, options: Options) -> None:
        """The response gets no header."""
        app: Any = TestApp(make_host(host, options))
        app.get("/?n=5")
        assert ([], [], False) == _headers(app, "ignore")

    def test_headers_of_the_application(self, host: str, options: Options) -> None:
        """Its Cache-Control stays what it is, and its Vary gets one more field."""
        app: Any = TestApp(make_host(host, options))
        query = "n=5&Cache-Control=max-age%3D5&Vary=Accept"
        assert (["Accept, Cookie"], ["max-age=5"], True) == _headers(app, query)

    def test_without_cookies(self, host: str, options: Options) -> None:
        """With use_cookies off, no response depends on a cookie."""
        app: Any = TestApp(make_host(host, options | {"use_cookies": False}))
        assert ([], [], False) == _headers(app, "n=5")

    def test_outage(self, host: str) -> None:
        """A visitor who is anonymous during an outage leaves nothing to others either."""
        away = {"url": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=50", "name": "away"}
        anonymous = {"store": {"onUnavailable": "anonymous"}}
        app: Any = TestApp(make_host(host, away | anonymous))
        assert (["Cookie"], [], False) == _headers(app, "n=5")

    @pytest.mark.parametrize("host", PROXIED)
    def test_sessions_without_times(self, host: str, options: Options) -> None:
        """Without save_accessed_time, where Beaker saves nothing, the response varies as well."""
        app: Any = TestApp(make_host(host, options | {"save_accessed_time": False}))
        assert (["Cookie"], [], False) == _headers(app)

    def test_subclass_between(self, options: Options) -> None:
        """Beaker's middleware gets the headers from a subclass, too."""

        class Mine(MongoSession):
            def save(self, accessed_only: bool = False) -> None:
                super().save(accessed_only)

        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            environ["beaker.session"].get("n")
            start_response("204 No Content", [])
            return []

        settings = {f"session.{name}": value for name, value in options.items()}
        browser: Any = TestApp(BeakerMiddleware(app, settings | {"session.session_class": Mine}))
        assert ["Cookie"] == browser.get("/").headers.getall("Vary")

    def test_save_of_the_application(self, options: Options) -> None:
        """A save that no response follows changes no list named headers."""

        def persist(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
            session = MongoSession({}, **options)
            session["n"] = 5
            session.save()
            return headers

        assert [] == persist([])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [("Vary", "Cookie")]),
        ([("vary", "Accept")], [("vary", "Accept, Cookie")]),
        ([("Vary", "accept, COOKIE")], [("Vary", "accept, COOKIE")]),
        ([("Vary", "*")], [("Vary", "*")]),
        ([("Vary", "Cookies")], [("Vary", "Cookies, Cookie")]),
        (
            [("Vary", "A"), ("X", "1"), ("Vary", "B")],
            [("Vary", "A"), ("X", "1"), ("Vary", "B, Cookie")],
        ),
        ([("Vary", "Cookie"), ("Vary", "B")], [("Vary", "Cookie"), ("Vary", "B")]),
        ([("Vary", "")], [("Vary", ""), ("Vary", "Cookie")]),
    ],
)
def test_vary(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    """Vary names the cookie once, whatever it named before."""
    headers = list(before)
    add_cache_headers(headers, sets_cookie=False)
    assert after == headers
    add_cache_headers(headers, sets_cookie=False)
    assert after == headers
