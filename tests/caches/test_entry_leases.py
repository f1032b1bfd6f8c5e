"""The lease in a cache entry: what it leaves as it is."""

import datetime
import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from beaker.cache import Cache
from beaker.exceptions import LockError

from beaker_mongo_soajs import DbConfig
from beaker_mongo_soajs.backend import creation_lock
from beaker_mongo_soajs.caches.entry import Entry
from beaker_mongo_soajs.caches.store import CacheStore
from beaker_mongo_soajs.mongo.documents import utc_now
from tests.caches.doubles import Creator
from tests.caches.support import open_cache
from tests.conftest import Db, Options
from tests.recorder import Commands
from tests.waiting import wait_until

PAST = datetime.datetime(2020, 1, 1)
FUTURE = datetime.datetime(2100, 1, 1)


def test_a_release_keeps_the_value_of_another_caller(cache: Cache, database: Db) -> None:
    """The release of a lease that began without a value does not delete a later value."""
    lock = cache.namespace.get_creation_lock(b"key")
    lock.acquire()
    cache.put("key", "of another caller")
    lock.release()
    assert "of another caller" == cache.get("key")
    document = database.cache.find_one()
    assert document is not None
    assert "owner" not in document


def test_a_lease_without_a_value_is_deleted(cache: Cache, database: Db) -> None:
    """The release of a lease of an absent value leaves no document."""
    lock = cache.namespace.get_creation_lock(b"key")
    lock.acquire()
    assert 1 == database.cache.count_documents({})
    lock.release()
    assert 0 == database.cache.count_documents({})


@pytest.mark.parametrize("shared", [False, True], ids=["exclusive", "shared"])
@pytest.mark.parametrize("expire", [3600, None], ids=["an hour", "never"])
def test_a_lease_never_shortens_the_lifetime(
    options: Options, database: Db, expire: int | None, *, shared: bool
) -> None:
    """A lease moves the date of an entry neither back nor, if it lasts for ever, at all."""
    cache = open_cache(options, expire=expire, **{"store.lockLease": 1})
    cache.put("key", 1)
    before = database.cache.find_one()
    lock = cache.namespace.get_creation_lock(b"key")
    _ = lock.acquire_read_lock() if shared else lock.acquire_write_lock()
    lease = lock.state.lease
    assert lease is not None
    assert lease.extend()
    during = database.cache.find_one()
    _ = lock.release_read_lock() if shared else lock.release_write_lock()
    after = database.cache.find_one()
    assert before is not None
    assert during is not None
    assert after is not None
    assert before["expires"] == during["expires"] == after["expires"]
    assert (expire is None) is (before["expires"] is None)


def test_an_extended_lease_outlives_the_ttl_index(options: Options, database: Db) -> None:
    """The date of an entry moves with a lease that is extended, so that the lease is kept."""
    lease = CacheStore(DbConfig.from_options(options)).lease("things", b"key")
    assert lease.acquire(wait=False)
    database.cache.update_one({}, {"$set": {"expires": PAST, "acquired_until": PAST}})
    assert lease.extend()
    document = database.cache.find_one()
    assert document is not None
    assert PAST < document["acquired_until"] <= document["expires"]
    assert lease.release()


@pytest.mark.parametrize("known", [None, PAST, FUTURE, "text"], ids=str)
def test_dates_of_an_entry_that_has_changed(options: Options, database: Db, known: Any) -> None:
    """A lease extends the entry that is stored now, and not what its owner has read before.

    It is removed by the TTL index if its owner crashes, unless it is part of a value that never
    expires. It does not extend the value; an expired value is removed at once.
    """
    soon = utc_now().replace(microsecond=0) + datetime.timedelta(seconds=60)
    entry = {"_id": {"ns": "things", "key": b"key"}, "value": b"", "fresh_until": soon}
    store = CacheStore(DbConfig.from_options(options | {"store.lockLease": 600}))
    for stored in ("gone", None, PAST, soon, FUTURE, "text"):
        database.cache.delete_many({})
        if stored != "gone":
            database.cache.insert_one(entry | {"expires": stored})
        lease = store.lease("things", b"key")
        lease.begin(entry | {"expires": known})
        assert lease.attempt(claim=False)
        (document,) = database.cache.find()
        ends = stored if stored in (None, FUTURE) else document["acquired_until"]
        fresh_until = None if stored in ("gone", PAST) else soon
        assert (ends, fresh_until) == (document["expires"], document.get("fresh_until"))
        assert ("value" in document) is (fresh_until is not None)
        assert lease.release()


