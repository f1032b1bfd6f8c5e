"""The events, and what they contain."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from beaker_mongo_soajs import MongoSession, SerializationError, SessionStore, metrics
from beaker_mongo_soajs.log_records import forget_warnings
from beaker_mongo_soajs.metrics import NAMES, Event, on_event
from beaker_mongo_soajs.sessions.stored import StoredId
from tests.application import Site
from tests.caches.support import open_cache
from tests.conftest import Db, Options
from tests.metrics.causes import CAUSES, MORE, SECRET, SESSION_ID


@contextmanager
def listening() -> Iterator[list[Event]]:
    """Collect the events of a block."""
    events: list[Event] = []
    remove = on_event(events.append)
    try:
        yield events
    finally:
        remove()


@pytest.fixture(params=list(CAUSES))
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of each event."""
    found: str = request.param
    return found


class TestEvents:
    """Each event, once."""

    def test_all_names_have_a_cause(self) -> None:
        """The tests cause each event that has a name."""
        assert set(NAMES) == set(CAUSES)

    def test_raised_once(self, name: str, options: Options, database: Db) -> None:
        """What causes an event raises it once, and no event that is not expected.

        An event contains a handle of eight characters, but no session id and no data.
        """
        cause = CAUSES[name](options, database)
        next(cause)
        with listening() as events:
            next(cause, None)
        assert {name} | MORE.get(name, set()) == {event.name for event in events}
        for event in events:
            assert SESSION_ID not in repr(event)
            assert SECRET not in repr(event)
            assert event.seconds is None or 0 < event.seconds < 60
            assert event.collection.startswith(f"{database.name}.") or name == "store.unavailable"
        [event] = [event for event in events if event.name == name]
        if name.startswith("session.") and name != "session.id_changed":
            assert StoredId(SESSION_ID).handle[:8] == event.handle

    def test_nothing_without_a_listener(
        self, name: str, options: Options, database: Db, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a listener, no event is made."""
        made: list[object] = []
        monkeypatch.setattr(metrics, "Event", lambda *values: made.append(values))
        list(CAUSES[name](options, database))
        assert [] == made

    def test_durations(self, options: Options) -> None:
        """The duration of an operation includes its commands to the server."""
        store = SessionStore(options)
        record = store.record()
        cache = open_cache(options)
        with listening() as events:
            record.save(SESSION_ID, {"user": "ann"})
            record.find(SESSION_ID)
            store.set(SESSION_ID, {"user": "bob"})
            store.get(SESSION_ID)
            store.destroy(SESSION_ID)
            record.create(SESSION_ID, {"user": "ann"})
            store.destroy_where(user="ann")
            assert "key" not in cache
        session_names = "created loaded saved loaded destroyed created destroyed".split()
        assert [*(f"session.{name}" for name in session_names), "cache.miss"] == [
            event.name for event in events
        ]
        assert all(event.seconds and 0.0001 < event.seconds < 60 for event in events)

    def test_counts(self, options: Options) -> None:
        """The end of several sessions at once is one event with their number."""
        store = SessionStore(options)
        for number in range(3):
            store.set(f"id{number}", {"user": "ann"})
        with listening() as events:
            store.destroy_where(user="ann")
        assert [("session.destroyed", 3)] == [(event.name, event.count) for event in events]


class TestRequests:
    """The events of requests."""

    def test_a_visit(self, kind_options: Options) -> None:
        """A visit raises the events of its sessions, in the same order for both kinds."""
        visitor = Site(kind_options).visitor()
        with listening() as events:
            visitor.save(user="ann")
            visitor.read()
            visitor.save(user="bob")
        names = [event.name for event in events if event.name != "session.missed"]
        assert ["session.created", *["session.loaded"], *["session.loaded", "session.saved"]] == (
            names
        )

    def test_unreadable(self, kind_options: Options, database: Db) -> None:
        """A session that cannot be read raises one event, with its handle, for both kinds."""
        database.sessions.insert_one({"_id": SESSION_ID, "session": 5})
        visitor = Site(kind_options | {"invalidate_corrupt": False}).visitor(SESSION_ID)
        with listening() as events, suppress(SerializationError):
            visitor.read()
        handle = StoredId(SESSION_ID).handle[:8]
        assert [("session.unreadable", handle)] == [(event.name, event.handle) for event in events]

    @pytest.mark.parametrize(
        ("old", "name"),
        [
            (None, "session.missed"),
            ({"session": {"_accessed_time": 5.0}}, "session.expired"),
        ],
        ids=["absent", "expired"],
    )
    def test_an_old_backend_without_the_session(
        self, options: Options, database: Db, old: Options | None, name: str
    ) -> None:
        """A session that is not moved from the old backend counts as missed or expired, once."""
        if old is not None:
            database.old.insert_one({"_id": SESSION_ID} | old)
        source = {"type": "ext:mongodb_soajs", "collection": "old"}
        store = SessionStore(options | {"store.migrateFrom": source})
        with listening() as events:
            assert store.get(SESSION_ID) is None
        assert [name] == [event.name for event in events]

    def test_past_its_timeout(self, options: Options, database: Db) -> None:
        """A session that is past Beaker's timeout counts as expired, and is destroyed."""
        visitor = Site(options | {"session_class": MongoSession, "timeout": 100}).visitor()
        visitor.save(user="ann")
        database.sessions.update_one({}, {"$inc": {"session._accessed_time": -200}})
        with listening() as events:
            assert {} == visitor.read()
        assert ["session.expired", "session.destroyed"] == [event.name for event in events]


class TestListeners:
    """Adding, removing and failing."""

    def test_removed(self, options: Options) -> None:
        """A listener that was removed gets no more events, and may be removed twice."""
        events: list[Event] = []
        remove = on_event(events.append)
        remove()
        remove()
        SessionStore(options).set("id", {})
        assert [] == events

    def test_removed_by_itself(self) -> None:
        """A listener may remove itself; the others get the event, which can be counted."""
        remove = on_event(lambda _: remove())
        with listening() as events:
            metrics.emit("cache.hit")
            assert 1 == len(metrics.listeners)
        assert {Event("cache.hit"): 1} == Counter(events)

    def test_failing(self, options: Options, caplog: pytest.LogCaptureFixture) -> None:
        """A listener that fails is logged once a minute; the request and other listeners go on."""

        def fail(event: Event) -> None:
            raise RuntimeError("broken")

        forget_warnings()
        remove = on_event(fail)
        try:
            with listening() as events:
                store = SessionStore(options)
                store.set("id", {"user": "ann"})
                assert {"user": "ann"} == store.get("id")
        finally:
            remove()
        assert 2 == len(events)
        [record] = [record for record in caplog.records if "listener" in record.getMessage()]
        assert logging.WARNING == record.levelno
        assert "RuntimeError" in record.getMessage()


class TestCost:
    """The cost of the events."""

    def test_cost_without_a_listener(self) -> None:
        """Without a listener, an event costs less than a microsecond of CPU."""
        rounds = 100_000

        def spent(loop: Callable[[], Any]) -> float:
            start = time.process_time()
            loop()
            return time.process_time() - start

        def without() -> None:
            for _ in range(rounds):
                pass

        def with_sites() -> None:
            # The code of an event site, as in ReportingRecord.load.
            for _ in range(rounds):
                start = time.perf_counter()
                if metrics.listeners:
                    metrics.emit("session.loaded", start=start)

        least = min(spent(with_sites) - spent(without) for _ in range(5))
        assert least / rounds < 1e-6
