"""Moving from Flask-Session: ``MongoSessions(app, flask_session=True)``."""

import datetime
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_session.mongodb.mongodb import MongoDBSessionInterface

from beaker_mongo_soajs.flask import FlaskSession, MongoSessions
from tests.conftest import Client, Db, Options, RunPython
from tests.flask.support import SECRET, Browser
from tests.recorder import Commands

# Flask-Login 0.6 and Flask-Session 0.8 call it.
pytestmark = pytest.mark.filterwarnings(r"ignore:datetime\.datetime\.utcnow\(\):DeprecationWarning")

VALUES: dict[str, Any] = {"user": "Zoë", "cart": [{"n": 1, "price": 1.5}], "none": None, "b": b"\0"}


@pytest.fixture
def old_app(mongo_client: Client, database_name: str) -> Callable[..., Flask]:
    """Return a function that makes applications with Flask-Session."""

    def make(**settings: Any) -> Flask:
        app = Flask(__name__)
        app.config.update(SECRET_KEY=SECRET, **settings)
        app.session_interface = MongoDBSessionInterface(
            app,
            client=mongo_client,
            db=database_name,
            collection="old",
            serialization_format=settings.get("SESSION_SERIALIZATION_FORMAT", "msgpack"),
            use_signer=settings.get("SESSION_USE_SIGNER", False),
        )
        return app

    return make


@pytest.fixture
def new_app(options: Options, database_name: str) -> Callable[..., Flask]:
    """Return a function that makes applications that take over its sessions."""

    def make(**settings: Any) -> Flask:
        app = Flask(__name__)
        app.config.update(
            SECRET_KEY=SECRET,
            BEAKER_MONGO=options,
            SESSION_MONGODB_DB=database_name,
            SESSION_MONGODB_COLLECT="old",
            PROPAGATE_EXCEPTIONS=True,
            **settings,
        )
        MongoSessions(app, flask_session=True)
        return app

    return make


MakeApp = Callable[..., Flask]


def switch(browser: Browser, app: Flask) -> Browser:
    """Return the same visitor at another application."""
    other = Browser(app)
    other.cookies = dict(browser.cookies)
    return other


