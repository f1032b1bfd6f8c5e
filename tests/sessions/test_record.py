"""SessionRecord, as integrations use it."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.mongo.documents import utc_now
from tests.recorder import Commands

Options = dict[str, Any]
Db = Database[dict[str, Any]]

SOON = utc_now().replace(microsecond=0) + timedelta(minutes=5)
PAST = SOON - timedelta(days=1)


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
        record.save("id", {"n": 2})
        assert {"n": 2} == store.get("id")

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
