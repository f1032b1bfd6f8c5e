"""Bad input gets one clear error, or for an index one warning, and nothing stored is lost."""

import datetime
import logging
import socket
import traceback
from typing import Any

import pytest
from beaker.session import Session
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from pymongo import MongoClient
from pymongo.errors import InvalidOperation

from beaker_mongo_soajs import (
    ConfigError,
    DbConfig,
    Locks,
    SerializationError,
    SessionStore,
    StoreRefused,
    StoreUnavailable,
)
from beaker_mongo_soajs.testing import MongoServer
from tests.application import Site
from tests.conftest import Db, Options
from tests.passwords import PASSWORD
from tests.waiting import wait_for_indexes

_SECRETS = ("s3cr3t", "w%rd", "p%40ss", "the-user-name")


@pytest.fixture
def options(options: Options) -> Options:
    """Return the session options of this test's database, errors reaching the application."""
    return options | {"invalidate_corrupt": False}


_WRONG_LOGIN = {"credentials": {"username": "writer", "password": "s3cr3t-wrong"}}


def _auth_options(server: MongoServer, user: str) -> Options:
    return {
        "name": "bad_input",
        "servers": f"127.0.0.1:{server.port}",
        "credentials": {"username": user, "password": PASSWORD},
        "URLParam": {"authSource": "admin"},
        "invalidate_corrupt": False,
    }


def _text_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


def _assert_no_secret(text: str) -> None:
    assert not [secret for secret in _SECRETS if secret in text]


class TestOptions:
    """Invalid options, which are refused without a connection."""

    @pytest.mark.parametrize(
        ("bad", "option", "words", "code"),
        [
            ({"colection": "x"}, "colection", ["collection"], None),
            ({"URLParam": {"maxPolSize": 5}}, "URLParam.maxPolSize", ["maxPoolSize"], None),
            ({"store.touchAftr": "1"}, "store.touchAftr", ["touchAfter"], None),
            ({"stringify": "perhaps"}, "stringify", ["true", "false"], None),
            ({"expireAfter": "soon"}, "expireAfter", ["soon"], None),
            ({"expireAfter": -1}, "expireAfter", ["-1"], None),
            ({"name": ""}, "name", ["name"], 190),
            ({"servers": {}}, "servers", ["servers"], 190),
            ({"servers": []}, "servers", ["servers"], 190),
            ({"collection": ""}, "collection", ["collection"], 191),
            ({"servers": [{"host": "a", "port": "http"}]}, "servers", ["port"], 190),
            ({"credentials": {"pasword": PASSWORD}}, "credentials.pasword", ["password"], None),
            ({"dbConfig": "/no/such/file.json"}, "dbConfig", ["dbConfig"], None),
            ({"store": {"touchAfter": 2_000_000}}, "store.touchAfter", ["smaller"], None),
        ],
        ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
    )  # fmt: skip
    def test_is_refused(
        self, bad: Options, option: str, words: list[str], code: int | None
    ) -> None:
        """The error names the option and the remedy, and has the reference's number."""
        with pytest.raises(ConfigError) as caught:
            SessionStore({"name": "bad_input", **bad})
        assert (caught.value.option or "").startswith(option)
        assert [word for word in words if word not in str(caught.value)] == []
        assert caught.value.code == code
        _assert_no_secret(_text_of(caught.value))

    def test_reaches_the_application(self, options: Options) -> None:
        """An invalid option is an error on the first request, even with invalidate_corrupt."""
        options = options | {"invalidate_corrupt": True, "colection": "x"}
        with (
            pytest.warns(RuntimeWarning, match="Invalidating corrupt session"),
            pytest.raises(ConfigError, match="colection"),
        ):
            Site(options).visitor("an-id").read()

    def test_no_credential_in_any_repr(self) -> None:
        """Neither the configuration nor its report shows a password, in whichever form."""
        plain = {"name": "n", "credentials": {"username": "ann", "password": PASSWORD}}
        escaped = "s3cr3t-p%40ss%3A%2Fw%25rd"
        for options in (plain, {"url": f"mongodb://ann:{escaped}@127.0.0.1/n"}):
            config = DbConfig.from_options(options)
            _assert_no_secret(repr(config) + str(config) + config.explain(defaults=True))
            _assert_no_secret(repr(SessionStore(config)))


