"""SessionMiddleware: defaults, checks at the start, and the Paste filter."""

import threading
import time
import warnings
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from beaker.middleware import SessionMiddleware as BeakerMiddleware
from webtest import TestApp

from beaker_mongo_soajs import (
    ConfigError,
    InsecureSessionWarning,
    MongoSession,
    SessionMiddleware,
    StoreUnavailable,
)
from beaker_mongo_soajs.testing import MongoServer
from tests.application import only_document
from tests.conftest import Db, Options
from tests.recorder import Commands
from tests.waiting import wait_until

SAFE: Options = {"secret": "a secret of the site", "secure": False}


def count_visits(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Count the visits, as a WSGI application."""
    session = environ["beaker.session"]
    session["n"] = session.get("n", 0) + 1
    session.save()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(session["n"]).encode()]


def _make(options: Options, **more: Any) -> SessionMiddleware:
    return SessionMiddleware(count_visits, **options, **SAFE | more)


def _browser(act: Callable[[dict[str, Any]], object], options: Options) -> Any:
    """Return a browser of an application that calls a function with its WSGI environment."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        act(environ)
        start_response("204 No Content", [])
        return []

    return TestApp(SessionMiddleware(app, **options, **SAFE))


class TestSessions:
    """The sessions that an application gets."""

    def test_sessions_are_mongo_sessions(
        self, options: Options, commands: Commands, database: Db
    ) -> None:
        """Without type and session_class, sessions are MongoSession."""
        browser: Any = TestApp(_make(options))
        assert ["1", "2", "3"] == [browser.get("/").text for _ in range(3)]
        names = ["insert", *["find", "update"] * 2]
        assert names == commands.names
        assert 3 == only_document(database)["session"]["n"]

    def test_it_replaces_beakers_middleware(self, options: Options) -> None:
        """It is a subclass of Beaker's middleware, and takes the same settings."""
        prefixed = {f"session.{name}": item for name, item in (options | SAFE).items()}
        for settings in (
            prefixed,
            {f"beaker.{name}": item for name, item in prefixed.items()},
        ):
            middleware = SessionMiddleware(count_visits, settings, environ_key="beaker.session")
            assert isinstance(middleware, BeakerMiddleware)
            browser: Any = TestApp(middleware)
            assert ["1", "2"] == [browser.get("/").text for _ in range(2)]

    def test_other_environ_key(self, options: Options) -> None:
        """The session is in the WSGI environment under environ_key."""
        found: list[str] = []
        browser = _browser(found.extend, options | {"environ_key": "mine"})
        browser.get("/")
        assert ["mine"] == [key for key in found if key in ("mine", "beaker.session")]

    def test_other_sessions_are_mongo_sessions_too(
        self, options: Options, commands: Commands
    ) -> None:
        """get_by_id() and beaker.get_session return MongoSession; the first writes nothing."""
        found: list[Any] = []

        def act(environ: dict[str, Any]) -> None:
            found.append(environ["beaker.session"].get_by_id(id_))
            found.append(environ["beaker.session"].get_by_id("unknown"))
            found.append(environ["beaker.get_session"]())

        session = MongoSession({}, **options)
        session["n"] = 7
        session.save()
        id_ = session.id
        commands.clear()
        browser = _browser(act, options)
        browser.get("/")
        other, unknown, new = found
        assert (7, None, True) == (other["n"], unknown, new.is_new)
        assert ["find", "find"] == commands.names
        assert {MongoSession} == {type(other), type(new)}
        other.invalidate()
        browser.get("/")
        assert found[3] is None

    def test_subclass(self, options: Options) -> None:
        """session_class may be a subclass of MongoSession."""

        class Mine(MongoSession):
            pass

        found: list[Any] = []
        browser = _browser(found.append, options | {"session_class": Mine})
        browser.get("/")
        assert [Mine] == [type(environ["beaker.session"]._session()) for environ in found]


class TestOptions:
    """The checks when the application starts."""

    @pytest.mark.parametrize(
        ("wrong", "option"),
        [
            ({"timeout": "soon"}, "timeout"),
            ({"timeout": 0}, "timeout"),
            ({"timeout": 60, "save_accessed_time": "no"}, "save_accessed_time"),
            ({"cookie_expires": "never"}, "cookie_expires"),
            ({"secret": " "}, "secret"),
            ({"secure": "perhaps"}, "secure"),
            ({"samesite": "Loose"}, "samesite"),
            ({"use_cookies": "perhaps"}, "use_cookies"),
            ({"invalidate_corrupt": "perhaps"}, "invalidate_corrupt"),
            ({"id": "everybody's"}, "id"),
            ({"type": "memory"}, "type"),
            ({"session_class": dict}, "session_class"),
            ({"encrypt_key": "a key", "crypto_type": "cryptography"}, "validate_key"),
            ({"data_serializer": "yaml"}, None),
            ({"crypto_type": "rot13"}, None),
            *(({"encrypt_nonce_bits": bits}, "encrypt_nonce_bits") for bits in (0, 5, 1032)),
            ({"servres": "db1"}, "servres"),
            ({"collection": ""}, "collection"),
            ({"store": {"touchAfter": 100}, "timeout": 60}, "store.touchAfter"),
            ({"extraParam": {"server": {"sslCA": "/no/file"}}}, "extraParam.server.sslCA"),
            ({"check_at_start": "soon"}, "check_at_start"),
            ({"check_at_start": -1}, "check_at_start"),
        ],
    )
    def test_invalid_option_is_an_error_at_the_start(
        self, options: Options, wrong: Options, option: str | None
    ) -> None:
        """An invalid option is a ConfigError at the start that names it and shows no secret."""
        with pytest.raises(ConfigError) as caught:
            SessionMiddleware(count_visits, **options | SAFE | wrong)
        assert option == caught.value.option
        assert "a key" not in str(caught.value)

    def test_no_connection_is_opened(self) -> None:
        """Without check_at_start, an application starts while its database is unreachable."""
        before = set(threading.enumerate())
        _make({"url": "mongodb://127.0.0.1:9/", "name": "away"})
        assert set() == set(threading.enumerate()) - before

    def test_texts_are_converted(self, options: Options) -> None:
        """Texts from an INI file are converted, with and without a prefix."""
        texts = {"timeout": "60", "use_cookies": "false", "secure": "no"}
        for prefix in ("", "session.", "beaker.session."):
            given: Options = {f"{prefix}{name}": text for name, text in texts.items()}
            middleware = SessionMiddleware(count_visits, **options, **given)
            read = {name: middleware.options[name] for name in texts}
            assert {"timeout": 60, "use_cookies": False, "secure": False} == read

    @pytest.mark.parametrize(
        ("argument", "value", "expected"),
        [
            ("timeout", 70, 70),
            ("Timeout", 70, 70),
            ("session.TIMEOUT", "70", 70),
            ("session_timeout", "70", 70),
            ("timeout", "", 60),
            ("timeout", None, None),
        ],
    )
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_arguments_override_settings_in_any_case(
        self, options: Options, argument: str, value: object, expected: int | None
    ) -> None:
        """A keyword argument overrides a setting in another spelling; a blank one does not."""
        arguments: Options = options | SAFE | {argument: value}
        middleware = SessionMiddleware(count_visits, {"session.timeout": "60"}, **arguments)
        assert expected == middleware.options.get("timeout")

    @pytest.mark.parametrize("first", ["Timeout", "timeout"])
    def test_a_blank_option_overrides_nothing(self, options: Options, first: str) -> None:
        """Of two spellings of an option, a blank one counts as absent."""
        values = {"Timeout": "60", "timeout": " "}
        given = {first: values.pop(first)} | values
        assert 60 == SessionMiddleware(count_visits, **options | SAFE | given).options["timeout"]

    def test_keys_that_beaker_cannot_encode(self, options: Options) -> None:
        """A key that is not ASCII text is an error before the first save."""
        keys = {"encrypt_key": "clé", "validate_key": "key", "crypto_type": "cryptography"}
        with pytest.raises(ConfigError, match="encrypt_key cannot be"):
            MongoSession({}, **options | keys)

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("Timeout", 60, 60),
            ("SECRET", SAFE["secret"], SAFE["secret"]),
            ("SameSite", "Strict", "Strict"),
            ("Cookie_Path", "/shop", "/shop"),
            ("HttpOnly", "false", False),
            ("ENCRYPT_KEY", "key", "key"),
        ],
    )
    @pytest.mark.parametrize("prefix", ["", "session.", "beaker.session."])
    def test_options_of_beaker_in_any_case(
        self, options: Options, prefix: str, name: str, value: object, expected: object
    ) -> None:
        """Beaker's options take effect in upper and lower case."""
        more = {"validate_key": "key", "secure": False, prefix + name: value}
        if name != "SECRET":
            more["secret"] = SAFE["secret"]
        read = SessionMiddleware(count_visits, None, **options | more).options
        assert expected == read[name.lower()]

    @pytest.mark.parametrize("as_arguments", [False, True])
    def test_old_prefix(self, options: Options, *, as_arguments: bool) -> None:
        """The prefix session_ is used, with a DeprecationWarning, as by Beaker."""
        old = {"session_timeout": "60", "session_key": "sid"}
        with pytest.warns(DeprecationWarning, match="session_timeout, session_key") as warned:
            middleware = (
                SessionMiddleware(count_visits, None, **options | SAFE | old)
                if as_arguments
                else SessionMiddleware(count_visits, old, **options | SAFE)
            )
        # Beaker's own warnings name its module.
        assert __file__ in {warning.filename for warning in warned}
        assert (60, "sid") == (middleware.options["timeout"], middleware.options["key"])
        assert not [name for name in middleware.options if name.startswith("session_t")]

    @pytest.mark.parametrize(
        "settings",
        [
            {"name": "core_session", "servers": "db1", "secret": "a secret"},
            {"URLParam.maxPoolSize": "5"},
            {"Timeout": "60"},
            {"store": {"touchAfter": 60}},
        ],
        ids=str,
    )
    def test_settings_without_a_prefix(self, settings: Options) -> None:
        """Settings that are all without a prefix are an error that shows the prefixed names."""
        with pytest.raises(ConfigError, match="No setting has the prefix session") as caught:
            SessionMiddleware(count_visits, settings | {"here": "/", "debug": "true"})
        assert f"Write session.{next(iter(settings))}" in str(caught.value)

    def test_all_errors_at_once(self, options: Options) -> None:
        """The errors of Beaker's options and of the dbConfig are reported together."""
        wrong = {"timeout": "soon", "secrets": "x", "URLParam.w": 0, "check_at_start": "soon"}
        with pytest.raises(ConfigError) as caught:
            _make(options | wrong)
        assert wrong.keys() == {error.option for error in caught.value.errors}

    @pytest.mark.parametrize(
        ("value", "expected"),
        [("30m", 1800), ("1800s", 1800), ("None", None), ("null", None), ("", None), (None, None)],
    )
    def test_timeout(self, options: Options, value: object, expected: int | None) -> None:
        """The timeout may have a unit, and the text None means no timeout."""
        assert expected == _make(options, timeout=value).options.get("timeout")

    @pytest.mark.parametrize("bits", [8, 1024])
    def test_encrypt_nonce_bits(self, options: Options, bits: int) -> None:
        """The nonce of an encrypted session has 8 to 1024 bits."""
        assert bits == _make(options, encrypt_nonce_bits=bits).options["encrypt_nonce_bits"]

    @pytest.mark.parametrize("value", ["2w", "1209600", timedelta(weeks=2)])
    def test_cookie_expires(self, options: Options, value: object) -> None:
        """cookie_expires may have a unit."""
        assert timedelta(weeks=2) == _make(options, cookie_expires=value).options["cookie_expires"]

    @pytest.mark.parametrize(
        "name", ["beaker_mongo_soajs.MongoSession", "beaker_mongo_soajs.session:MongoSession"]
    )
    def test_session_class_as_text(self, options: Options, name: str) -> None:
        """session_class may be a dotted name, as in an INI file."""
        found: Any = _make(options, session_class=name).options["session_class"]
        assert MongoSession is found

    def test_environ_key_as_a_setting(self, options: Options) -> None:
        """environ_key may be a setting with a prefix."""
        middleware = SessionMiddleware(
            count_visits, {"session.environ_key": "mine"}, **options | SAFE
        )
        assert "mine" == middleware.environ_key
        settings = {"session.environ_key": "theirs"}
        overridden = SessionMiddleware(count_visits, settings, "mine", **options | SAFE)
        assert "mine" == overridden.environ_key
        assert "environ_key" not in middleware.options

    def test_start_warning(self, caplog: pytest.LogCaptureFixture, options: Options) -> None:
        """Lines that are left from another backend are named in one warning at the start."""
        left = {"sa.url": "sqlite://", "table_name": "t", "urls": "", "data_dir": "/var/cache"}
        _make({"session.timeout": 1800, **options, **left})
        [text] = [record.getMessage() for record in caplog.records]
        assert [] == [name for name in left if name not in text]

    def test_other_settings_are_ignored(self, options: Options) -> None:
        """Settings of the application that have no prefix are ignored."""
        settings = {"here": "/", "timeout": "soon", "cache.type": "memory"}
        middleware = SessionMiddleware(count_visits, settings, **options, **SAFE)
        assert not settings.keys() & middleware.options.keys()


