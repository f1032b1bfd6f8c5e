"""Sessions shared with Node, or with applications that have other options or serializers."""

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from beaker.session import Session

from beaker_mongo_soajs import DbConfig, Locks, MongoSession, SerializationError, SessionStore
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.sessions.lazy_session import LazySession
from beaker_mongo_soajs.testing import ReplicaSet
from tests.application import KEYS, only_document
from tests.conftest import Client, Db, Options
from tests.recorder import Commands

_ID = "a session id"
_NODES_COOKIE = {"originalMaxAge": 60_000, "secure": True}


def open_session(kind: type[Session], options: Options, **more: Any) -> Any:
    """Load the session of a test, as a request does."""
    given = {"type": "ext:mongodb_soajs", "use_cookies": False, **options, **more}
    return kind({}, id=_ID, **given)


def begin(options: Options, **more: Any) -> Any:
    """Create the session of a test; Beaker's own Session accepts any id."""
    session = open_session(Session, options, **more)
    assert session.is_new
    session.save()
    return session


def visit(kind: type[Session], options: Options, **more: Any) -> Any:
    """Load the session in a request that only reads, and return it."""
    session = open_session(kind, options, use_cookies=True, key="sid", **more)
    session.save(accessed_only=True)
    return session


class User:
    """A class that ``store.pickle`` stores as a pickle."""

    def __init__(self, name: str, roles: set[str]) -> None:
        self.name = name
        self.roles = roles


class PicklesOnce:
    """A class whose objects can be pickled once, and not again."""

    def __init__(self) -> None:
        self.was_loaded = False

    def __getstate__(self) -> dict[str, bool]:
        if self.was_loaded:
            raise KeyError("state")
        return {}

    def __setstate__(self, _: object) -> None:
        self.was_loaded = True


class TestExpressCookie:
    """The cookie that express-session needs in each session."""

    @pytest.mark.parametrize("key", ["a", "a.b", "$a", ""])
    def test_a_change_adds_it(
        self, options: Options, database: Db, kind: type[Session], key: str
    ) -> None:
        """A change adds the cookie to a session from before the option was set."""
        begin(options)
        session = open_session(kind, options, store={"expressCookie": True})
        session[key] = 1
        session.save()
        assert "originalMaxAge" in only_document(database)["session"]["cookie"]
        assert 1 == open_session(kind, options, store={"expressCookie": True})[key]

    def test_a_read_adds_it(
        self, options: Options, database: Db, kind: type[Session], commands: Commands
    ) -> None:
        """A request that only reads also adds the cookie, in the command that updates the times."""
        SessionStore(options).set(_ID, {"user": "ann"})
        commands.clear()
        request = {"cookie": f"sid={_ID.replace(' ', '%20')}"}
        site = {"type": "ext:mongodb_soajs", "key": "sid", "store": {"expressCookie": True}}
        session = kind(request, id=_ID, **options, **site)
        session.save(accessed_only=True)
        assert "originalMaxAge" in only_document(database)["session"]["cookie"]
        assert ["find", "update"] == commands.names

    @pytest.mark.parametrize("change", [{}, {"n": 1}, {"a.b": 1}], ids=["touch", "plain", "odd"])
    def test_nodes_cookie_is_kept(
        self, options: Options, database: Db, kind: type[Session], change: dict[str, Any]
    ) -> None:
        """A save does not overwrite the cookie that express-session wrote since the load."""
        begin(options)
        session = open_session(kind, options, store={"expressCookie": True})
        database.sessions.update_one({"_id": _ID}, {"$set": {"session.cookie": _NODES_COOKIE}})
        session.update(change)
        session.save(accessed_only=not change)
        assert _NODES_COOKIE == only_document(database)["session"]["cookie"]


