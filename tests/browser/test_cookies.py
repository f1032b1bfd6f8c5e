"""The options of the session cookie, as a browser applies them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from playwright.sync_api import Page, expect
from webob import Request, Response

from beaker_mongo_soajs import SessionMiddleware
from tests.application import COOKIE
from tests.browser.visitor import Site, Visitor
from tests.conftest import Db, Options

# These tests need options that are not secure.
pytestmark = pytest.mark.filterwarnings(
    "ignore::beaker_mongo_soajs.middleware.InsecureSessionWarning"
)

_UNCOUNTED = ("/about", "/favicon.ico")
_HOUR_SECONDS = 3600


class _Server(ThreadingMixIn, WSGIServer):
    # A browser opens connections in advance; other requests must not wait for them.
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Do not log requests."""


def count(environ: dict[str, Any], start_response: Any) -> Any:
    """Count a visit on most pages."""
    request = Request(environ)
    visits = "no"
    if request.path not in _UNCOUNTED:
        session = environ["beaker.session"]
        visits = session["visits"] = session.get("visits", 0) + 1
    response = Response(f"<!doctype html><title>Visits</title><p>{visits}</p>")
    return response(environ, start_response)


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    options: Options,
    database: Db,
) -> Iterator[Site]:
    """Serve an application that counts visits, with the test's own session options."""
    options |= {"auto": True, "secure": False, "httponly": True, **request.param}
    settings = {f"session.{name}": value for name, value in options.items()}
    app: Any = SessionMiddleware(count, settings)
    with make_server("127.0.0.1", 0, app, _Server, _Silent) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Site(f"http://127.0.0.1:{server.server_port}", COOKIE, database.sessions)
        server.shutdown()
        thread.join()


def expect_visits(tab: Page, number: int) -> None:
    """Expect a number of visits on the page."""
    expect(tab.locator("p")).to_have_text(str(number))


@pytest.mark.parametrize(
    ("site", "attributes"),
    [
        ({}, {"httpOnly": True, "secure": False, "sameSite": "Lax", "path": "/", "expires": -1}),
        ({"secure": True}, {"secure": True}),
        ({"samesite": "Strict"}, {"sameSite": "Strict"}),
        ({"samesite": "None", "secure": True}, {"sameSite": "None"}),
        ({"cookie_path": "/shop"}, {"path": "/shop"}),
    ],
    indirect=["site"],
)
def test_attributes(visitor: Visitor, attributes: dict[str, object]) -> None:
    """The browser stores the cookie with the configured attributes, and sends it back."""
    tab = visitor.open("/shop")
    tab.reload()
    expect_visits(tab, 2)
    (cookie,) = visitor.cookies()
    assert attributes == {name: cookie.get(name) for name in attributes}


@pytest.mark.parametrize(
    ("site", "readable"),
    [({"httponly": True}, False), ({"httponly": False}, True)],
    indirect=["site"],
)
def test_scripts(visitor: Visitor, *, readable: bool) -> None:
    """A script can read the session id only if ``httponly`` is off."""
    tab = visitor.open()
    assert readable == (visitor.session_id in tab.evaluate("document.cookie"))


@pytest.mark.parametrize("site", [{"cookie_path": "/shop"}], indirect=True)
def test_path(visitor: Visitor) -> None:
    """The browser does not send the cookie outside its path."""
    tab = visitor.open("/shop")
    tab.goto("/")
    expect_visits(tab, 1)
    tab.goto("/shop/flasks")
    expect_visits(tab, 2)


@pytest.mark.parametrize("site", [{"cookie_expires": _HOUR_SECONDS}], indirect=True)
def test_expiry(visitor: Visitor) -> None:
    """A cookie with an expiry date is kept after the browser closes, until that date."""
    visitor.open()
    (cookie,) = visitor.cookies()
    assert _HOUR_SECONDS == pytest.approx(cookie["expires"] - time.time(), abs=60)


@pytest.mark.parametrize("site", [{}], indirect=True)
def test_an_id_of_somebody_else(visitor: Visitor, site: Site) -> None:
    """An id that a script sets in the browser is not adopted."""
    planted = "f" * 32
    tab = visitor.open("/about")
    tab.evaluate(f"document.cookie = '{COOKIE}={planted}; path=/'")
    assert planted == visitor.session_id
    tab.goto("/")
    expect_visits(tab, 1)
    assert planted != visitor.session_id
    assert 0 == site.sessions.count_documents({"_id": planted})