class TestMove:
    """Sessions of Flask-Session."""

    @pytest.mark.parametrize(
        "settings",
        [{}, {"SESSION_SERIALIZATION_FORMAT": "json"}, {"SESSION_KEY_PREFIX": "session:"}],
        ids=str,
    )
    def test_nobody_is_logged_out(
        self, old_app: MakeApp, new_app: MakeApp, database: Db, settings: Any
    ) -> None:
        """A session is read once, stored in the new form, and its cookie is signed."""
        values = {key: value for key, value in VALUES.items() if key != "b" or not settings}
        old = Browser(old_app(**settings))
        old.save(**values)
        browser = switch(old, new_app(**settings))
        assert values | {"_permanent": True} == browser.read()
        assert old.cookie == browser.session_id
        assert old.cookie != browser.cookie
        assert 0 == database.old.count_documents({})
        assert 1 == database.sessions.count_documents({})
        browser.save(more=1)
        assert values | {"_permanent": True, "more": 1} == browser.read()

    @pytest.mark.filterwarnings("ignore:The 'use_signer' option is deprecated")
    def test_signed_cookies(self, old_app: MakeApp, new_app: MakeApp) -> None:
        """With ``SESSION_USE_SIGNER``, the signature of Flask-Session is verified."""
        old = Browser(old_app(SESSION_USE_SIGNER=True))
        old.save(user="ann")
        app = new_app(SESSION_USE_SIGNER=True)
        forged = switch(old, app)
        forged.cookies["session"] = old.session_id
        assert forged.read() == {}
        assert "ann" == switch(old, app).read()["user"]

    def test_its_client(self, old_app: MakeApp, new_app: MakeApp, mongo_client: Client) -> None:
        """The client in ``SESSION_MONGODB`` is used for the old sessions."""
        old = Browser(old_app())
        old.save(user="ann")
        assert "ann" == switch(old, new_app(SESSION_MONGODB=mongo_client)).read()["user"]

    def test_costs(self, old_app: MakeApp, new_app: MakeApp, commands: Commands) -> None:
        """A move costs four commands once; later requests, and signed ids, cost none more."""
        old = Browser(old_app(SESSION_REFRESH_EACH_REQUEST=False))
        old.save(user="ann")
        browser = switch(old, new_app())
        counts = []
        for _ in range(2):
            commands.clear()
            browser.read()
            counts.append(commands.names)
        assert [["find", "find", "insert", "delete"], ["find"]] == counts
        stale = switch(browser, browser.app)
        browser.request(lambda session: session.clear())
        commands.clear()
        assert stale.read() == {}
        assert ["find"] == commands.names

    def test_a_logout_is_final(self, old_app: MakeApp, new_app: MakeApp) -> None:
        """After a logout, the old cookie opens no session."""
        old = Browser(old_app())
        old.save(user="ann")
        app = new_app()
        browser = switch(old, app)
        browser.request(lambda session: session.clear())
        assert browser.cookie is None
        assert switch(old, app).read() == {}

    def test_two_requests_at_once(
        self, old_app: MakeApp, new_app: MakeApp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two requests that move one session at once both keep what they change."""
        old = Browser(old_app())
        old.save(user="ann")
        app = new_app()
        one, other = switch(old, app), switch(old, app)

        def change(session: FlaskSession) -> None:
            session["one"] = 1
            other.save(other=1)

        one.request(change)
        expected = {"user": "ann", "_permanent": True, "one": 1, "other": 1}
        assert expected == one.read()
        assert expected == other.read()

    def test_a_logout_while_another_request_moves_it(
        self, old_app: MakeApp, new_app: MakeApp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A request that read the old document before a logout does not restore the session."""
        old = Browser(old_app())
        old.save(user="ann")
        app = new_app()
        slow, quick = switch(old, app), switch(old, app)
        interface: Any = app.session_interface
        read = interface._old._read

        def read_slowly(document: Any) -> Any:
            monkeypatch.undo()
            values = read(document)
            quick.request(lambda session: session.clear())
            return values

        monkeypatch.setattr(interface._old, "_read", read_slowly)
        assert slow.read() == {}
        assert switch(old, app).read() == {}


class TestRefusals:
    """What is not moved."""

    def test_pickles(
        self,
        old_app: MakeApp,
        new_app: MakeApp,
        database: Db,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A pickle is not loaded; the visitor gets a new session, and the log says why."""
        old = Browser(old_app())
        old.save(user="ann")
        database.old.update_one({}, {"$set": {"val": pickle.dumps({"user": "ann"})}})
        browser = switch(old, new_app())
        assert browser.read() == {}
        assert "it is neither msgpack nor JSON" in caplog.text
        assert 1 == database.old.count_documents({})

    def test_expired(self, old_app: MakeApp, new_app: MakeApp, database: Db) -> None:
        """A session that has expired is not moved."""
        old = Browser(old_app())
        old.save(user="ann")
        database.old.update_one({}, {"$set": {"expiration": datetime.datetime(2020, 1, 1)}})
        assert switch(old, new_app()).read() == {}

    @pytest.mark.parametrize("cookie", ["x" * 43, "short", "a b", "{'$ne': 1}" * 5])
    def test_unknown_ids(
        self, old_app: MakeApp, new_app: MakeApp, database: Db, cookie: str
    ) -> None:
        """An id that Flask-Session did not store is not adopted."""
        browser = Browser(new_app())
        browser.cookies["session"] = cookie
        browser.save(a=1)
        assert cookie != browser.session_id

    def test_own_ids_without_a_signature(self, new_app: MakeApp) -> None:
        """The ids of new sessions are valid with a signature only."""
        app = new_app()
        browser = Browser(app)
        browser.save(a=1)
        thief = Browser(app)
        thief.cookies["session"] = browser.session_id
        assert thief.read() == {}

    def test_only_on_demand(self, old_app: MakeApp, app: Flask, commands: Commands) -> None:
        """Without ``flask_session=True``, cookies of Flask-Session do not reach the database."""
        old = Browser(old_app())
        old.save(user="ann")
        commands.clear()
        assert switch(old, app).read() == {}
        assert [] == commands.names

    def test_without_msgspec(self, run_python: RunPython) -> None:
        """If msgspec is not installed, the application does not start, and the error says so."""
        code = """
            import sys
            sys.modules["msgspec"] = None
            from flask import Flask
            from beaker_mongo_soajs.flask import MongoSessions
            app = Flask("app")
            app.config.update(SECRET_KEY="x", BEAKER_MONGO={"url": "mongodb://h", "name": "a"})
            MongoSessions(app)
            try:
                MongoSessions(app, flask_session=True)
            except ValueError as error:
                print(error)
        """
        expected = (
            "The sessions of Flask-Session cannot be read: msgspec is not installed. "
            'Install "beaker_mongo_soajs[flask-session]".\n'
        )
        assert expected == run_python(code).stdout
