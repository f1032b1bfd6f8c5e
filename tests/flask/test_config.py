"""The setting ``BEAKER_MONGO``, and how an application is initialized."""

from typing import Any

import pytest
from flask import Flask

from beaker_mongo_soajs import ConfigError, SessionStore
from beaker_mongo_soajs.flask import MongoSessions
from tests.conftest import Client, Db, Options, RunPython
from tests.flask.support import Browser, make_app, store_of


class TestErrors:
    """Options that cannot be used."""

    @pytest.mark.parametrize(
        ("value", "parts"),
        [
            (None, ["BEAKER_MONGO is not set.", "Set it to a dict of options"]),
            ({}, ["BEAKER_MONGO is not set."]),
            (5, ["BEAKER_MONGO has the type int."]),
            ({"nam": "x"}, ['BEAKER_MONGO["nam"]: There is no option nam. Did you mean name?']),
            ({"session.name": "x"}, ['BEAKER_MONGO["session.name"] has a prefix', "Write name."]),
            ({"timeout": 60}, ['BEAKER_MONGO["timeout"]', "Set PERMANENT_SESSION_LIFETIME"]),
            ({"Secret": "xyz"}, ['BEAKER_MONGO["Secret"]', "Set SECRET_KEY instead."]),
            ({"key": "sid"}, ['BEAKER_MONGO["key"]', "Set SESSION_COOKIE_NAME instead."]),
            ({"encrypt_key": "xyz"}, ['BEAKER_MONGO["encrypt_key"]', "Remove it."]),
            ({"store": {"touchAfter": "x"}}, ['BEAKER_MONGO["store.touchAfter"] is "x"']),
            ({"store.touchAfter": 10**9}, ['BEAKER_MONGO["store.touchAfter"] is 1e+09 seconds']),
            ({"URLParam.tlsCAFile": "/no/such"}, ['BEAKER_MONGO["URLParam.tlsCAFile"]']),
            ("http://example.org", ['BEAKER_MONGO["url"] is http://example.org']),
        ],
        ids=str,
    )  # fmt: skip
    def test_the_error_names_the_option(self, value: Any, parts: list[str]) -> None:
        """The application does not start, and the error says which option to change, and how."""
        name = {"name": "core_session"}
        options = name | value if isinstance(value, dict) and value else value
        with pytest.raises(ConfigError) as caught:
            make_app(options)
        for part in parts:
            assert part in str(caught.value)
        assert "xyz" not in str(caught.value)

    def test_all_errors_are_one(self) -> None:
        """All mistakes are reported together, each once."""
        options = {"name": "a.b", "timeout": 5, "session.x": 1, "store": {"pickel": True}}
        with pytest.raises(ConfigError) as caught:
            make_app(options)
        named = [str(error).split()[0].strip(":") for error in caught.value.errors]
        expected = ["timeout", "session.x", "store.pickel", "name"]
        assert [f'BEAKER_MONGO["{name}"]' for name in expected] == named

    def test_options_without_effect(self, caplog: pytest.LogCaptureFixture) -> None:
        """An option that has no effect in Flask is named in the log; so is a missing server."""
        # A missing server is logged once for each database.
        make_app({"name": "without_a_server_in_flask", "expireAfter": 60_000})
        expected = (
            'BEAKER_MONGO["expireAfter"] has no effect: PERMANENT_SESSION_LIFETIME sets the '
            "lifetime of sessions. Remove it."
        )
        without_server, without_effect = caplog.messages
        assert "No server is configured" in without_server
        assert expected == without_effect


class TestForms:
    """The forms of the setting."""

    def test_a_connection_string(self, mongo_url: str, database_name: str, database: Db) -> None:
        """A connection string is enough."""
        host = mongo_url.split("/")[2]
        browser = Browser(make_app(f"mongodb://{host}/{database_name}?directConnection=true"))  # type: ignore[arg-type]
        browser.save(a=1)
        assert 1 == database.sessions.count_documents({})

    def test_a_client_of_the_application(self, mongo_url: str, database: Db) -> None:
        """Sessions can use the application's own client."""
        with Client(mongo_url) as client:
            browser = Browser(make_app({"client": client, "name": database.name}))
            browser.save(a=1)
            assert {"a": 1} == browser.read()

    def test_a_db_config(self, options: Options, database: Db) -> None:
        """A whole dbConfig, with a prefix and a collection, can be the value of ``dbConfig``."""
        name = options["name"]
        db_config = options | {"prefix": name[:5], "name": name[5:], "collection": "mine"}
        browser = Browser(make_app({"dbConfig": db_config}))
        browser.save(a=1)
        assert 1 == database.mine.count_documents({})


class TestInitialization:
    """``MongoSessions`` and applications."""

    def test_factories(self, options: Options) -> None:
        """One ``MongoSessions()`` serves the applications of a factory, each with its settings."""
        sessions = MongoSessions()

        def create(collection: str) -> Flask:
            app = Flask(__name__)
            app.config.from_mapping(
                SECRET_KEY="one key", BEAKER_MONGO=options | {"collection": collection}
            )
            sessions.init_app(app)
            return app

        one, other = Browser(create("one")), Browser(create("other"))
        one.save(a=1)
        other.cookies = one.cookies
        assert other.read() == {}
        assert {"a": 1} == one.read()

    def test_store(self, options: Options) -> None:
        """``app.extensions["beaker_mongo"].store`` finds and ends the sessions of a user."""
        app = make_app(options)
        browser = Browser(app)
        browser.save(user="ann")
        store = store_of(app)
        assert isinstance(store, SessionStore)
        assert ["ann"] == [session["user"] for _, session in store.find(user="ann")]
        assert 1 == store.destroy_where(user="ann")
        assert browser.read() == {}

    def test_no_connection_at_the_start(self, run_python: RunPython) -> None:
        """Initialization opens no connection, so that a server can fork afterwards."""
        code = """
            import socket
            socket.socket.connect = None
            from flask import Flask
            from beaker_mongo_soajs.flask import MongoSessions
            app = Flask("app")
            app.config.update(SECRET_KEY="x", BEAKER_MONGO={"url": "mongodb://h", "name": "a"})
            MongoSessions(app)
            assert 200 == app.test_client().get("/static/none").status_code + -204
            import threading
            print(threading.active_count())
        """
        assert "1\n" == run_python(code).stdout

    def test_the_package_does_not_need_flask(self, run_python: RunPython) -> None:
        """The package can be imported without Flask."""
        code = "import sys; sys.modules['flask'] = None; import beaker_mongo_soajs"
        run_python(code)
