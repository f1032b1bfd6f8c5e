"""The cookie of ``flask.session``: its value, and the settings of Flask that describe it."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any

import flask
import pytest
from flask import Flask

from beaker_mongo_soajs.flask import FlaskSession
from tests.application import only_document
from tests.conftest import Db, Options
from tests.flask.support import SECRET, Browser, make_app, store_of
from tests.recorder import Commands

HAS_PARTITIONED = tuple(map(int, version("flask").split(".")[:2])) >= (3, 1)


def end_of(set_cookie: str | None) -> datetime | None:
    """Return the date on which a cookie expires."""
    assert set_cookie is not None
    date = set_cookie.partition("Expires=")[2].partition(";")[0]
    return parsedate_to_datetime(date) if date else None


class TestValue:
    """The id in the cookie, and its signature."""

    def test_the_server_chooses_ids(self, browser: Browser, database: Db) -> None:
        """An id that is not stored is not adopted, even if its signature is right."""
        browser.save(a=1)
        stale = Browser(browser.app, like=browser)
        database.sessions.delete_many({})
        stale.save(b=2)
        assert browser.session_id != stale.session_id
        assert stale.session_id == only_document(database)["_id"]

    @pytest.mark.parametrize(
        "value", ["", ".", "{id}", "{id}.", "{id}.AAAA", "{id}.{signature}x", "x.{signature}", "ü"]
    )
    def test_without_a_right_signature(
        self, browser: Browser, commands: Commands, value: str
    ) -> None:
        """A cookie that was not signed does not reach the database."""
        browser.save(a=1)
        session_id, _, signature = str(browser.cookie).rpartition(".")
        browser.cookies["session"] = value.format(id=session_id, signature=signature)
        commands.clear()
        assert browser.read() == {}
        assert [] == commands.names

    def test_cookies_of_others(self, browser: Browser, commands: Commands) -> None:
        """Other cookies do not hide the session; of the signed ones, two are looked up at most."""
        browser.save(a=1)
        stale = []
        for visitor in (Browser(browser.app), Browser(browser.app)):
            visitor.save(b=2)
            stale.append(visitor.cookie)
            visitor.request(lambda session: session.clear())
        for others, found in ((stale[:1], {"a": 1}), (stale, {})):
            values = ["evil", *others, browser.cookie]
            header = "; ".join(f"session={value}" for value in values)
            commands.clear()
            assert found == browser.request(dict, HTTP_COOKIE=header)
            assert ["find", "find"] == commands.names

    def test_a_cookie_of_an_earlier_release(self, browser: Browser) -> None:
        """A signature is valid in later releases."""
        store_of(browser.app).set("i" * 32, {"a": 1})
        browser.cookies["session"] = f"{'i' * 32}.hj8qYYGqoNOiF1mZh41loQObr5qghxo1oIshUgSi3ZM"
        assert {"a": 1} == browser.read()

    def test_a_secret_key_is_needed(self, options: Options) -> None:
        """Without a ``SECRET_KEY``, the session is Flask's null session, which says so."""
        app = make_app(options, SECRET_KEY=None, PROPAGATE_EXCEPTIONS=True)
        assert Browser(app).read() == {}
        with pytest.raises(RuntimeError, match="no secret key was set"):
            Browser(app).save(a=1)

    def test_secret_key_fallbacks(self, browser: Browser, options: Options) -> None:
        """A cookie that an old key signed stays valid, and is signed with the new key."""
        browser.save(a=1)
        assert Browser(make_app(options, SECRET_KEY="new"), like=browser).read() == {}
        settings = {"SECRET_KEY": "new", "SECRET_KEY_FALLBACKS": ["older", SECRET]}
        later = Browser(make_app(options, **settings), like=browser)
        assert {"a": 1} == later.read()
        assert later.set_cookie is not None
        assert browser.session_id == later.session_id
        assert browser.cookie != later.cookie
        # The old key can be removed now.
        newest = Browser(make_app(options, SECRET_KEY="new"), like=later)
        assert {"a": 1} == newest.read()
        assert newest.set_cookie is None


class TestAttributes:
    """``SESSION_COOKIE_…``."""

    def test_defaults(self, browser: Browser) -> None:
        """By default the cookie ends with the browser, and scripts cannot read it."""
        browser.save(a=1)
        attributes = str(browser.set_cookie).split("; ")[1:]
        assert {"HttpOnly", "Path=/"} == set(attributes)

    def test_all_settings(self, options: Options) -> None:
        """All settings of Flask have their effect when the cookie is set, and when deleted."""
        settings: dict[str, Any] = {
            "SESSION_COOKIE_NAME": "sid", "SESSION_COOKIE_DOMAIN": "example.org",
            "SESSION_COOKIE_PATH": "/shop", "SESSION_COOKIE_HTTPONLY": False,
            "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Strict",
        }  # fmt: skip
        expected = {"Domain=example.org", "Path=/shop", "Secure", "SameSite=Strict"}
        if HAS_PARTITIONED:
            settings["SESSION_COOKIE_PARTITIONED"] = True
            expected.add("Partitioned")
        browser = Browser(make_app(options, **settings))
        browser.save(a=1)
        assert expected == set(str(browser.set_cookie).split("; ")[1:])
        browser.request(lambda session: session.clear())
        assert expected <= set(str(browser.set_cookie).split("; ")[1:])
        assert browser.cookie is None