def test_a_late_release_keeps_the_lease_of_another(options: Options, database: Db) -> None:
    """The release of a lease that ran out does not delete the lease of the next owner."""
    store = CacheStore(DbConfig.from_options(options))
    late, held = (store.lease("things", b"key") for _ in range(2))
    assert late.acquire(wait=False)
    database.cache.update_one({}, {"$set": {"acquired_until": PAST}})
    assert held.acquire(wait=False)
    assert not late.release()
    document = database.cache.find_one()
    assert document is not None
    assert held.owner == document["owner"]
    assert held.release()


def test_a_lease_is_no_key(cache: Cache, database: Db) -> None:
    """keys() does not list a lease whose value is not created yet."""
    cache.put("kept", 1)
    lock = cache.namespace.get_creation_lock(b"key")
    lock.acquire()
    assert 2 == database.cache.count_documents({})
    assert [b"kept"] == cache.namespace.keys()
    assert "key" not in cache
    lock.release()


def test_write_concern(options: Options, commands: Commands, creator: Creator) -> None:
    """All commands that write have the configured write concern."""
    cache = open_cache(options, **{"URLParam.w": 1, "URLParam.journal": True})
    cache.get("key", createfunc=creator)
    cache.put("key", 1)
    cache.remove("key")
    lock = cache.namespace.get_creation_lock(b"key")
    lock.acquire()
    lock.release()
    cache.clear()
    written = [event.command for event in commands.started if event.command_name != "find"]
    assert {"findAndModify", "update", "delete"} == {next(iter(command)) for command in written}
    assert [{"w": 1, "j": True}] * len(written) == [command["writeConcern"] for command in written]


def test_values_are_let_go(options: Options, creator: Creator) -> None:
    """A value that was created, and found again under the lock, does not stay in memory."""
    cache = open_cache(options, expire=0.05)
    cache.get("key", createfunc=creator)
    wait_until(lambda: "key" not in cache)
    lock = cache.namespace.get_creation_lock(b"key")
    lock.acquire()
    lock.release()
    gc.collect()
    kept = [each for each in gc.get_objects() if type(each) is Entry]
    assert [] == kept


def test_values_that_are_read_are_let_go(cache: Cache) -> None:
    """A value that was read does not stay in memory."""
    cache.put("key", "value")
    assert "value" == cache.get("key")
    gc.collect()
    kept = [each for each in gc.get_objects() if type(each) is Entry and each.payload]
    assert [] == kept


@pytest.mark.parametrize("name", ["read", "write"])
def test_locks_are_let_go(cache: Cache, name: str) -> None:
    """A lock that no thread holds leaves nothing in memory, whoever asked for it in vain."""
    holder = cache.namespace.get_creation_lock(b"key")

    def ask_in_vain() -> None:
        lock = cache.namespace.get_creation_lock(b"key")
        assert not getattr(lock, f"acquire_{name}_lock")(wait=False)

    def release_in_vain() -> None:
        lock = cache.namespace.get_creation_lock(b"key")
        with pytest.raises(LockError):
            getattr(lock, f"release_{name}_lock")()

    # Other tests leave locks of threads that have ended.
    others = set(creation_lock._holds)
    assert holder.acquire()
    for act in (ask_in_vain, release_in_vain):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(act).result()
        assert 1 == len(creation_lock._holds.keys() - others)
    holder.release()
    assert set() == creation_lock._holds.keys() - others
