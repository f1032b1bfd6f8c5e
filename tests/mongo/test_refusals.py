"""Refusals by the server: an error of their own, at once, and never taken for an outage."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from pymongo.errors import (
    AutoReconnect,
    NetworkTimeout,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from beaker_mongo_soajs import (
    MongoSession,
    SerializationError,
    SessionStore,
    StoreError,
    StoreRefused,
    StoreUnavailable,
)
from beaker_mongo_soajs.exceptions import BeakerMongoError
from beaker_mongo_soajs.mongo.errors import translated
from beaker_mongo_soajs.testing.process import free_port
from tests.conftest import Client, Db, FailPoint, Options
from tests.recorder import Commands

ANONYMOUS: Options = {"store.onUnavailable": "anonymous", "store.createIndexes": False}


@dataclass(frozen=True)
class Refusal:
    """A way to make a server refuse documents.

    :param prepare: prepares the database.
    :param code: the server's error code.
    :param text: a part of the error message.
    """

    prepare: Callable[[Db], object]
    code: int
    text: str


REFUSALS = {
    "validation": Refusal(
        lambda db: db.create_collection("sessions", validator={"owner": {"$exists": True}}),
        121,
        "validator",
    ),
    "view": Refusal(
        lambda db: db.command("create", "sessions", viewOn="others", pipeline=[]), 166, "is a view"
    ),
    "capped": Refusal(
        lambda db: db.create_collection("sessions", validator={"never": 1}, capped=True, size=4096),
        121,
        "validator",
    ),
    "unique index": Refusal(
        lambda db: (
            db.sessions.create_index("sid", unique=True),
            db.sessions.insert_one({"_id": 1}),
        ),
        11000,
        "sid_1",
    ),
}


@pytest.fixture(params=REFUSALS.values(), ids=list(REFUSALS))
def refusal(request: pytest.FixtureRequest, database: Db) -> Refusal:
    """Make the server refuse documents in one of several ways."""
    refusal: Refusal = request.param
    refusal.prepare(database)
    return refusal


class TestRefusals:
    """Refusals in saves and loads."""

    def test_login(self, options: Options, commands: Commands, refusal: Refusal) -> None:
        """A refused login is an error after one command, and not an anonymous session."""
        session = MongoSession({}, **options, **ANONYMOUS)
        session["user"] = "ann-the-user"
        with pytest.raises(StoreRefused, match=refusal.text) as caught:
            session.save()
        error = caught.value
        assert (refusal.code, ["insert"]) == (error.code, commands.names)
        assert f"{options['name']}.sessions" in str(error)
        assert "ann-the-user" not in f"{error!r}{error}{error.__cause__}"
        assert session.available
        assert isinstance(error, StoreError)
        assert not isinstance(error, StoreUnavailable)

    def test_store(self, options: Options, commands: Commands, refusal: Refusal) -> None:
        """A SessionStore raises the same, after one command as well."""
        with pytest.raises(StoreRefused, match=refusal.text):
            SessionStore(options | {"store.createIndexes": False}).set("id", {"n": 1})
        assert ["update"] == commands.names

    def test_case_of_the_database(
        self, options: Options, commands: Commands, mongo_client: Client, database: Db
    ) -> None:
        """A name of a database that differs in case from one that exists is refused."""
        database.sessions.insert_one({"_id": 1})
        name = options["name"].upper()
        commands.databases.add(name)
        with pytest.raises(StoreRefused, match="spelling of the database") as caught:
            MongoSession({}, **options | ANONYMOUS | {"name": name}).save()
        assert (13297, ["insert"]) == (caught.value.code, commands.names)
        assert name not in mongo_client.list_database_names()

    def test_not_authorized(
        self, options: Options, commands: Commands, fail_point: FailPoint
    ) -> None:
        """A user without rights is refused, in loads and in saves."""
        cookie = {"cookie": "beaker.session.id=abc"}
        with fail_point("find", "findAndModify", "insert", error_code=13):
            with pytest.raises(StoreRefused, match="readWrite"):
                MongoSession(cookie, **options, **ANONYMOUS).load()
            with pytest.raises(StoreRefused, match="readWrite"):
                MongoSession({}, **options, **ANONYMOUS).save()
        assert "insert" == commands.names[-1]
        assert 2 == len(commands.names)

    def test_too_large(self, options: Options, commands: Commands) -> None:
        """A session that is too large is an error of its own, and sends nothing."""
        session = MongoSession({}, **options, **ANONYMOUS)
        session["large"] = "x" * (17 << 20)
        with pytest.raises(SerializationError, match="16 MB"):
            session.save()
        assert [] == commands.names


class TestWhatWasDone:
    """The hint of an error."""

    @pytest.mark.parametrize(
        ("error", "reads", "says"),
        [
            (ServerSelectionTimeoutError("db1:27017: timed out"), False, "Nothing was sent."),
            (WaitQueueTimeoutError("no connection"), False, "Nothing was sent."),
            (NetworkTimeout("db1:27017: timed out"), True, "Nothing was changed."),
            (NetworkTimeout("db1:27017: timed out"), False, "may or may not"),
            (AutoReconnect("connection closed"), False, "may or may not"),
            (WriteConcernError("", 64, {"codeName": "WriteConcernFailed"}), False, "The primary"),
        ],
        ids=range(6),
    )
    def test_hint(self, error: Exception, reads: bool, says: str) -> None:
        """An error says whether the command may have been carried out."""
        ours = translated(error, "shop.sessions", reads=reads)
        assert isinstance(ours, StoreUnavailable)
        assert says in str(ours.hint)

    def test_no_server(self, options: Options) -> None:
        """Without a server, the error names the address and says that nothing was sent."""
        del options
        port = free_port()
        params = {"URLParam.serverSelectionTimeoutMS": 100}
        store = SessionStore({"servers": f"127.0.0.1:{port}", "name": "shop", **params})
        with pytest.raises(StoreUnavailable, match="MongoDB is unreachable") as caught:
            store.set("id", {})
        assert f"127.0.0.1:{port}" in str(caught.value)
        assert "Nothing was sent." in str(caught.value)
        assert "configured timeouts" not in str(caught.value)


class TestCollation:
    """A collection that compares texts without regard to case."""

    @pytest.fixture(autouse=True)
    def _collection(self, database: Db) -> None:
        database.create_collection("sessions", collation={"locale": "en", "strength": 2})

    def test_ids(self, options: Options) -> None:
        """Ids that differ in case are two ids, in each method."""
        store = SessionStore(options | {"store.createIndexes": False})
        store.set("Abc", {"user": "Ann"})
        assert None is store.get("aBC")
        assert not store.touch("aBC")
        assert 0 == store.destroy("aBC")
        assert {"user": "Ann"} == store.get("Abc")
        assert 1 == store.destroy("Abc")

    def test_users(self, options: Options, database: Db) -> None:
        """Users whose names differ in case are two users, with an index or without."""
        for indexes in (False, True):
            database.sessions.delete_many({})
            store = SessionStore(
                options | {"store.createIndexes": indexes, "store.indexes": "session.user"}
            )
            store.set("one", {"user": "Ann"})
            store.set("two", {"user": "ann"})
            assert ["one"] == [session_id for session_id, _ in store.find(user="Ann")]
            assert 1 == store.destroy_where(user="ann")
            assert 1 == store.length()


def test_errors_share_a_base() -> None:
    """An application can catch both kinds of database error together, and each alone."""
    assert issubclass(StoreRefused, StoreError)
    assert issubclass(StoreUnavailable, StoreError)
    assert issubclass(StoreError, BeakerMongoError)
    assert not issubclass(StoreRefused, StoreUnavailable)
