"""SessionRecord, as integrations use it."""

import time
from datetime import timedelta
from typing import Any

import pytest

from beaker_mongo_soajs import MongoSession, SerializationError, SessionStore, StoreError
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.sessions.writer import SessionWriter
from tests.application import KEYS
from tests.conftest import Db, FailPoint, Options
from tests.mongo_session.support import REFUSED
from tests.recorder import Commands

SOON = utc_now().replace(microsecond=0) + timedelta(days=1)
PAST = SOON - timedelta(days=2)


@pytest.fixture
def store(options: Options, *, stringify: bool) -> SessionStore:
    """Return a store for each storage form."""
    return SessionStore(options | {"stringify": stringify})


class TestCreate:
    """create()."""

    def test_a_new_session(self, store: SessionStore, commands: Commands) -> None:
        """A new session is stored with one command, and can be saved again."""
        record = store.record()
        assert record.create("id", {"n": 1})
        assert ["insert"] == commands.names
        commands.clear()
        record.save("id", {"n": 2})
        assert ["update"] == commands.names
        assert {"n": 2} == store.get("id")

    def test_check(self, store: SessionStore, commands: Commands) -> None:
        """check() finds what cannot be stored, and stores nothing."""
        record = store.record()
        record.check({"n": 1})
        with pytest.raises(SerializationError, match=r"session\['a'\]"):
            record.check({"n": 1, "a": object()})
        assert [] == commands.names

    @pytest.mark.parametrize("session_id", ["", "a\nb", "x" * 257])
    def test_an_impossible_id(self, store: SessionStore, session_id: str) -> None:
        """An id that no cookie could bring is refused."""
        with pytest.raises(SerializationError, match="printable"):
            store.record().create(session_id, {"n": 1})
        assert 0 == store.length()

    @pytest.mark.parametrize("session_id", ["x", "x" * 256], ids=len)
    def test_a_possible_id(self, store: SessionStore, session_id: str) -> None:
        """An id has 1 to 256 characters."""
        assert store.record().create(session_id, {"n": 1})
        assert {"n": 1} == store.get(session_id)

    def test_an_id_in_use(self, store: SessionStore) -> None:
        """A session that has the id already is not changed."""
        store.set("id", {"user": "ann"})
        record = store.record()
        assert not record.create("id", {"n": 1})
        assert record.id is None
        assert {"user": "ann"} == store.get("id")

    def test_an_expired_session(self, store: SessionStore, database: Db) -> None:
        """An expired session does not keep its id."""
        store.set("id", {"user": "ann"})
        database.sessions.update_one({}, {"$set": {"expires": PAST}})
        assert store.record().create("id", {"n": 1})
        assert {"n": 1} == store.get("id")

    def test_after_a_session_that_was_destroyed(self, store: SessionStore) -> None:
        """A record whose session was destroyed can create another one, and save it again."""
        store.set("id", {"n": 1})
        record = store.record()
        record.load("id")
        store.destroy("id")
        record.save("id", {"n": 2})
        assert record.is_destroyed
        assert record.create("another", {"n": 3})
        record.save("another", {"n": 4})
        assert [("another", {"n": 4})] == [(id_, store.get(id_)) for id_ in store.ids()]


