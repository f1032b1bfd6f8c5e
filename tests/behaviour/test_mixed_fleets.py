"""Sessions in which others have a hand: other options, serializers, servers, and Node."""

import datetime
import time
from collections.abc import Iterator
from typing import Any

import pytest
from beaker.session import Session
from pymongo import MongoClient
from pymongo.database import Database

from beaker_mongo_soajs import MongoSession, SerializationError, SessionStore
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.testing import ReplicaSet
from tests.application import only_document
from tests.recorder import Commands

Options = dict[str, Any]
Db = Database[dict[str, Any]]

_ID = "a session id"
_NODES_COOKIE = {"originalMaxAge": 60_000, "secure": True}
_KEYS = {"encrypt_key": "a key", "validate_key": "another", "crypto_type": "cryptography"}


@pytest.fixture(params=[Session, MongoSession], ids=["type alone", "MongoSession"])
def kind(request: pytest.FixtureRequest) -> type[Session]:
    """Return Beaker's own Session, and MongoSession."""
    session_class: type[Session] = request.param
    return session_class


def open_session(kind: type[Session], options: Options, **more: Any) -> Any:
    """Return the one session of a test, as a request that has loaded it."""
    given = {"type": "ext:mongodb_soajs", "use_cookies": False, **options, **more}
    return kind({}, id=_ID, **given)


def begin(options: Options, **more: Any) -> Any:
    """Return the session as a new one: Beaker's own Session takes any id."""
    session = open_session(Session, options, **more)
    assert session.is_new
    session.save()
    return session


def visit(kind: type[Session], options: Options, **more: Any) -> Any:
    """Make a request with the session's cookie that only reads, and return the session."""
    session = open_session(kind, options, use_cookies=True, key="sid", **more)
    session.save(accessed_only=True)
    return session


class User:
    """What ``store.pickle`` keeps as a pickle."""

    def __init__(self, name: str, roles: set[str]) -> None:
        self.name = name
        self.roles = roles


class Moody:
    """What can be pickled once, and not again."""

    def __init__(self) -> None:
        self.was_loaded = False

    def __getstate__(self) -> dict[str, bool]:
        if self.was_loaded:
            raise KeyError("state")
        return {}

    def __setstate__(self, _: object) -> None:
        self.was_loaded = True


class TestExpressCookie:
    """The cookie that express-session wants to find in each session."""

    @pytest.mark.parametrize("key", ["a", "a.b", "$a", ""])
    def test_it_comes_with_the_next_change(
        self, options: Options, database: Db, kind: type[Session], key: str
    ) -> None:
        """A session from before the option was set gets the cookie, whatever the changed key."""
        begin(options)
        session = open_session(kind, options, store={"expressCookie": True})
        session[key] = 1
        session.save()
        assert "originalMaxAge" in only_document(database)["session"]["cookie"]
        assert 1 == open_session(kind, options, store={"expressCookie": True})[key]

    def test_it_comes_with_a_read(
        self, options: Options, database: Db, kind: type[Session], commands: Commands
    ) -> None:
        """A request that only reads brings the cookie as well, in the command that touches."""
        SessionStore(options).set(_ID, {"user": "ann"})
        commands.clear()
        request = {"cookie": f"sid={_ID.replace(' ', '%20')}"}
        site = {"type": "ext:mongodb_soajs", "key": "sid", "store": {"expressCookie": True}}
        session = kind(request, id=_ID, **options, **site)
        session.save(accessed_only=True)
        assert "originalMaxAge" in only_document(database)["session"]["cookie"]
        names = [name for name in commands.names if name != "createIndexes"]
        assert (["findAndModify"] if kind is MongoSession else ["find", "update"]) == names

    @pytest.mark.parametrize("change", [{}, {"n": 1}, {"a.b": 1}], ids=["touch", "plain", "odd"])
    def test_that_of_node_stays(
        self, options: Options, database: Db, kind: type[Session], change: dict[str, Any]
    ) -> None:
        """The cookie that express-session wrote between load and save is not overwritten."""
        begin(options)
        session = open_session(kind, options, store={"expressCookie": True})
        database.sessions.update_one({"_id": _ID}, {"$set": {"session.cookie": _NODES_COOKIE}})
        session.update(change)
        session.save(accessed_only=not change)
        assert _NODES_COOKIE == only_document(database)["session"]["cookie"]