class TestWarnings:
    """Warnings about insecure cookies."""

    def _warnings(self, **options: Any) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            SessionMiddleware(count_visits, name="core_session", **options)
        assert {InsecureSessionWarning} >= {each.category for each in caught}
        assert {__file__} >= {each.filename for each in caught}
        return [str(each.message).split()[0] for each in caught]

    def test_missing_secret_and_secure(self) -> None:
        """A missing secret and a missing secure are a warning each."""
        assert ["session.secret", "session.secure"] == self._warnings()
        assert ["session.secret"] == self._warnings(secure=True)
        assert ["session.secure"] == self._warnings(secret="a secret of the site")
        assert [] == self._warnings(secret="a secret of the site", secure=False)
        assert [] == self._warnings(use_cookies=False)

    def test_short_secret(self) -> None:
        """A secret of less than 16 bytes is a warning that says how to make one."""
        assert ["session.secret"] == self._warnings(secret="x" * 15, secure=False)
        assert [] == self._warnings(secret="é" * 8, secure=False)
        with pytest.warns(InsecureSessionWarning, match="token_urlsafe"):
            SessionMiddleware(count_visits, name="core_session", secret="short", secure=False)

    def test_warnings_can_be_silenced(self) -> None:
        """One filter silences both warnings."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", InsecureSessionWarning)
            SessionMiddleware(count_visits, name="core_session")


class TestCheckAtStart:
    """The option check_at_start."""

    @pytest.mark.parametrize("value", [True, "true", 5, "5", 0.5])
    def test_database_that_answers(
        self, options: Options, commands: Commands, value: object
    ) -> None:
        """One command is sent, which needs the right to read."""
        _make(options, check_at_start=value)
        assert ["find"] == commands.names

    @pytest.mark.parametrize("value", [False, "no", None])
    def test_off(self, options: Options, commands: Commands, value: object) -> None:
        """No command is sent if check_at_start is off."""
        _make(options, check_at_start=value)
        assert [] == commands.names

    def test_unreachable_database(self) -> None:
        """If the database does not answer, the application does not start."""
        away = {"url": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100", "name": "away"}
        with pytest.raises(StoreUnavailable):
            _make(away, check_at_start=True)

    def test_wait_for_the_database(self) -> None:
        """A number of seconds waits until the database answers."""
        with MongoServer(for_tests=True) as server:
            server.pause()
            threading.Timer(1.0, server.resume).start()
            url = f"{server.url}&serverSelectionTimeoutMS=300&socketTimeoutMS=300"
            start = time.monotonic()
            _make({"url": url, "name": "late"}, check_at_start=60)
            assert 0.5 < time.monotonic() - start < 30

    def test_no_client_is_left(self, options: Options) -> None:
        """The client of the check is closed, and its threads end."""
        before = set(threading.enumerate())
        _make(options, check_at_start=True)
        wait_until(lambda: before.issuperset(threading.enumerate()))
