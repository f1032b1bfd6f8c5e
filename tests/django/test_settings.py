"""The settings of a project: the store that they describe, and their check."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command, execute_from_command_line
from django.test import override_settings

import beaker_mongo_soajs.django
from beaker_mongo_soajs import ConfigError, SessionStore
from beaker_mongo_soajs.django import find_store
from beaker_mongo_soajs.django.management.commands import sessions
from tests.conftest import Db, Options, RunPython
from tests.django.project import ENGINE

START = f"""
from django.conf import settings
settings.configure(SESSION_ENGINE={ENGINE!r}, BEAKER_MONGO=OPTIONS)

from django.contrib.sessions.middleware import SessionMiddleware
middleware = SessionMiddleware(print)
"""


def check(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what ``manage.py check`` says."""
    # Django calls it when it starts, before any of the tests.
    apps.get_app_config("beaker_mongo_soajs").ready()
    try:
        call_command("check")
    except CommandError as error:
        return str(error)
    return capsys.readouterr().err


@pytest.mark.usefixtures("settings")
class TestCheck:
    """``manage.py check``."""

    def test_valid_settings(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Settings that can be used cause no message."""
        assert "" == check(capsys)

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ({"nmae": "x"}, ["nmae", "Did you mean name?"]),
            ({"store": {"touchAfter": "often"}}, ["store.touchAfter"]),
            ({"timeout": 60}, ["timeout", "Set SESSION_COOKIE_AGE instead."]),
            ({"Secret": "x"}, ["Secret", "Set SECRET_KEY instead."]),
            ({"type": "ext:mongodb_soajs"}, ["type", "Remove it."]),
            ({"session.url": "mongodb://x"}, ["session.url", "Write url."]),
            ({"nmae": "x", "key": "y"}, ["nmae", "SESSION_COOKIE_NAME"]),
            ({"name": "x", "servers": "h", "store": {"touchAfter": "60d"}}, ["store.touchAfter"]),
            ("mongodb://x/y?tls=true&tlsCAFile=/no", ["URLParam.tlsCAFile", "cannot be read"]),
            ("mongodb://", ["url"]),
            (["mongodb://x"], ["has the type list", "dict of options"]),
            ({}, ["BEAKER_MONGO is not set."]),
        ],
    )
    def test_wrong_options(
        self, capsys: pytest.CaptureFixture[str], value: Any, words: list[str]
    ) -> None:
        """An error names the option, and what to do."""
        with override_settings(BEAKER_MONGO=value):
            said = check(capsys)
            assert "beaker_mongo.E001" in said
            assert "BEAKER_MONGO" in said
            assert [] == [word for word in words if word not in said]
            with pytest.raises(ConfigError):
                beaker_mongo_soajs.django.SessionStore  # noqa: B018 - Django's middleware does this

    @pytest.mark.parametrize(
        ("extra", "words"),
        [
            (
                {"expireAfter": 600000},
                'BEAKER_MONGO["expireAfter"] has no effect: SESSION_COOKIE_AGE',
            ),
            (
                {"store": {"onUnavailable": "anonymous"}},
                'BEAKER_MONGO["store.onUnavailable"] has no effect',
            ),
        ],
        indirect=["extra"],
    )
    def test_options_without_effect(
        self, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, words: str
    ) -> None:
        """A warning names an option that Django's sessions do not use, also at the start."""
        said = check(capsys)
        assert "beaker_mongo.W001" in said
        assert words in said
        getattr(beaker_mongo_soajs.django, "SessionStore")  # noqa: B009
        assert words in caplog.text

    def test_no_server(
        self, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A warning says that no server is configured, also at the start."""
        # It is logged once for each database.
        with override_settings(BEAKER_MONGO={"name": "without_a_server_in_django"}):
            said = check(capsys)
            getattr(beaker_mongo_soajs.django, "SessionStore")  # noqa: B009
        assert "beaker_mongo.W002" in said
        assert "No server is configured" in said
        assert "No server is configured" in caplog.text

    def test_another_engine(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A warning says that the sessions are stored elsewhere."""
        with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.db"):
            said = check(capsys)
        assert "beaker_mongo.W003" in said
        assert f"Set it to '{ENGINE}'." in said


@pytest.mark.usefixtures("settings")
class TestCommand:
    """``manage.py sessions``."""

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (["sessions", "show", "0" * 40], 1, "No session has a handle that begins with 0000"),
            (["sessions", "explain"], 0, ".sessions on mongodb://"),
            (["help", "sessions"], 0, "Usage: manage.py sessions "),
        ],
    )
    def test_sessions(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
    ) -> None:
        """It has the commands and exit codes of ``beaker-mongo``, for the project's sessions."""
        with pytest.raises(SystemExit) as ended:
            execute_from_command_line(["manage.py", *arguments])
        assert code == ended.value.code
        captured = capsys.readouterr()
        assert words in captured.out + captured.err

    def test_without_click(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without click, it says what to install."""
        monkeypatch.setattr(sessions, "find_spec", lambda _: None)
        with pytest.raises(SystemExit, match="2"):
            execute_from_command_line(["manage.py", "sessions", "explain"])
        assert 'run pip install "beaker_mongo_soajs[cli]"' in capsys.readouterr().err


class TestFindStore:
    """find_store()."""

    def test_one_store(self, settings: Any) -> None:
        """The store is made once; changed settings make another one."""
        store = find_store()
        assert isinstance(store, SessionStore)
        assert store is find_store()
        assert settings.SESSION_COOKIE_AGE == store.timeout
        with override_settings(SESSION_COOKIE_AGE=60):
            assert 60 == find_store().timeout
        assert 5 == find_store(5).timeout

    def test_connection_string(self, settings: Any, options: Options, database: Db) -> None:
        """BEAKER_MONGO may be a connection string."""
        url = urlsplit(options["url"])._replace(path=f"/{database.name}").geturl()
        with override_settings(BEAKER_MONGO=url):
            find_store().set("id", {"n": 1})
        assert 1 == database.sessions.count_documents({"_id": "id"})

    @pytest.mark.usefixtures("settings")
    @pytest.mark.parametrize(
        "extra", [{}, {"store": {"userKey": "owner", "touchAfter": 5}}], indirect=True
    )
    def test_defaults(self, extra: Options) -> None:
        """Django's key of the user, and exact times, are the defaults."""
        store = find_store().config.store
        expected = ("owner", 5) if extra else ("_auth_user_id", 0)
        assert expected == (store.user_key, store.touch_after)


class TestStart:
    """The start of an application."""

    def test_the_engine_alone(self, run_python: RunPython, options: Options) -> None:
        """SESSION_ENGINE works without an entry in INSTALLED_APPS."""
        use = """
session = middleware.SessionStore()
session["n"] = 1
session.save()
assert 1 == middleware.SessionStore(session.session_key)["n"]
"""
        run_python(f"OPTIONS = {options!r}{START}{use}")

    def test_a_wrong_option(self, run_python: RunPython) -> None:
        """Without the entry, the application does not start, and the error names the option."""
        run = run_python(f"OPTIONS = {{'nmae': 'x'}}{START}", check=False)
        assert 1 == run.returncode
        assert 'ConfigError: BEAKER_MONGO["nmae"]: There is no option nmae.' in run.stderr

    def test_without_settings(self, run_python: RunPython) -> None:
        """The engine can be imported without settings, by a tool for documentation for example."""
        run_python("from beaker_mongo_soajs.django import SessionStore")

    def test_without_django(self, run_python: RunPython) -> None:
        """The module can be imported without Django, and has no other names than its own."""
        run_python("""
            import sys
            sys.modules["django"] = None
            from beaker_mongo_soajs import django
            try:
                django.no_such_name
            except AttributeError as error:
                assert "no_such_name" in str(error)
            try:
                django.SessionStore
            except ModuleNotFoundError as error:
                assert "django" in error.name
        """)