class TestSerializers:
    """A difference that only a serializer makes is not a change by the request."""

    def test_json_keeps_unchanged_tuples(
        self, options: Options, kind: type[Session], *, stringify: bool
    ) -> None:
        """A JSON application that does not change a tuple keeps the newer tuple of another one."""
        options = options | {"stringify": stringify}
        SessionStore(options).set(_ID, {"roles": ("admin",), "n": 1})
        slow = open_session(kind, options, data_serializer="json")
        SessionStore(options).set(_ID, {"roles": ("admin", "dev"), "n": 1})
        slow.save(accessed_only=True)
        slow["n"] = 2
        slow.save()
        assert ("admin", "dev") == open_session(kind, options)["roles"]
        assert 2 == open_session(kind, options)["n"]

    @pytest.mark.parametrize("container", [list, tuple])
    def test_json_stores_changed_tuples_as_lists(
        self, options: Options, kind: type[Session], container: type[Any]
    ) -> None:
        """A JSON application that changes a tuple stores its list."""
        SessionStore(options).set(_ID, {"roles": ("admin",)})
        session = open_session(kind, options, data_serializer="json")
        session["new"] = container("ab")
        session.save()
        session = open_session(kind, options, data_serializer="json")
        session["roles"] = container([*session["roles"], "dev"])
        session.save()
        again = open_session(kind, options)
        assert (["admin", "dev"], ["a", "b"]) == (again["roles"], again["new"])

    def test_a_save_without_changes(self, options: Options, database: Db) -> None:
        """A save without changes marks the document with the serializer of MongoSession."""
        begin(options)
        for serializer in ("json", "pickle"):
            open_session(MongoSession, options, data_serializer=serializer).save()
            assert serializer == only_document(database)["dataSerializer"]

    def test_pickled_sets_are_no_change(self, options: Options, kind: type[Session]) -> None:
        """A request that only reads does not restore an old object because it contains a set."""
        options = options | {"store": {"pickle": True}}
        lost = 0
        begin(options)
        for number in range(60):
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

    def test_key_error_of_an_object(self, options: Options, kind: type[Session]) -> None:
        """If an object raises KeyError when it is saved, the error names it; nothing is lost."""
        options = options | {"store": {"pickle": True}, "invalidate_corrupt": False}
        SessionStore(options).set(_ID, {"object": PicklesOnce(), "user": "ann"})
        session = open_session(kind, options)
        assert "ann" == session["user"]
        session["user"] = "bob"
        with pytest.raises(SerializationError, match=r"session\['object'\]"):
            session.save()
        found = SessionStore(options).get(_ID)
        assert found is not None
        assert "ann" == found["user"]

    def test_set_replaces_a_json_session(self, options: Options, database: Db) -> None:
        """SessionStore.set also replaces the serializer that the document names."""
        begin(options, data_serializer="json")
        assert "json" == only_document(database)["dataSerializer"]
        SessionStore(options).set(_ID, {"roles": ("admin",)})
        assert "dataSerializer" not in only_document(database)
        assert ("admin",) == open_session(Session, options)["roles"]


class TestOtherForms:
    """A session whose storage form changes while a request uses it."""

    @pytest.mark.parametrize(
        "loaded", [{"stringify": True}, KEYS, {}], ids=["text", "encrypted", ""]
    )
    def test_a_save_fails_at_once(
        self, options: Options, database: Db, kind: type[Session], loaded: Options
    ) -> None:
        """A save after the storage form changed raises an error at once and changes nothing."""
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

    def test_ciphertext_does_not_replace_a_plain_session(
        self, options: Options, database: Db
    ) -> None:
        """Ciphertext never replaces a plain session that was saved first under the same new id."""
        session = open_session(Session, options, **KEYS)
        SessionStore(options).set(_ID, {"y": 1})
        stored = only_document(database)
        session["x"] = 2
        with pytest.raises(SerializationError, match="no longer"):
            session.save()
        assert stored == only_document(database)


