"""SessionStore without Beaker: its operations and their commands."""

import datetime
import logging
from types import SimpleNamespace
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument

from beaker_mongo_soajs import ConfigError, SerializationError, SessionStore
from beaker_mongo_soajs.mongo import collection
from beaker_mongo_soajs.sessions.record import SessionRecord
from tests.conftest import Client, Db, Options
from tests.recorder import Commands
from tests.waiting import wait_for_indexes, wait_until

_PAST = datetime.datetime(2020, 1, 1)
_SESSION = {"user": "ann", "roles": ("admin", "dev")}


@pytest.fixture
def store(options: Options, *, stringify: bool) -> SessionStore:
    """Return a store for each storage form."""
    return SessionStore(options | {"stringify": stringify})


class TestById:
    """Operations on one session."""

    def test_scenario_of_the_reference(self, store: SessionStore) -> None:
        """The test scenario of connect-mongo-soajs passes."""
        store.clear()
        store.set("id", {"name": "antoine"})
        assert store.get("id") == {"name": "antoine"}
        store.set("id", {"name": "john"})
        assert store.get("id") == {"name": "john"}
        assert store.length() == 1
        assert store.destroy("id") == 1
        assert store.get("id") is None
        assert store.destroy("id") == 0

    def test_set_keeps_other_fields(self, store: SessionStore, database: Db) -> None:
        """set() replaces the session and its marks, and keeps all other fields."""
        store.set("id", _SESSION)
        database.sessions.update_one(
            {}, {"$set": {"lastModified": _PAST, "dataSerializer": "json"}}
        )
        store.set("id", {"n": 1})
        assert store.get("id") == {"n": 1}
        document = database.sessions.find_one()
        assert document is not None
        assert set(document) == {"_id", "session", "expires", "lastModified"}

    def test_expired_reads_as_absent(self, store: SessionStore, database: Db) -> None:
        """An expired session is absent, although its document still exists."""
        store.set("id", _SESSION)
        database.sessions.update_one({}, {"$set": {"expires": _PAST}})
        assert store.get("id") is None
        assert not store.touch("id")
        assert store.length() == 0
        assert list(store.ids()) == []
        assert list(store.all()) == []
        assert database.sessions.count_documents({}) == 1

    def test_new_session_replaces_an_expired_one(self, store: SessionStore, database: Db) -> None:
        """A new session under the id of an expired one contains nothing of the old one."""
        store.set("id", {"user": "ann"})
        database.sessions.update_one({}, {"$set": {"expires": _PAST}})
        _load(store).save("id", {"n": 1})
        assert store.get("id") == {"n": 1}

    def test_touch_moves_only_times(self, store: SessionStore, database: Db) -> None:
        """touch() moves the times forward and changes nothing else."""
        store.set("id", {**_SESSION, "_accessed_time": 5.0})
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
        database.sessions.update_one({}, {"$set": {"expires": soon}})
        assert store.touch("id")
        session = store.get("id")
        assert session is not None
        assert session["_accessed_time"] > 5.0
        assert session["user"] == "ann"
        document = database.sessions.find_one()
        assert document is not None
        assert document["expires"] > soon.replace(tzinfo=None)
        assert not store.touch("other")

    def test_documents_without_date_never_expire(self, store: SessionStore, database: Db) -> None:
        """A document without an expires field never expires, as in connect-mongo."""
        store.set("id", {"user": "ann"})
        database.sessions.update_one({}, {"$unset": {"expires": ""}})
        assert store.get("id") == {"user": "ann"}
        assert store.length() == 1
        assert list(store.ids()) == ["id"]

    def test_deleted_key_stays_deleted_beside_another_change(self, store: SessionStore) -> None:
        """A save deletes a key and keeps the changes of other requests."""
        store.set("id", {"a": 1, "b": 1, "c": 1})
        mine, theirs = _load(store), _load(store)
        theirs.save("id", {"a": 1, "b": 2, "c": 1})
        mine.save("id", {"b": 1, "c": 1, "d": 4})
        assert store.get("id") == {"b": 2, "c": 1, "d": 4} | _times(store)

    @pytest.mark.parametrize(
        "key", ["a.b", "", "$set", "a.$b", "\0", "__type__", "__key__", "0", 5, ("t",)]
    )
    def test_odd_keys_are_changed_one_by_one(self, options: Options, key: Any) -> None:
        """A key that an update path cannot contain is saved without losing others' changes."""
        store = SessionStore(options)
        store.set("id", {"plain": 0})
        for value in (1, [2]):
            mine, theirs = _load(store), _load(store)
            theirs.save("id", {**_plain(store), "plain": value})
            mine.save("id", {**_plain(store, mine), key: value})
            assert _plain(store) == {"plain": value, key: value}
        mine = _load(store)
        mine.save("id", {"plain": [2]})
        assert _plain(store) == {"plain": [2]}

    @pytest.mark.parametrize("key", ["a.b", "", "$set"])
    def test_odd_keys_of_other_applications_are_changed_in_place(
        self, options: Options, database: Db, key: str
    ) -> None:
        """Unusual keys of other applications can be changed and deleted."""
        database.sessions.insert_one({"_id": "id", "session": {key: 1, "plain": 1}})
        store = SessionStore(options)
        _load(store).save("id", {key: 2, "plain": 1})
        assert _plain(store) == {key: 2, "plain": 1}
        _load(store).save("id", {"plain": 1})
        assert _plain(store) == {"plain": 1}