class TestSerializers:
    """What an application's serializer does to a session is no change of a request's."""

    def test_json_makes_lists_of_tuples(
        self, options: Options, kind: type[Session], *, stringify: bool
    ) -> None:
        """A JSON application that only reads does not put an old tuple over a newer one."""
        options = options | {"stringify": stringify}
        SessionStore(options).set(_ID, {"roles": ("admin",), "n": 1})
        slow = open_session(kind, options, data_serializer="json")
        SessionStore(options).set(_ID, {"roles": ("admin", "dev"), "n": 1})
        slow.save(accessed_only=True)
        slow["n"] = 2
        slow.save()
        assert ("admin", "dev") == open_session(kind, options)["roles"]
        assert 2 == open_session(kind, options)["n"]

    def test_json_itself_changes_tuples(self, options: Options, kind: type[Session]) -> None:
        """A JSON application that changes what was a tuple stores the list that it has."""
        SessionStore(options).set(_ID, {"roles": ("admin",)})
        session = open_session(kind, options, data_serializer="json")
        session["roles"] = [*session["roles"], "dev"]
        session.save()
        assert ["admin", "dev"] == open_session(kind, options)["roles"]

    def test_pickles_change_the_order_of_sets(self, options: Options, kind: type[Session]) -> None:
        """A request that only reads does not put an old object back because of a set in it."""
        options = options | {"store": {"pickle": True}}
        lost = 0
        begin(options)
        for number in range(150):
            roles = {f"role {number} {index}" for index in range(4 + number % 9)}
            session = open_session(kind, options)
            session["user"] = User("ann", roles)
            session.save()
            slow = open_session(kind, options)
            session = open_session(kind, options)
            session["user"] = User("bob", roles)
            session.save()
            slow.save(accessed_only=True)
            lost += open_session(kind, options)["user"].name != "bob"
        assert 0 == lost

    def test_key_error_of_an_object(self, options: Options) -> None:
        """An object that fails with KeyError is an unreadable session, and not an absent one."""
        options = options | {"store": {"pickle": True}, "invalidate_corrupt": False}
        SessionStore(options).set(_ID, {"moody": Moody(), "user": "ann"})
        with pytest.raises(SerializationError, match="KeyError"):
            open_session(Session, options)
        found = SessionStore(options).get(_ID)
        assert found is not None
        assert "ann" == found["user"]

    def test_whole_session_in_place_of_one_of_json(self, options: Options, database: Db) -> None:
        """SessionStore.set replaces what the document says of the serializer, too."""
        begin(options, data_serializer="json")
        assert "json" == only_document(database)["dataSerializer"]
        SessionStore(options).set(_ID, {"roles": ("admin",)})
        assert "dataSerializer" not in only_document(database)
        assert ("admin",) == open_session(Session, options)["roles"]


class TestOtherForms:
    """A session that changes its form while a request has it."""

    @pytest.mark.parametrize("loaded", [{"stringify": True}, _KEYS, {}], ids=["text", "sealed", ""])
    def test_is_said_at_once(
        self, options: Options, database: Db, kind: type[Session], loaded: Options
    ) -> None:
        """The save of what was loaded in another form is one error, and nothing is changed."""
        begin(options, **loaded)
        session = open_session(kind, options, **loaded)
        other = {"stringify": not loaded}
        SessionStore(options | other).set(_ID, {"y": 1})
        stored = only_document(database)
        start = time.monotonic()
        session["x"] = 2
        with pytest.raises(SerializationError, match="no longer"):
            session.save()
        assert time.monotonic() - start < 5
        assert stored == only_document(database)

    def test_plain_session_under_a_new_sealed_one(self, options: Options, database: Db) -> None:
        """Ciphertext never takes the place of a plain session under the same new id."""
        session = open_session(Session, options, **_KEYS)
        SessionStore(options).set(_ID, {"y": 1})
        stored = only_document(database)
        session["x"] = 2
        with pytest.raises(SerializationError, match="no longer"):
            session.save()
        assert stored == only_document(database)