class TestTimes:
    """Expiry dates that other applications wrote."""

    @pytest.mark.parametrize("timeout", [7200, None])
    def test_touch_after_extends_an_earlier_end(
        self, options: Options, database: Db, kind: type[Session], timeout: int | None
    ) -> None:
        """A session in use stays alive, even if another application set an earlier end."""
        more = {"timeout": timeout, "store": {"touchAfter": 3600}}
        begin(options, **more)
        soon = utc_now() + datetime.timedelta(seconds=60)
        database.sessions.update_one({"_id": _ID}, {"$set": {"expires": soon}})
        visit(kind, options, **more)
        assert only_document(database)["expires"] > soon + datetime.timedelta(seconds=3600)

    def test_touch_after_saves_the_write(
        self, options: Options, commands: Commands, kind: type[Session]
    ) -> None:
        """Within touchAfter, a session with the usual end is only read."""
        more = {"timeout": 7200, "store": {"touchAfter": 3600}}
        begin(options, **more)
        commands.clear()
        visit(kind, options, **more)
        assert ["find"] == commands.names

    @pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 2.0**60])
    def test_invalid_time_is_kept(
        self, options: Options, database: Db, kind: type[Session], wrong: float
    ) -> None:
        """A number that is not a valid time raises an error, and the document is kept."""
        document = {
            "_id": _ID,
            "session": {"user": "ann", "_accessed_time": wrong},
            "expires": utc_now().replace(microsecond=0) + datetime.timedelta(hours=1),
        }
        database.sessions.insert_one(document)
        with pytest.raises(SerializationError, match="not a time"):
            visit(kind, options, invalidate_corrupt=False)
        assert str(document) == str(only_document(database))

    def test_reads_sweep(self, options: Options, database: Db, kind: type[Session]) -> None:
        """With autoRemove interval, an application that only reads removes expired sessions."""
        options = options | {"store": {"autoRemove": "interval"}}
        begin(options)
        expired = {"_id": "expired", "session": {}, "expires": datetime.datetime(2020, 1, 1)}
        database.sessions.insert_one(expired)
        # A different timeout makes another store, which has not swept yet.
        visit(kind, options, timeout=600)
        deadline = time.monotonic() + 10
        while database.sessions.count_documents({"_id": "expired"}):
            assert time.monotonic() < deadline


