"""Changes of session ids, and endings that come while an id changes."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from bson import Code, DBRef, Int64, ObjectId

from beaker_mongo_soajs import MongoSession, SerializationError, SessionStore, StoreUnavailable
from beaker_mongo_soajs.metrics import on_event
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions import id_change
from beaker_mongo_soajs.sessions.id_change import IdChanges
from tests.application import live_documents
from tests.conftest import Db, FailPoint, Options
from tests.recorder import Commands


@pytest.fixture
def store(options: Options) -> SessionStore:
    """Return a store with one session."""
    store = SessionStore(options)
    store.set("old", {"user": "ann"})
    return store


def visit(options: Options, session_id: str = "old") -> Any:
    """Return the session of a request with a cookie."""
    return MongoSession({"cookie": f"beaker.session.id={session_id}"}, **options)


def regenerated(options: Options) -> str:
    """Change the id of the session, and return the new one."""
    session = visit(options)
    session.regenerate_id()
    session.save()
    new_id: str = session.id
    return new_id


class TestMove:
    """What a change of id keeps."""

    def test_values_of_other_applications(
        self, store: SessionStore, options: Options, database: Db
    ) -> None:
        """Values that only other applications can write are moved as they are stored."""
        values = {"code": Code("f()"), "ref": DBRef("users", ObjectId()), "long": Int64(1)}
        fields = {f"session.{name}": value for name, value in values.items()}
        database.sessions.update_one({}, {"$set": fields | {"lastModified": "x"}})
        regenerated(options)
        (document,) = live_documents(database)
        moved = document["session"]
        assert values == {name: moved[name] for name in values}
        assert type(moved["long"]) is Int64
        assert "x" == document["lastModified"]

    def test_signed_pickles(self, options: Options) -> None:
        """Pickles are signed again for the new id."""
        options = options | {"store": {"pickle": True, "signingKey": "k" * 32}}
        store = SessionStore(options)
        store.set("old", {"user": "ann", "value": ValueError("a")})
        assert "ValueError('a')" == repr(visit(options, regenerated(options))["value"])

    def test_the_tombstone_is_empty(
        self, store: SessionStore, options: Options, database: Db
    ) -> None:
        """After a change, the old document holds no data, has expired, and names the new id."""
        new_id = regenerated(options)
        tombstone = database.sessions.find_one({"_id": "old"})
        assert tombstone is not None
        assert {"_id", "expires", "moved_to"} == tombstone.keys()
        assert new_id == tombstone["moved_to"]
        assert 1 == store.length()
        assert [new_id] == list(store.ids())


class TestLateRequests:
    """Requests that loaded the session under its old id."""

    @pytest.mark.parametrize("end", ["delete", "invalidate"])
    def test_a_logout(self, store: SessionStore, options: Options, end: str) -> None:
        """A logout ends the session under its new id."""
        late = visit(options)
        new_id = regenerated(options)
        getattr(late, end)()
        assert store.get(new_id) is None

    def test_a_logout_under_the_lock(self, store: SessionStore, options: Options) -> None:
        """A logout inside locked() ends the session under its new id."""
        late = visit(options)
        with late.locked():
            new_id = regenerated(options)
            late.delete()
        assert store.get(new_id) is None

    @pytest.mark.parametrize("stringify", [False, True])
    def test_a_save(self, options: Options, *, stringify: bool) -> None:
        """A save takes effect under the new id, and does not change the cookie."""
        options = options | {"stringify": stringify}
        store = SessionStore(options)
        store.set("old", {"user": "ann", "gone": 1})
        late = visit(options)
        new_id = regenerated(options)
        other = visit(options, new_id)
        other["m"] = 2
        other.save()
        late["n"] = 1
        del late["gone"]
        late.save()
        late["k"] = 3
        late.save()
        found = store.get(new_id)
        assert found is not None
        values = {key: value for key, value in found.items() if key[0] != "_"}
        assert {"user": "ann", "n": 1, "m": 2, "k": 3} == values
        assert not late.request.get("set_cookie")

    def test_an_administrator(self, store: SessionStore, options: Options) -> None:
        """destroy() with the old id ends the session."""
        new_id = regenerated(options)
        assert 1 == store.destroy("old")
        assert store.get(new_id) is None
        assert 0 == store.destroy("old")

    def test_a_dead_cookie(self, options: Options, commands: Commands, store: SessionStore) -> None:
        """A request with the old id finds no session, with one command."""
        regenerated(options)
        commands.clear()
        assert "user" not in visit(options)
        assert ["find"] == commands.names


class TestPlantedFields:
    """Documents that turn into something else between a load and a save of their sessions."""

    @pytest.mark.parametrize("stringify", [False, True])
    @pytest.mark.parametrize("moved_to", ["x", None, 5, {"a": 1}])
    def test_a_save(
        self, options: Options, database: Db, *, moved_to: object, stringify: bool
    ) -> None:
        """A save changes no document that is not that of a session, and is not refused."""
        options = options | {"stringify": stringify}
        SessionStore(options).set("old", {"user": "ann"})
        late = visit(options)
        database.sessions.update_one({}, {"$set": {"moved_to": moved_to}})
        before = database.sessions.find_one()
        late["n"] = 1
        events: list[str] = []
        remove = on_event(lambda event: events.append(event.name))
        late.save()
        remove()
        assert ["session.dropped"] == events
        assert before == database.sessions.find_one()

    @pytest.mark.parametrize("moved_to", [[], ["x", "y"]])
    def test_a_list(
        self, store: SessionStore, options: Options, database: Db, moved_to: list[str]
    ) -> None:
        """A list in place of the new id ends the session, and a save does not restore it."""
        late = visit(options)
        database.sessions.update_one({}, {"$set": {"moved_to": moved_to}})
        late["n"] = 1
        late.save()
        assert store.get("old") is None
        assert "user" not in visit(options)


class TestBeforeTheClosing:
    """Commands that come after the new document, before the old one is closed."""

    @staticmethod
    def before_closing(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
        """Call a function once, before a change of id closes the old document."""
        close = IdChanges._close

        def late(changes: IdChanges, change: Any) -> bool | None:
            monkeypatch.undo()
            action()
            return close(changes, change)

        monkeypatch.setattr(IdChanges, "_close", late)

    def test_a_save(
        self, store: SessionStore, options: Options, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A save with the old id that comes before the closing is in the new document."""
        late = visit(options)
        late["n"] = 1
        self.before_closing(monkeypatch, late.save)
        assert 1 == visit(options, regenerated(options))["n"]

    def test_a_lost_tombstone(
        self,
        store: SessionStore,
        options: Options,
        database: Db,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """If another program deletes the old document, the session is valid under the new id."""
        self.before_closing(monkeypatch, lambda: database.sessions.delete_one({"_id": "old"}))
        session = visit(options)
        session.regenerate_id()
        session.save()
        assert session.request["set_cookie"]
        assert "ann" == visit(options, session.id)["user"]

    def test_a_lost_answer(
        self, store: SessionStore, options: Options, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If the answer to the closing is lost, the session has its new id all the same."""
        close = IdChanges._close_once

        def lose_answer(changes: IdChanges, change: Any) -> bool | None:
            monkeypatch.undo()
            assert close(changes, change)
            raise StoreUnavailable("The answer was lost.")

        monkeypatch.setattr(IdChanges, "_close_once", lose_answer)
        session = visit(options)
        session.regenerate_id()
        session.save()
        assert session.request["set_cookie"]
        assert "ann" == visit(options, session.id)["user"]


class TestFailedInsert:
    """A new document that the server refuses."""

    def test_after_an_ending(
        self, store: SessionStore, options: Options, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The old session is not restored if it was destroyed in the meantime."""
        insert = IdChanges._insert

        def destroy_first(changes: IdChanges, document: dict[str, Any]) -> bool:
            store.destroy("old")
            return insert(changes, document)

        monkeypatch.setattr(IdChanges, "_insert", destroy_first)
        session = visit(options)
        session.regenerate_id()
        session["value"] = "x" * 17_000_000
        with pytest.raises(SerializationError):
            session.save()
        assert store.get("old") is None
        assert 0 == store.length()

    def test_an_ending_of_many(
        self, store: SessionStore, options: Options, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """destroy_where() before the insert ends the session whose id is changing."""
        insert = IdChanges._insert

        def destroy_first(changes: IdChanges, document: dict[str, Any]) -> bool:
            store.destroy_where(user="ann")
            return insert(changes, document)

        monkeypatch.setattr(IdChanges, "_insert", destroy_first)
        new_id = regenerated(options)
        assert "user" not in visit(options, new_id)
        assert 0 == store.length()

    def test_nobody_returns(
        self, store: SessionStore, options: Options, fail_point: FailPoint, database: Db
    ) -> None:
        """While a change is open, Node stores and the TTL index leave the document alone."""
        session = visit(options)
        session.regenerate_id()
        with fail_point("insert", error_code=8000), pytest.raises(Exception, match="8000"):
            session.save()
        document = database.sessions.find_one({"_id": "old"})
        assert document is not None
        assert document["expires"] is None
        assert store.get("old") is not None
        assert "moved_to" not in (database.sessions.find_one({"_id": "old"}) or {})

    def test_an_abandoned_change(
        self,
        store: SessionStore,
        options: Options,
        database: Db,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A change that nobody completed is deleted when its session would have expired."""
        past, future = datetime.datetime(2020, 1, 1), datetime.datetime(2100, 1, 1)
        database.sessions.insert_many(
            {
                "_id": name,
                "session": {},
                "expires": None,
                "moved_to": f"new {name}",
                "move": {"to": f"new {name}", "round": 1, "until": until},
            }
            for name, until in (("over", past), ("living", future))
        )
        monkeypatch.setattr("beaker_mongo_soajs.sessions.id_change._REMOVAL_SECONDS", -1.0)
        fresh = options | {"store": {"touchAfter": 0}}
        session = visit(fresh)
        session.regenerate_id()
        session.save()
        assert store.get("living") == {}
        assert database.sessions.find_one({"_id": "over"}) is None


@pytest.mark.parametrize("carried_out", [True, False])
class TestUnknownOutcome:
    """The database does not answer to the last command of a change of id."""

    @pytest.fixture(autouse=True)
    def _lost_answers(self, monkeypatch: pytest.MonkeyPatch, *, carried_out: bool) -> None:
        """Lose the answers, whether or not the command is carried out."""
        update = StoreCollection.update

        def lost(self: StoreCollection, query: Document, *args: Any, **options: Any) -> bool:
            if "move.round" not in query:
                return update(self, query, *args, **options)
            if carried_out:
                update(self, query, *args, **options)
            raise StoreUnavailable("The answer was lost.")

        monkeypatch.setattr(id_change, "_DEADLINE_SECONDS", 0.05)
        monkeypatch.setattr(StoreCollection, "update", lost)

    def test_the_visitor_gets_the_new_id(
        self, store: SessionStore, options: Options, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The new id leads to the session, and the old one ends with the next request."""
        session = visit(options)
        session.regenerate_id()
        session["n"] = 1
        session.save()
        assert session.request["set_cookie"]
        monkeypatch.undo()
        assert "user" not in visit(options)
        found = visit(options, session.id)
        assert ("ann", 1) == (found["user"], found["n"])
        assert [session.id] == list(store.ids())

    def test_a_logout(
        self, store: SessionStore, options: Options, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A logout with the old id ends the session, also before the command is repeated."""
        new_id = regenerated(options)
        monkeypatch.undo()
        SessionStore(options).destroy("old")
        assert "user" not in visit(options, new_id)
        assert 0 == store.length()


class TestGivingWay:
    """Two requests that change the id at once, of which one gives way."""

    def test_the_cookie_stays(
        self, store: SessionStore, options: Options, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A request that gives way saves under the id of the session, and sets no cookie."""
        session = visit(options)
        session.regenerate_id()
        with monkeypatch.context() as patch:
            # Another request was faster twice, and its connection was lost.
            patch.setattr(id_change.IdChanges, "move", lambda *_: None)
            session["n"] = 1
            session.save()
        assert not session.request["set_cookie"]
        session["m"] = 2
        session.save()
        assert not session.request["set_cookie"]
        found = visit(options)
        assert ("ann", 1, 2) == (found["user"], found["n"], found["m"])
        assert ["old"] == list(store.ids())
