"""One way to cause each event.

A cause is a generator. Its first part prepares, and the second part, after ``yield``, causes the
event, and the others that belong to it.
"""

import datetime
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from unittest import mock

from beaker_mongo_soajs import Locks, LockTimeout, SerializationError, SessionStore, StoreError
from beaker_mongo_soajs.backend.single_flight import SingleFlight
from beaker_mongo_soajs.sessions.lock import SessionLock
from tests.caches.support import open_cache
from tests.conftest import Db, Options
from tests.waiting import wait_until

Cause = Callable[[Options, Db], Iterator[None]]

SESSION_ID = "a-session-id-that-no-event-may-contain"
SECRET = "a value of the session"
PAST = datetime.datetime(2020, 1, 1)
FUTURE = datetime.datetime(2100, 1, 1)

CAUSES: dict[str, Cause] = {}
MORE: dict[str, set[str]] = {
    "session.merged": {"session.saved"},
    "session.migrated": {"session.loaded"},
    "cache.created": {"cache.miss"},
    "cache.unreadable": {"cache.hit", "cache.created"},
    "cache.waited": {"cache.miss", "cache.created"},
}
"""The other events of a cause."""


def cause(name: str) -> Callable[[Cause], Cause]:
    """Register a cause."""

    def register(function: Cause) -> Cause:
        CAUSES[name] = function
        return function

    return register


def _store(options: Options, **more: Any) -> SessionStore:
    store = SessionStore(options | {"store.createIndexes": False} | more)
    store.set(SESSION_ID, {"user": SECRET})
    return store


@cause("session.created")
def _created(options: Options, database: Db) -> Iterator[None]:
    yield
    SessionStore(options).record().save(SESSION_ID, {"user": SECRET})


@cause("session.loaded")
def _loaded(options: Options, database: Db) -> Iterator[None]:
    store = _store(options)
    yield
    store.get(SESSION_ID)


@cause("session.missed")
def _missed(options: Options, database: Db) -> Iterator[None]:
    yield
    SessionStore(options).get(SESSION_ID)


@cause("session.expired")
def _expired(options: Options, database: Db) -> Iterator[None]:
    store = _store(options)
    database.sessions.update_one({}, {"$set": {"expires": PAST}})
    yield
    store.get(SESSION_ID)


@cause("session.saved")
def _saved(options: Options, database: Db) -> Iterator[None]:
    record = _store(options).record()
    session = record.find(SESSION_ID)
    yield
    record.save(SESSION_ID, session | {"cart": [SECRET]})


@cause("session.merged")
def _merged(options: Options, database: Db) -> Iterator[None]:
    store = _store(options, stringify=True)
    record, other = store.record(), store.record()
    session = record.find(SESSION_ID)
    other.save(SESSION_ID, other.find(SESSION_ID) | {"theirs": 1})
    yield
    record.save(SESSION_ID, session | {"mine": 1})


@cause("session.dropped")
def _dropped(options: Options, database: Db) -> Iterator[None]:
    store = _store(options)
    record = store.record()
    session = record.find(SESSION_ID)
    store.destroy(SESSION_ID)
    yield
    record.save(SESSION_ID, session | {"cart": [SECRET]})


@cause("session.destroyed")
def _destroyed(options: Options, database: Db) -> Iterator[None]:
    store = _store(options)
    yield
    store.destroy(SESSION_ID)


@cause("session.id_changed")
def _id_changed(options: Options, database: Db) -> Iterator[None]:
    record = _store(options).record()
    session = record.find(SESSION_ID)
    yield
    record.save("another-id", session)


@cause("session.migrated")
def _migrated(options: Options, database: Db) -> Iterator[None]:
    database.old.insert_one({"_id": SESSION_ID, "session": {"user": SECRET}, "expires": FUTURE})
    source = {"type": "ext:mongodb_soajs", "collection": "old"}
    yield
    SessionStore(options | {"store.migrateFrom": source}).get(SESSION_ID)


@cause("session.unreadable")
def _unreadable(options: Options, database: Db) -> Iterator[None]:
    database.sessions.insert_one({"_id": SESSION_ID, "session": 5, "expires": FUTURE})
    yield
    with suppress(SerializationError):
        SessionStore(options).get(SESSION_ID)


@cause("lock.waited")
def _lock_waited(options: Options, database: Db) -> Iterator[None]:
    locks = Locks(options)
    first, second = locks.lease(SESSION_ID), locks.lease(SESSION_ID)
    first.acquire()
    yield
    thread = threading.Thread(target=second.acquire)
    thread.start()
    wait_until(lambda: bool(second.document))
    first.release()
    thread.join()
    second.release()


@cause("lock.timed_out")
def _lock_timed_out(options: Options, database: Db) -> Iterator[None]:
    locks = Locks(options)
    with locks.lease(SESSION_ID):
        yield
        with suppress(LockTimeout):
            locks.lease(SESSION_ID).acquire(timeout_seconds=0.01)


@cause("lock.lost")
def _lock_lost(options: Options, database: Db) -> Iterator[None]:
    lock = SessionLock(SessionStore(options).config)
    lock.acquire(SESSION_ID, 1)
    yield
    database.sessions_locks.delete_many({})
    lock._sure_until = 0
    for _ in range(2):
        with suppress(LockTimeout):
            lock.check()
    lock.release()


@cause("store.unavailable")
def _unavailable(options: Options, database: Db) -> Iterator[None]:
    nowhere = {"servers": "127.0.0.1:1", "URLParam.serverSelectionTimeoutMS": 50}
    yield
    with suppress(StoreError):
        SessionStore({"name": "core_session"} | nowhere).get(SESSION_ID)


@cause("store.refused")
def _refused(options: Options, database: Db) -> Iterator[None]:
    database.create_collection("sessions", viewOn="others", pipeline=[])
    store = SessionStore(options | {"store.createIndexes": False})
    yield
    with suppress(StoreError):
        store.set(SESSION_ID, {"user": SECRET})


@cause("cache.hit")
def _hit(options: Options, database: Db) -> Iterator[None]:
    cache = open_cache(options)
    cache.put(SECRET, SECRET)
    yield
    cache.get(SECRET)


@cause("cache.miss")
def _miss(options: Options, database: Db) -> Iterator[None]:
    cache = open_cache(options)
    yield
    assert SECRET not in cache


@cause("cache.created")
def _cache_created(options: Options, database: Db) -> Iterator[None]:
    cache = open_cache(options)
    yield
    cache.get(SECRET, createfunc=lambda: SECRET)


@cause("cache.waited")
def _cache_waited(options: Options, database: Db) -> Iterator[None]:
    creates, waits = threading.Event(), threading.Event()
    wait = SingleFlight.wait

    def note(flight: SingleFlight, deadline: float) -> Any:
        waits.set()
        return wait(flight, deadline)

    def create() -> str:
        creates.set()
        waits.wait(10)
        return SECRET

    def get() -> None:
        open_cache(options).get(SECRET, createfunc=create)

    yield
    with mock.patch.object(SingleFlight, "wait", note):
        first, second = threading.Thread(target=get), threading.Thread(target=get)
        first.start()
        creates.wait(10)
        second.start()
        first.join()
        second.join()


@cause("cache.unreadable")
def _cache_unreadable(options: Options, database: Db) -> Iterator[None]:
    cache = open_cache(options)
    cache.put(SECRET, SECRET)
    database.cache.update_one({}, {"$set": {"value": b"no pickle"}})
    yield
    cache.get(SECRET, createfunc=lambda: SECRET)