def _load(store: SessionStore) -> SessionRecord:
    record = store.record()
    record.load("id")
    return record


def _plain(store: SessionStore, record: SessionRecord | None = None) -> dict[Any, Any]:
    session = record.session() if record is not None else store.get("id") or {}
    return {key: value for key, value in session.items() if key != "_accessed_time"}


def _times(store: SessionStore) -> dict[str, float]:
    session = store.get("id") or {}
    return {key: session[key] for key in session if key == "_accessed_time"}


class TestAll:
    """Operations on all sessions."""

    def test_counts_and_lists_live_sessions(self, store: SessionStore) -> None:
        """length(), ids() and all() include only live sessions."""
        store.set("a", {"n": 1})
        store.set("b", {"n": 2})
        assert store.length() == 2
        assert sorted(store.ids()) == ["a", "b"]
        assert sorted(session["n"] for session in store.all()) == [1, 2]

    def test_all_skips_unreadable_documents(
        self, store: SessionStore, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """all() skips garbage and ciphertext between others, with a warning without their data."""
        store.set("a", {"n": 1})
        database.sessions.insert_one({"_id": "garbage", "session": ["the-data"]})
        database.sessions.insert_one({"_id": 5, "session": {"n": 5}})
        invalid = bson.encode({"_id": "utf8", "session": {"n": "the-data"}})
        database.sessions.insert_one(RawBSONDocument(invalid.replace(b"data", b"\xff\xfe\xfd!")))
        store.set("z", {"n": 2})
        assert list(store.all()) == [{"n": 1}, {"n": 2}]
        assert {record.levelno for record in caplog.records} == {logging.WARNING}
        assert "the-data" not in caplog.text

    def test_ids_skip_invalid_documents(
        self, options: Options, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An id between others that is no valid text is skipped, with a warning."""
        store = SessionStore(options)
        store.set("a", {"n": 1})
        invalid = bson.encode({"_id": "m-data"}).replace(b"data", b"\xff\xfe\xfd!")
        database.sessions.insert_one(RawBSONDocument(invalid))
        store.set("z", {"n": 2})
        assert list(store.ids()) == ["a", "z"]
        assert "is not valid BSON, and is skipped" in caplog.text

    def test_clear_keeps_the_indexes(self, store: SessionStore, database: Db) -> None:
        """clear() deletes the documents and keeps the collection and its TTL index."""
        store.set("a", {"n": 1})
        assert store.clear() == 1
        assert store.length() == 0
        wait_for_indexes()
        assert "expires_1" in database.sessions.index_information()

    def test_delete_expired(self, store: SessionStore, database: Db) -> None:
        """delete_expired() deletes what has expired, and counts it."""
        for session_id in ("a", "b", "c"):
            store.set(session_id, {"n": 1})
        query = {"_id": {"$in": ["a", "b"]}}
        database.sessions.update_many(query, {"$set": {"expires": _PAST}})
        assert store.delete_expired() == 2
        assert database.sessions.distinct("_id") == ["c"]


class TestIndexes:
    """Indexes, and the removal of expired sessions."""

    def test_ttl_index_is_that_of_the_node_stores(self, options: Options, database: Db) -> None:
        """The TTL index has the default name and the options of the Node stores."""
        SessionStore(options).set("a", {})
        wait_for_indexes()
        index = database.sessions.index_information()["expires_1"]
        assert index == {"v": 2, "key": [("expires", 1)], "expireAfterSeconds": 0}

    @pytest.mark.usefixtures("ttl_monitor")
    def test_native_removal(self, options: Options, database: Db) -> None:
        """With autoRemove native, MongoDB removes an expired session."""
        store = SessionStore(options)
        store.set("a", {})
        database.sessions.update_one({}, {"$set": {"expires": _PAST}})
        wait_until(lambda: database.sessions.count_documents({}) == 0, seconds=90)

    def test_interval_removal(self, options: Options, database: Db, commands: Commands) -> None:
        """With autoRemove interval, requests remove expired sessions, and do not wait for that."""
        store = SessionStore(options | {"store": {"autoRemove": "interval"}})
        database.sessions.insert_one({"_id": "old", "session": {}, "expires": _PAST})
        store.set("a", {})
        assert commands.names == ["update", "delete"]
        assert commands.started[1].command["writeConcern"] == {"w": 0}
        wait_until(lambda: list(database.sessions.distinct("_id")) == ["a"])
        commands.clear()
        store.set("b", {})
        assert commands.names == ["update"]
        assert set(database.sessions.index_information()) == {"_id_"}

    def test_minutes_of_the_interval(
        self, options: Options, commands: Commands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Expired sessions are removed once in autoRemoveInterval, which is in minutes."""
        now = [1e9]
        monkeypatch.setattr(collection, "time", SimpleNamespace(monotonic=lambda: now[0]))
        store = SessionStore(
            options | {"store": {"autoRemove": "interval", "autoRemoveInterval": 2}}
        )
        removals = []
        for seconds in (0, 119, 1, 119, 1):
            now[0] += seconds
            commands.clear()
            store.set("a", {})
            removals.append(commands.names.count("delete"))
        assert [1, 0, 1, 0, 1] == removals

    def test_disabled_removal(self, options: Options, database: Db, commands: Commands) -> None:
        """With autoRemove disabled, no index is made and nothing is removed."""
        SessionStore(options | {"store": {"autoRemove": "disabled"}}).set("a", {})
        assert commands.names == ["update"]
        assert set(database.sessions.index_information()) == {"_id_"}

    def test_own_indexes(self, options: Options, database: Db, commands: Commands) -> None:
        """store.indexes are made beside the TTL index, in one command."""
        store = SessionStore(options | {"store": {"indexes": ["session.user"]}})
        store.set("a", {})
        store.set("b", {})
        assert commands.names == ["update", "update"]
        wait_for_indexes()
        sent = [event.command_name for event in commands.for_indexes]
        assert sent == ["listIndexes", "createIndexes"]
        assert "session.user_1" in database.sessions.index_information()


class TestConfiguration:
    """The configuration of a store."""

    @pytest.mark.parametrize("write_concern", [1, "majority"])
    def test_client_of_any_write_concern(
        self, mongo_url: str, database_name: str, write_concern: str | int
    ) -> None:
        """A client with any acknowledged write concern can be used."""
        with Client(mongo_url, w=write_concern) as client:
            self._check_client(SessionStore({"client": client, "name": database_name}))

    def _check_client(self, store: SessionStore) -> None:
        store.set("id", {"n": 1})
        wait_until(lambda: store.get("id") == {"n": 1})
        _load(store).save("id", {"n": 2})
        wait_until(lambda: (store.get("id") or {}).get("n") == 2)
        store.destroy("id")
        wait_until(lambda: store.get("id") is None)

    def test_lifetime_must_be_a_date(self, options: Options) -> None:
        """A timeout that is too long for a date is refused."""
        with pytest.raises(ConfigError, match="no date lies so far ahead"):
            SessionStore(options, timeout=1e12)

    def test_pickle_option(self, options: Options) -> None:
        """With store.pickle objects are stored; signed ones need the same key and session id."""
        value = {"logger": logging.getLogger("x"), "n": 1}
        store = SessionStore(options | {"store": {"pickle": True, "signingKey": "k" * 16}})
        store.set("id", value)
        assert store.get("id") == value
        with pytest.raises(SerializationError, match="pickles from the database"):
            SessionStore(options).get("id")
        with pytest.raises(SerializationError, match="signature"):
            SessionStore(
                options | {"store": {"pickle": True, "signingKey": "another signing key"}}
            ).get("id")