class TestLifetime:
    """``PERMANENT_SESSION_LIFETIME`` and ``SESSION_REFRESH_EACH_REQUEST``."""

    @staticmethod
    def make(options: Options, **settings: Any) -> Browser:
        """Return a visitor of an application whose sessions live for an hour."""
        app = make_app(
            options | {"store.touchAfter": 0}, PERMANENT_SESSION_LIFETIME=3600, **settings
        )
        app.add_url_rule("/unused", "unused", lambda: "")
        return Browser(app)

    @staticmethod
    def age(database: Db, seconds: float) -> datetime:
        """Move the last use of the only session into the past, and return its new end."""
        document = only_document(database)
        expires: datetime = document["expires"] - timedelta(seconds=seconds)
        accessed = document["session"]["_accessed_time"] - seconds
        update = {"expires": expires, "session._accessed_time": accessed}
        database.sessions.update_one({}, {"$set": update})
        return expires

    def test_the_end_of_a_permanent_session(self, options: Options, database: Db) -> None:
        """Cookie and document of a permanent session end after the lifetime."""
        browser = self.make(options)
        browser.save(a=1, _permanent=True)
        end, now = end_of(browser.set_cookie), datetime.now(UTC)
        assert end is not None
        assert timedelta(seconds=3590) < end - now < timedelta(seconds=3601)
        left = only_document(database)["expires"].replace(tzinfo=UTC) - now
        assert timedelta(seconds=3590) < left < timedelta(seconds=3601)

    @pytest.mark.parametrize("permanent", [True, False])
    def test_a_session_past_its_lifetime(
        self, options: Options, database: Db, *, permanent: bool
    ) -> None:
        """A session ends after the lifetime, permanent or not, as Flask's own cookies do."""
        browser = self.make(options)
        browser.save(a=1, _permanent=permanent)
        self.age(database, 3599)
        assert 1 == browser.request(lambda session: session.get("a"))
        self.age(database, 3601)
        assert browser.read() == {}

    @pytest.mark.parametrize("path", ["/", "/unused"])
    @pytest.mark.parametrize("each_request", [True, False])
    @pytest.mark.parametrize("permanent", [True, False])
    def test_refresh(
        self, options: Options, database: Db, *, permanent: bool, each_request: bool, path: str
    ) -> None:
        """Each request moves the end of a permanent session, if it is to do so, and no other."""
        browser = self.make(options, SESSION_REFRESH_EACH_REQUEST=each_request)
        browser.save(a=1, _permanent=permanent)
        end = self.age(database, 60)
        browser.request(dict, path)
        is_moved = only_document(database)["expires"] > end
        assert (permanent and each_request) == is_moved == (browser.set_cookie is not None)

    @pytest.mark.parametrize("permanent", [True, False])
    def test_a_change_moves_the_end(
        self, options: Options, database: Db, *, permanent: bool
    ) -> None:
        """A change moves the end of each session, and sets the cookie."""
        browser = self.make(options, SESSION_REFRESH_EACH_REQUEST=False)
        browser.save(a=[1], _permanent=permanent)
        end = self.age(database, 60)
        browser.request(lambda session: session["a"].append(2))
        assert only_document(database)["expires"] > end
        assert permanent == (end_of(browser.set_cookie) is not None)

    def test_without_refresh_an_unused_session_costs_nothing(
        self, options: Options, commands: Commands
    ) -> None:
        """Without a refresh, a page that does not use the session sends no command."""
        browser = self.make(options, SESSION_REFRESH_EACH_REQUEST=False)
        browser.save(a=1)
        commands.clear()
        browser.request(path="/unused")
        assert [] == commands.names

    def test_a_lifetime_that_changes(self, options: Options, database: Db) -> None:
        """A lifetime that is set after ``init_app()`` counts."""
        browser = self.make(options)
        browser.app.permanent_session_lifetime = timedelta(days=2)
        browser.save(a=1)
        left = only_document(database)["expires"].replace(tzinfo=UTC) - datetime.now(UTC)
        assert timedelta(days=1, hours=23) < left


class TestHeaders:
    """The headers for caches."""

    def test_vary(self, browser: Browser) -> None:
        """A response that depends on the session varies with the cookie."""
        browser.app.add_url_rule("/unused", "unused", lambda: "")
        browser.read()
        assert "Cookie" == browser.headers["Vary"]
        browser.request(path="/unused")
        assert "Vary" not in browser.headers
        browser.save(_permanent=True, a=1)
        browser.request(path="/unused")
        assert browser.set_cookie is not None
        assert "Cookie" == browser.headers["Vary"]

    def test_the_cookie_is_not_cached(self, browser: Browser) -> None:
        """A response with the cookie is not cached, unless the application says otherwise."""
        browser.save(a=1)
        assert "no-store" == browser.headers["Cache-Control"]
        browser.read()
        assert "Cache-Control" not in browser.headers

        def set_header(session: FlaskSession) -> None:
            session["a"] = 2

            @flask.after_this_request
            def add(response: flask.Response) -> flask.Response:
                response.headers["Cache-Control"] = "private"
                return response

        browser.request(set_header)
        assert "private" == browser.headers["Cache-Control"]


class TestOverlap:
    """Cookies in the responses of requests that overlap."""

    @pytest.mark.parametrize("end", ["regenerate_id", "clear"])
    def test_a_late_response_keeps_the_newer_cookie(self, app: Flask, end: str) -> None:
        """A save after a login or logout by another request does not touch the cookie."""
        browser = Browser(app)
        browser.save(a=1)
        other = Browser(app, like=browser)

        def be_late(session: FlaskSession) -> None:
            session["b"] = 2
            other.request(lambda found: getattr(found, end)())

        browser.request(be_late)
        assert browser.set_cookie is None
        expected = {"a": 1, "b": 2} if end == "regenerate_id" else {}
        assert expected == other.read()