class TestTouch:
    """touch()."""

    def test_at_once(self, options: Options, commands: Commands, *, stringify: bool) -> None:
        """The time with which a session was created, or saved, is not written again."""
        now = time.time()
        store = {"touchAfter": 0}
        record = SessionStore(options | {"stringify": stringify, "store": store}).record()
        record.create("id", {"_accessed_time": now})
        record.touch(now)
        assert ["insert"] == commands.names
        record.save("id", {"_accessed_time": now + 1, "n": 1})
        commands.clear()
        record.touch(now + 1)
        assert [] == commands.names

    def test_within_touch_after(self, options: Options, commands: Commands) -> None:
        """A touch that is not due sends nothing, and the session exists."""
        record = SessionStore(options | {"store": {"touchAfter": 60}}).record()
        record.create("id", {"_accessed_time": time.time()})
        commands.clear()
        assert record.touch(time.time() + 1)
        assert [] == commands.names

    def test_a_document_without_a_date(
        self, options: Options, commands: Commands, database: Db
    ) -> None:
        """A touch gives a date to a document without one, however recent its last use is."""
        store = SessionStore(options | {"store": {"touchAfter": 60}})
        store.set("id", {"_accessed_time": time.time()})
        database.sessions.update_one({}, {"$unset": {"expires": ""}})
        record = store.record()
        record.load("id")
        assert record.touch(time.time() + 1)
        (document,) = database.sessions.find()
        assert document["expires"] > utc_now()

    def test_a_session_that_moved(self, store: SessionStore) -> None:
        """A save after another request changed the id is one under the new id."""
        store.set("id", {"n": 1})
        mine, theirs = store.record(), store.record()
        mine.load("id")
        theirs.load("id")
        theirs.save("new id", {"n": 1, "theirs": 2})
        mine.save("id", {"n": 1, "mine": 3})
        mine.save("id", {"n": 1, "mine": 4})
        assert mine.is_moved
        assert {"n": 1, "theirs": 2, "mine": 4} == store.get("new id")

    def test_a_session_that_ended(self, store: SessionStore) -> None:
        """The touch of a session that ended in the meantime finds none."""
        store.set("id", {"_accessed_time": 5.0})
        record = store.record()
        assert not record.touch(time.time())
        record.load("id")
        store.destroy("id")
        assert not record.touch(time.time())
        assert not record.touch(time.time() + 1)


class TestNewId:
    """save() under a new id."""

    def test_the_next_save(self, store: SessionStore, commands: Commands) -> None:
        """A save after a change of the id is an update of the moved session."""
        store.set("id", {"n": 1})
        record = store.record()
        record.load("id")
        record.save("new id", {"n": 2})
        commands.clear()
        record.save("new id", {"n": 3})
        assert ["update"] == commands.names
        assert {"n": 3} == store.get("new id")


class TestJson:
    """Records with ``data_serializer = json``."""

    @pytest.mark.parametrize(
        ("pickled", "saved", "found"),
        [
            ({"a": b"x", "n": 1}, {"n": 2}, {"n": 2}),
            ({"a": (1,), "n": 1}, {"a": [1], "n": 2}, {"a": (1,), "n": 2}),
        ],
        ids=["bytes", "tuple"],
    )
    def test_what_a_request_with_pickle_saved(
        self, store: SessionStore, pickled: Options, saved: Options, found: Options
    ) -> None:
        """Bytes in the stored session prevent no save, and a tuple that became a list is kept."""
        store.set("id", pickled)
        record = store.record(serializer="json")
        record.load("id")
        record.save("id", saved)
        assert found == store.get("id")


