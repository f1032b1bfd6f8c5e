"""Sessions of Django's table and of Flask-Session, written by Django and Flask-Session."""

import datetime
import json
import sqlite3
from pathlib import Path

import flask
import flask_session
import pytest

from beaker_mongo_soajs import SerializationError, SessionStore
from tests.application import live_documents
from tests.cli.support import run
from tests.conftest import Client, Db, Options, RunPython

CODE = """
    import django, json, os, sys
    from django.conf import settings
    settings.configure(
        SECRET_KEY="0123456789abcdef0123456789abcdef",
        SESSION_SERIALIZER=os.environ["SERIALIZER"],
        INSTALLED_APPS=["django.contrib.sessions"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["FILE"]}},
    )
    django.setup()
    from django.core.management import call_command
    from django.contrib.sessions.backends.db import SessionStore
    call_command("migrate", verbosity=0)
    for length in (3, 2000):
        session = SessionStore()
        session["user"] = "ann"
        session["text"] = "x" * length
        session.create()
        print(session.session_key)
"""


@pytest.fixture
def django_source(tmp_path: Path) -> Options:
    """Return the options for a table of Django's sessions."""
    return {"type": "django", "url": f"sqlite:///{tmp_path}/django.db"}


def _fill_django(run_python: RunPython, tmp_path: Path) -> list[str]:
    serializer = "django.contrib.sessions.serializers.JSONSerializer"
    env = {"FILE": str(tmp_path / "django.db"), "SERIALIZER": serializer}
    return run_python(CODE, env).stdout.split()


class TestDjango:
    """Django's ``db`` sessions."""

    def test_on_the_fly(
        self, options: Options, django_source: Options, run_python: RunPython, tmp_path: Path
    ) -> None:
        """Short and compressed sessions are moved, with their expiry."""
        keys = _fill_django(run_python, tmp_path)
        store = SessionStore(options | {"store.migrateFrom": django_source})
        sessions = [store.get(key) for key in keys]
        assert [("ann", 3), ("ann", 2000)] == [
            (session["user"], len(session["text"])) for session in sessions if session
        ]
        with sqlite3.connect(tmp_path / "django.db") as connection:
            [(count,)] = connection.execute("SELECT COUNT(*) FROM django_session")
        connection.close()
        assert 0 == count

    def test_in_one_go(
        self,
        options: Options,
        django_source: Options,
        run_python: RunPython,
        tmp_path: Path,
        database: Db,
    ) -> None:
        """All of them are moved at once."""
        keys = _fill_django(run_python, tmp_path)
        path = tmp_path / "config.json"
        path.write_text(json.dumps(options))
        result = run(
            "-c", str(path), "migrate", "--from", "django", "--source", django_source["url"]
        )
        assert result.stdout.startswith("Sessions: 2 moved"), result.output
        assert set(keys) == {document["_id"] for document in database.sessions.find()}
        expires = live_documents(database)[0]["expires"]
        left = expires - datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        assert datetime.timedelta(days=13) < left < datetime.timedelta(days=15)

    def test_garbage(self, options: Options, django_source: Options, tmp_path: Path) -> None:
        """What is no signed JSON is an error, and stays."""
        with sqlite3.connect(tmp_path / "django.db") as connection:
            connection.execute(
                "CREATE TABLE django_session (session_key, session_data, expire_date)"
            )
            connection.execute("INSERT INTO django_session VALUES ('key', 'gAR9lC4=:x:y', NULL)")
        connection.close()
        store = SessionStore(options | {"store.migrateFrom": django_source})
        with pytest.raises(SerializationError, match="signed JSON"):
            store.get("key")


class TestFlaskSession:
    """Flask-Session's collection."""

    @pytest.mark.parametrize("form", ["msgpack", "json"])
    def test_moved(self, options: Options, mongo_url: str, database: Db, form: str) -> None:
        """Sessions in both formats of Flask-Session are moved."""
        app = flask.Flask(__name__)
        with Client(mongo_url) as client:
            app.config.update(
                SESSION_TYPE="mongodb",
                SESSION_MONGODB=client,
                SESSION_MONGODB_DB=database.name,
                SESSION_MONGODB_COLLECT="flask",
                SESSION_SERIALIZATION_FORMAT=form,
            )
            flask_session.Session(app)

            @app.route("/")
            def index() -> str:
                flask.session["user"] = "ann"
                return str(getattr(flask.session, "sid", ""))

            session_id = app.test_client().get("/").text
        url = mongo_url.replace("/?", f"/{database.name}?")
        source = {"type": "flask-session", "url": url, "collection": "flask"}
        store = SessionStore(options | {"store.migrateFrom": source})
        assert "ann" == (store.get(session_id) or {})["user"]
        assert 0 == database.flask.count_documents({})