class TestSecondaries:
    """Reads from members of a replica set that lag behind."""

    @pytest.fixture(scope="class")
    @classmethod
    def replica_set(cls) -> Iterator[ReplicaSet]:
        """Start a primary and a secondary."""
        with ReplicaSet(2, for_tests=True) as members:
            yield members

    def test_new_session_is_found(self, replica_set: ReplicaSet, kind: type[Session]) -> None:
        """A session that a secondary does not have yet is loaded from the primary, and saved."""
        name = f"behind_{kind.__name__}"
        options = self._options(replica_set, name)
        # Make the collection before replication stops.
        store = SessionStore({key: options[key] for key in ("url", "name")})
        store.set("another", {})
        with self._secondary_behind(replica_set):
            session = begin(options)
            session["user"] = "ann"
            session.save()
            session = open_session(kind, options)
            assert "ann" == session["user"]
            session["n"] = 1
            session.save()
        found = store.get(_ID)
        assert found is not None
        assert ("ann", 1) == (found["user"], found["n"])

    @pytest.mark.parametrize(
        ("form", "key"), [({}, "b.c"), ({"stringify": True}, "b")], ids=["native", "text"]
    )
    def test_a_conflict_is_read_from_the_primary(
        self, replica_set: ReplicaSet, kind: type[Session], form: Options, key: str
    ) -> None:
        """Two requests that loaded the same from a secondary both save what they changed."""
        name = f"conflict_{kind.__name__}_{len(form)}"
        options = self._options(replica_set, name) | form
        begin(options | {"URLParam": {"w": 2}})
        with self._secondary_behind(replica_set):
            mine, theirs = open_session(kind, options), open_session(kind, options)
            theirs["a"] = 1
            theirs.save()
            mine[key] = 2
            mine.save()
        found = SessionStore({"url": replica_set.url, "name": name}).get(_ID)
        assert found is not None
        assert (1, 2) == (found.get("a"), found.get(key))

    def test_a_secondary_that_is_behind(self, replica_set: ReplicaSet) -> None:
        """What a secondary does not show yet is read from the primary, whatever it is.

        One test, because a secondary that was stopped takes seconds to come back.
        """
        # Without a TTL index, which would remove the sign that a session has another id.
        options = self._options(replica_set, "late") | {"store": {"createIndexes": False}}
        del options["timeout"]
        store = SessionStore(options)
        self._begin_sessions(SessionStore(options | {"URLParam": {"w": 2}}), replica_set.url)
        with self._secondary_behind(replica_set):
            self._check_lazy_sessions(store)
            self._check_an_id_in_use_again(options)
            self._check_a_new_id(store)
            self._check_a_change_of_id_that_was_undone(store, options)
            self._check_a_lock(store.config)
        primary = SessionStore(options | {"URLParam": {}})
        assert {"n": 1, "a": 1, "b.c": 2} == LazySession(primary, ["lazy"]).copy()
        again = primary.get(_ID) or {}
        assert (1, 2) == (again.get("a"), again.get("b"))
        assert {"n": 1, "mine": 2} == primary.get("new id")

    def _begin_sessions(self, store: SessionStore, url: str) -> None:
        """Store what both members have."""
        for session_id in ("lazy", "moved", "undone", _ID):
            store.set(session_id, {"n": 1})
        move = {"to": "other id", "round": 1, "until": utc_now() + datetime.timedelta(days=1)}
        tombstone = {"moved_to": "other id", "move": move, "expires": None}
        expired = {"expires": datetime.datetime(2020, 1, 1)}
        with Client(url, w=2) as client:
            for session_id, fields in (("undone", tombstone), (_ID, expired)):
                client.late.sessions.update_one({"_id": session_id}, {"$set": fields})

    def _check_lazy_sessions(self, store: SessionStore) -> None:
        """Two requests to a session of Flask both save what they changed."""
        mine, theirs = (LazySession(store, ["lazy"]) for _ in range(2))
        mine.load_if_needed()["b.c"] = 2
        theirs.load_if_needed()["a"] = 1
        theirs.save()
        mine.save()

    def _check_an_id_in_use_again(self, options: Options) -> None:
        """First saves under an id whose old session has expired are merged."""
        mine, theirs = (open_session(Session, options) for _ in range(2))
        theirs["a"] = 1
        theirs.save()
        mine["b"] = 2
        mine.save()

    def _check_a_new_id(self, store: SessionStore) -> None:
        """A request whose session got a new id meanwhile saves under that."""
        mine, theirs = (store.record() for _ in range(2))
        assert [True, True] == [record.load("moved") for record in (mine, theirs)]
        theirs.save("new id", {"n": 1})
        mine.save("moved", {"n": 1, "mine": 2})

    def _check_a_change_of_id_that_was_undone(self, store: SessionStore, options: Options) -> None:
        """A session is found though the secondary still shows a change of its id."""
        assert {"n": 1} == SessionStore(options | {"URLParam": {"w": 1}}).get("undone")
        assert {"n": 1} == store.get("undone")

    def _check_a_lock(self, config: DbConfig) -> None:
        """A caller that waits for a lock sees who holds it now."""
        with Locks(config).lease("name") as held:
            waiting = Locks(config).lease("name")
            assert not waiting.acquire(wait=False)
            assert held.owner == waiting.owner_and_end[0]

    def _options(self, replica_set: ReplicaSet, name: str) -> Options:
        return {
            "url": replica_set.url,
            "name": name,
            "URLParam": {"w": 1, "readPreference": "secondary"},
            "store": {"touchAfter": 60},
            "timeout": 600,
        }

    @contextmanager
    def _secondary_behind(self, replica_set: ReplicaSet) -> Iterator[None]:
        """Stop the replication to the secondary."""
        (secondary,) = [one for one in replica_set.members if one is not replica_set.primary]
        with Client(secondary.url) as client:
            client.admin.command({"configureFailPoint": "stopReplProducer", "mode": "alwaysOn"})
            try:
                yield
            finally:
                client.admin.command({"configureFailPoint": "stopReplProducer", "mode": "off"})

    def test_only_a_miss_is_repeated(self, options: Options, commands: Commands) -> None:
        """Only a read that finds nothing on a secondary is repeated on the primary."""
        store = SessionStore(options | {"URLParam": {"readPreference": "nearest"}})
        store.set(_ID, {"n": 1})
        commands.clear()
        assert {"n": 1} == store.get(_ID)
        assert ["find"] == commands.names
        assert store.get("nobody's") is None
        assert ["find"] * 3 == commands.names