class TestEncrypted:
    """Encrypted sessions."""

    @staticmethod
    def begin(options: Options) -> MongoSession:
        """Return a new session with a known id."""
        session = MongoSession({}, use_cookies=False, **(options | KEYS))
        session.id = "id"
        return session

    def test_touch_without_the_key(self, options: Options, database: Db) -> None:
        """A touch without the key extends an encrypted session, and finds an ended one absent."""
        session = self.begin(options)
        session.save()
        database.sessions.update_one({}, {"$set": {"expires": SOON - timedelta(hours=20)}})
        store = SessionStore(options)
        records = [store.record(), store.record()]
        assert all(record.load("id") for record in records)
        assert records[0].touch(time.time())
        (document,) = database.sessions.find()
        assert document["expires"] > SOON
        session.delete()
        assert not records[1].touch(time.time())

    def test_first_saves_at_once(self, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
        """If several requests begin a session under one id, the latest save replaces the others."""
        sessions = [self.begin(options) for _ in range(3)]
        for number, session in enumerate(sessions):
            session["n"] = number
        insert = SessionWriter.insert

        def overtaken(writer: SessionWriter, document: dict[str, Any]) -> Any:
            found = insert(writer, document)
            monkeypatch.undo()
            sessions[1].save()
            return found

        sessions[0].save()
        monkeypatch.setattr(SessionWriter, "insert", overtaken)
        sessions[2].save()
        assert 2 == MongoSession({}, use_cookies=False, id="id", **(options | KEYS))["n"]


class TestFind:
    """find()."""

    @pytest.mark.parametrize(("timeout", "age"), [(30, 31), (None, 50)])
    def test_times_that_are_late(self, options: Options, timeout: int | None, age: int) -> None:
        """An access time that touchAfter left behind the timeout is one within the timeout."""
        store = SessionStore(options | {"store": {"touchAfter": 60}})
        store.set("id", {"_accessed_time": time.time() - 50})
        session = store.record().find("id", timeout)
        assert age - 5 < time.time() - session["_accessed_time"] < age + 5
        assert timeout is None or time.time() - session["_accessed_time"] < timeout


class TestEnds:
    """set_lifetime() with the date on which the session ends."""

    @staticmethod
    def stored(database: Db) -> dict[str, Any]:
        """Return the only document, without what belongs to its id."""
        (document,) = database.sessions.find({"session": {"$exists": True}})
        return document

    def test_use_does_not_extend_it(self, store: SessionStore, database: Db) -> None:
        """Later saves, also by requests without the record, keep the date."""
        record = store.record()
        record.create("id", {"n": 1})
        record.set_lifetime(None, SOON)
        record.save("id", {"n": 2})
        other = store.record()
        other.load("id")
        other.save("id", {"n": 3})
        assert {"expires": SOON, "endsAt": SOON}.items() <= self.stored(database).items()

    def test_a_new_id_keeps_it(self, store: SessionStore, database: Db) -> None:
        """A change of the id keeps the date."""
        record = store.record()
        record.create("id", {"n": 1})
        record.set_lifetime(None, SOON)
        record.save("new id", {"n": 2})
        assert {"expires": SOON, "endsAt": SOON}.items() <= self.stored(database).items()

    def test_a_change_of_the_id_that_fails_keeps_it(
        self, store: SessionStore, database: Db, fail_point: FailPoint
    ) -> None:
        """A session whose change of id is undone ends on its own date."""
        record = store.record()
        record.create("id", {"n": 1})
        record.set_lifetime(None, SOON)
        with fail_point("insert", error_code=REFUSED), pytest.raises(StoreError):
            record.save("new id", {"n": 2})
        assert {"n": 1} == store.get("id")
        assert SOON == self.stored(database)["expires"]

    def test_the_past(self, store: SessionStore, database: Db) -> None:
        """A session whose date has passed is absent, even if its document expires later."""
        record = store.record()
        record.create("id", {"n": 1})
        record.set_lifetime(None, PAST)
        assert store.get("id") is None
        database.sessions.update_one({}, {"$set": {"expires": SOON}})
        assert store.get("id") is None

    def test_back_to_the_configured_lifetime(self, store: SessionStore, database: Db) -> None:
        """Without a date, the configured lifetime applies again."""
        record = store.record()
        record.create("id", {"n": 1})
        record.set_lifetime(None, SOON)
        record.set_lifetime(None)
        document = self.stored(database)
        assert document["expires"] > SOON
        assert {"endsAt", "idleSeconds"}.isdisjoint(document)

    def test_no_change_needs_no_command(self, store: SessionStore, commands: Commands) -> None:
        """The lifetime that a session has already is not written again."""
        record = store.record()
        record.create("id", {"n": 1})
        record.set_lifetime(None)
        record.set_lifetime(60)
        record.set_lifetime(60)
        assert ["insert", "update"] == commands.names