class TestTimes:
    """Ends of sessions that others have set."""

    @pytest.mark.parametrize("timeout", [7200, None])
    def test_touch_after_sees_a_nearer_end(
        self, options: Options, database: Db, kind: type[Session], timeout: int | None
    ) -> None:
        """A session in use lives on, also when another application let it end earlier."""
        more = {"timeout": timeout, "store": {"touchAfter": 3600}}
        begin(options, **more)
        soon = utc_now() + datetime.timedelta(seconds=60)
        database.sessions.update_one({"_id": _ID}, {"$set": {"expires": soon}})
        visit(kind, options, **more)
        assert only_document(database)["expires"] > soon + datetime.timedelta(seconds=3600)

    def test_touch_after_still_spares_the_write(
        self, options: Options, commands: Commands, kind: type[Session]
    ) -> None:
        """Within touchAfter, the session of an application with the same options is only read."""
        more = {"timeout": 7200, "store": {"touchAfter": 3600}}
        begin(options, **more)
        commands.clear()
        visit(kind, options, **more)
        assert ["find"] == commands.names

    @pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 2.0**60])
    def test_time_that_is_none_is_kept(
        self, options: Options, database: Db, kind: type[Session], wrong: float
    ) -> None:
        """A number that is no time is an error, and the document stays as it is."""
        document = {
            "_id": _ID,
            "session": {"user": "ann", "_accessed_time": wrong},
            "expires": utc_now().replace(microsecond=0) + datetime.timedelta(hours=1),
        }
        database.sessions.insert_one(document)
        with pytest.raises(SerializationError, match="no time"):
            visit(kind, options, invalidate_corrupt=False)
        assert str(document) == str(only_document(database))

    def test_sweeps_come_with_reads(
        self, options: Options, database: Db, kind: type[Session]
    ) -> None:
        """With autoRemove interval, an application that only reads removes what has expired."""
        options = options | {"store": {"autoRemove": "interval"}}
        begin(options)
        expired = {"_id": "expired", "session": {}, "expires": datetime.datetime(2020, 1, 1)}
        database.sessions.insert_one(expired)
        # Another lifetime is another store, which has not swept yet.
        visit(kind, options, timeout=600)
        deadline = time.monotonic() + 10
        while database.sessions.count_documents({"_id": "expired"}):
            assert time.monotonic() < deadline


class TestSecondaries:
    """Reads from members of a replica set that are behind."""

    @pytest.fixture(scope="class")
    @classmethod
    def replica_set(cls) -> Iterator[ReplicaSet]:
        """Start a primary and a secondary."""
        with ReplicaSet(2, for_tests=True) as members:
            yield members

    def test_new_session_is_found(self, replica_set: ReplicaSet, kind: type[Session]) -> None:
        """A session that the secondary does not have yet is loaded from the primary, and saved."""
        name = f"behind_{kind.__name__}"
        options: Options = {
            "url": replica_set.url,
            "name": name,
            "URLParam": {"w": 1, "readPreference": "secondary"},
            "store": {"touchAfter": 60},
            "timeout": 600,
        }
        (secondary,) = [one for one in replica_set.members if one is not replica_set.primary]
        with MongoClient[dict[str, Any]](secondary.url) as client:
            # The collection is made before replication stops.
            SessionStore({key: options[key] for key in ("url", "name")}).set("another", {})
            client.admin.command({"configureFailPoint": "stopReplProducer", "mode": "alwaysOn"})
            try:
                session = begin(options)
                session["user"] = "ann"
                session.save()
                session = open_session(kind, options)
                assert "ann" == session["user"]
                session["n"] = 1
                session.save()
            finally:
                client.admin.command({"configureFailPoint": "stopReplProducer", "mode": "off"})
        store = SessionStore({key: options[key] for key in ("url", "name")})
        found = store.get(_ID)
        assert found is not None
        assert ("ann", 1) == (found["user"], found["n"])

    def test_only_a_miss_is_asked_again(self, options: Options, commands: Commands) -> None:
        """A read that finds the session is one command, also from a secondary."""
        store = SessionStore(options | {"URLParam": {"readPreference": "nearest"}})
        store.set(_ID, {"n": 1})
        commands.clear()
        assert {"n": 1} == store.get(_ID)
        assert ["find"] == commands.names
        assert store.get("nobody's") is None
        assert ["find"] * 3 == commands.names
