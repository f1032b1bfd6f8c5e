"""Outages: the visitor stays logged in, and pages that do not use the session are answered."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import flask
import pytest
from flask import Flask

from beaker_mongo_soajs import StoreUnavailable
from beaker_mongo_soajs.flask import FlaskSession
from tests.conftest import Db, FailPoint, Options
from tests.flask.support import Browser, make_app
from tests.proxy import TcpProxy
from tests.recorder import Commands
from tests.waiting import wait_until

# With this error code, the driver neither retries nor looks for another server.
REFUSED = 8000
COMMANDS = ("find", "findAndModify", "update", "insert", "delete")
LIMIT_MS = 300


class TestOutage:
    """A database that does not answer."""

    def test_the_session_is_kept(self, browser: Browser, fail_point: FailPoint) -> None:
        """A request that uses the session raises ``StoreUnavailable``; the cookie stays."""
        browser.save(user="ann")
        with (
            fail_point(*COMMANDS, error_code=REFUSED),
            pytest.raises(StoreUnavailable),
        ):
            browser.read()
        assert {"user": "ann"} == browser.read()

    @pytest.mark.parametrize(
        "change",
        [
            lambda session: session.update(b=2),
            lambda session: session["a"].append(2),
            lambda session: session.clear(),
            lambda session: session.regenerate_id(),
        ],
    )
    def test_a_save_that_fails(
        self,
        options: Options,
        fail_point: FailPoint,
        commands: Commands,
        change: Callable[[FlaskSession], object],
    ) -> None:
        """A save that fails is answered with 500, after one attempt, and without a cookie."""
        app = make_app(options)
        errors = []

        @app.errorhandler(500)
        def explain(error: Any) -> tuple[str, int]:
            errors.append(error.original_exception)
            return "later", 500

        browser = Browser(app)
        browser.save(a=[1])
        commands.clear()
        with fail_point("update", "delete", "findAndModify", error_code=REFUSED):
            browser.request(change)
        assert 500 == browser.status
        assert 2 == len(commands.names), commands.names
        assert browser.set_cookie is None
        (error,) = errors
        assert isinstance(error, StoreUnavailable)
        assert {"a": [1]} == browser.read()

    def test_pages_that_do_not_use_the_session(
        self, browser: Browser, fail_point: FailPoint
    ) -> None:
        """A page that does not use the session is answered, also where it would refresh it."""
        browser.app.add_url_rule("/unused", "unused", lambda: "")
        browser.save(user="ann", _permanent=True)
        with fail_point(*COMMANDS, error_code=REFUSED):
            browser.request(path="/unused")
        assert 200 == browser.status
        assert browser.set_cookie is None

    def test_an_error_page_of_the_application(
        self, app: Flask, browser: Browser, fail_point: FailPoint, commands: Commands
    ) -> None:
        """The application can answer by itself; nothing is sent a second time for that."""

        @app.errorhandler(StoreUnavailable)
        def explain(error: StoreUnavailable) -> tuple[str, int]:
            return "Please try again.", 503

        browser.save(user="ann")
        commands.clear()
        with fail_point(*COMMANDS, error_code=REFUSED):
            browser.request(dict)
        assert 503 == browser.status
        assert ["find"] == commands.names

    def test_a_cut_connection(self, options: Options, mongo_server: Any) -> None:
        """While the server cannot be reached, a request fails within the configured time."""
        with TcpProxy(mongo_server.port) as proxy:
            limits = {"serverSelectionTimeoutMS": LIMIT_MS}
            settings = options | {"url": proxy.url, "URLParam": limits}
            browser = Browser(make_app(settings, PROPAGATE_EXCEPTIONS=True))
            browser.save(user="ann")
            proxy.refuse()
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                browser.save(a=1)
            assert time.monotonic() - began < 10 * LIMIT_MS / 1000
            proxy.resume()

            def is_answered() -> bool:
                with suppress(StoreUnavailable):
                    return {"user": "ann"} == browser.read()
                return False

            wait_until(is_answered)


class TestAnonymous:
    """``store.onUnavailable = anonymous``."""

    @pytest.fixture
    def browser(self, options: Options) -> Browser:
        """Return a visitor with a session."""
        app = make_app(
            options | {"store": {"onUnavailable": "anonymous", "touchAfter": 0}},
            PROPAGATE_EXCEPTIONS=True,
        )
        browser = Browser(app)
        browser.save(user="ann", _permanent=True)
        return browser

    def test_the_session_is_empty(self, browser: Browser, fail_point: FailPoint) -> None:
        """The request gets an empty session that is not saved; the cookie stays."""

        def use(session: FlaskSession) -> list[object]:
            session["n"] = 1
            flask.flash("hello")
            session.save()
            with session.locked(timeout=0.1):
                session["n"] = 2
            session.regenerate_id()
            return [session.available, session.new, session.get("user")]

        with fail_point(*COMMANDS, error_code=REFUSED):
            assert [False, True, None] == browser.request(use)
        assert browser.set_cookie is None
        assert "ann" == browser.read()["user"]
        assert browser.request(lambda session: session.available)

    def test_a_new_visitor(self, browser: Browser, fail_point: FailPoint, database: Db) -> None:
        """A new visitor whose session cannot be saved gets a response without a cookie."""
        other = Browser(browser.app)
        with fail_point("insert", error_code=REFUSED):
            other.save(n=1)
        assert other.cookie is None
        assert 1 == database.sessions.count_documents({})

    def test_a_refresh_that_fails(self, browser: Browser, fail_point: FailPoint) -> None:
        """A request that only reads is answered even if its times cannot be moved."""
        with fail_point("update", error_code=REFUSED):
            assert "ann" == browser.read()["user"]

    def test_a_lost_change_raises(self, browser: Browser, fail_point: FailPoint) -> None:
        """If a loaded session cannot be changed, an error is raised."""
        with fail_point("update", error_code=REFUSED), pytest.raises(StoreUnavailable):
            browser.save(a=1)