class TestSessionStore:
    """Options of Beaker that are given to a SessionStore."""

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("session.servers", "Leave the prefix off, as in servers"),
            ("beaker.session.store.touchAfter", "as in store.touchAfter"),
            ("session_servers", "as in servers"),
            ("SESSION.NAME", "as in NAME; or take the store"),
            ("timeout", "timeout=seconds"),
        ],
    )
    def test_settings_of_an_application(self, options: Any, name: str, words: str) -> None:
        """An option that would be ignored is an error that says how to give it to a store."""
        with pytest.raises(ConfigError, match=words) as caught:
            SessionStore(options | {name: "60"})
        assert name == caught.value.option

    def test_connection_string(self, mongo_url: str, database_name: str) -> None:
        """A store and locks take a connection string instead of options."""
        servers = mongo_url.partition("?")[0]
        store = SessionStore(f"{servers.rstrip('/')}/{database_name}")
        store.set("id", {"user": "ann"})
        assert {"user": "ann"} == store.get("id")
        with Locks(f"{servers.rstrip('/')}/{database_name}").lease("report") as lease:
            assert lease.extend()


class TestServer:
    """Servers that do not answer, or refuse a command."""

    @pytest.mark.parametrize(
        ("user", "more", "code", "words"),
        [
            ("writer", _WRONG_LOGIN, 18, ["Check credentials"]),
            (
                "writer",
                {"URLParam": {}},
                18,
                ["in the database bad_input", "set URLParam.authSource = admin"],
            ),
            (
                "writer",
                {"credentials": None, "URLParam": {}},
                13,
                ["No credentials are configured"],
            ),
            ("nobody", {}, 13, ["readWrite"]),
        ],
        ids=["wrong password", "another database", "no credentials", "no right"],
    )
    def test_refused_user(
        self, auth_server: MongoServer, user: str, more: Options, code: int, words: list[str]
    ) -> None:
        """A login or a command that is refused is an error that says what to check or to grant."""
        with pytest.raises(StoreRefused) as caught:
            Site(_auth_options(auth_server, user) | more).visitor("an-id").read()
        assert [] == [word for word in words if word not in str(caught.value)]
        assert code == caught.value.code
        _assert_no_secret(_text_of(caught.value))

    def test_closed_client(self, mongo_url: str, database_name: str) -> None:
        """With a client that its owner closed, the error has the driver's own sentence."""
        client: MongoClient[Any] = MongoClient(mongo_url)
        client.close()
        store = SessionStore({"client": client, "name": database_name})
        with pytest.raises(StoreUnavailable, match="Cannot use MongoClient after close") as caught:
            store.get("id")
        assert isinstance(caught.value.__cause__, InvalidOperation)

    def test_unknown_host(self) -> None:
        """With a host name that does not exist, the error has the driver's own sentence."""
        url = "mongodb://no-such-host.invalid/shop?serverSelectionTimeoutMS=500"
        with pytest.raises(
            StoreUnavailable, match=r"unreachable: no-such-host\.invalid:27017 \("
        ) as caught:
            SessionStore(url).get("id")
        assert "Nothing was sent." in str(caught.value)

    def test_no_right_to_make_an_index(
        self, auth_server: MongoServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Without the right to create the index, sessions work, and a warning says what to do."""
        visitor = Site(_auth_options(auth_server, "writer")).visitor()
        visitor.save(user="the-user-name")
        assert visitor.read() == {"user": "the-user-name"}
        wait_for_indexes()
        warnings = [
            record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
        ]
        assert len(warnings) == 1
        assert "expires_1" in warnings[0]
        assert "readWrite" in warnings[0]
        _assert_no_secret(caplog.text)

    def test_conflicting_index(
        self, options: Options, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """If another index conflicts, sessions work, and one warning says what to do."""
        database.sessions.create_index("expires", expireAfterSeconds=5)
        visitor = Site(options | {"timeout": 1800}).visitor()
        visitor.save(user="ann")
        assert visitor.read() == {"user": "ann"}
        wait_for_indexes()
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "dropIndex" in caplog.text
        assert database.sessions.index_information()["expires_1"]["expireAfterSeconds"] == 5


class TestValues:
    """Sessions that cannot be stored."""

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (lambda: 0, ["session['bad']['v']", "function", "store.pickle"]),
            (logging.getLogger(), ["session['bad']['v']", "RootLogger", "store.pickle"]),
            ("x" * (17 << 20), ["16 MB"]),
        ],
        ids=["lambda", "logger", "17 MB"],
    )
    def test_is_refused_and_the_old_session_is_kept(
        self,
        kind_options: Options,
        database: Db,
        value: object,
        words: list[str],
        *,
        stringify: bool,
    ) -> None:
        """A value that cannot be stored raises an error, and the stored session is kept."""
        visitor = Site(kind_options | {"stringify": stringify}).visitor()
        with pytest.raises(SerializationError):
            visitor.save(bad={"v": value})
        visitor.save(user="ann")
        before = database.sessions.find_one()
        with pytest.raises(SerializationError) as caught:
            visitor.save(bad={"v": value})
        assert [word for word in words if word not in str(caught.value)] == []
        assert database.sessions.find_one() == before
        assert visitor.read() == {"user": "ann"}

    @pytest.mark.parametrize(
        "value", [None, True, "now", Int64(5), float("nan"), 10**400], ids=repr
    )
    def test_access_time(self, kind_options: Options, value: object) -> None:
        """A session refuses an access time that is not a valid time."""
        visitor = Site(kind_options).visitor()
        visitor.save(user="ann")
        with pytest.raises(SerializationError, match="is reserved for Beaker's access time"):
            visitor.save(_accessed_time=value)
        assert visitor.read() == {"user": "ann"}

    def test_growth_beyond_the_limit(self, kind_options: Options) -> None:
        """A change that would make the document too large is refused; the old one is kept."""
        visitor = Site(kind_options).visitor()
        visitor.save(one="x" * (9 << 20))
        with pytest.raises(SerializationError, match="16 MB") as caught:
            visitor.save(two=_SECRETS[-1] * (1 << 20))
        _assert_no_secret(_text_of(caught.value))
        assert set(visitor.read()) == {"one"}

    def test_too_deep(self, kind_options: Options) -> None:
        """A value that nests deeper than MongoDB allows is refused; the old session is kept."""
        deep: list[Any] = []
        for _ in range(190):
            deep = [deep]
        visitor = Site(kind_options).visitor()
        visitor.save(user="ann")
        with pytest.raises(SerializationError, match="nest"):
            visitor.save(deep=deep)
        assert visitor.read() == {"user": "ann"}


_FUTURE = datetime.datetime(2100, 1, 1)


class TestDocuments:
    """Documents that cannot be read."""

    @pytest.mark.parametrize(
        "garbage",
        [
            {"session": None},
            {"session": 5},
            {"session": [1, 2]},
            {"session": b"\x80\x02"},
            {"session": ""},
            {"session": "hello"},
            {"session": "{not json"},
            {"session": "[1]"},
            {"session": "{" * 50_000},
            {"session": {"_accessed_time": "yesterday"}},
            {"session": {"user": {"__type__": "uuid", "value": "the-user-name"}}},
            {"session": {"user": {"__type__": "pickle", "value": b"the-user-name"}}},
            {"session": {"user": "ann"}, "expires": None},
            {"session": {"user": "ann"}, "expires": "the-user-name"},
            {},
        ],
        ids=lambda garbage: repr(garbage)[:50],
    )
    def test_raises_and_the_document_is_kept(
        self,
        kind_options: Options,
        database: Db,
        garbage: dict[str, Any],
        kind: type[Session],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """An invalid document raises an error that says what to do, and is kept."""
        database.sessions.insert_one({"_id": "garbage", "expires": _FUTURE, **garbage})
        before = database.sessions.find_one()
        with pytest.raises(SerializationError) as caught:
            Site(kind_options).visitor("garbage").read()
        assert caught.value.hint
        _assert_no_secret(_text_of(caught.value))
        visitor = Site(kind_options | {"invalidate_corrupt": True}).visitor("garbage")
        if kind is Session:
            with pytest.warns(RuntimeWarning, match="Invalidating corrupt session"):
                visitor.save(user="new")
        else:
            visitor.save(user="new")
            assert "A session cannot be read" in caplog.text
        assert visitor.cookie != "garbage"
        assert database.sessions.find_one({"_id": "garbage"}) == before

    def test_dates_beyond_python_are_read(self, kind_options: Options, database: Db) -> None:
        """A session with an expiry date after the year 9999, from JavaScript, can be read."""
        database.command(
            "insert",
            "sessions",
            documents=[
                {
                    "_id": "far",
                    "session": {"user": "ann"},
                    "expires": DatetimeMS(8_640_000_000_000_000),
                }
            ],
        )
        assert Site(kind_options).visitor("far").read() == {"user": "ann"}


@pytest.fixture
def unused_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
