"""Beaker's caches: in memory and in MongoDB, as Beaker promises; and what is ours alone."""

import datetime
import json
import logging
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import pytest
from beaker.cache import Cache, CacheManager, cache_regions
from beaker.exceptions import LockError
from beaker.util import parse_cache_config_options
from bson import MaxKey, MinKey
from pymongo.database import Database

from beaker_mongo_soajs import (
    LockTimeout,
    MongoNamespaceManager,
    SerializationError,
    StoreUnavailable,
    cache_entry,
    cache_namespace,
    creation,
)
from beaker_mongo_soajs import cache as module
from beaker_mongo_soajs.cache_entry import Entry
from tests.cache_contract import NAMESPACES, CacheContract, Clock, Creator
from tests.conftest import FailPoint
from tests.recorder import Commands
from tests.waiting import wait_until

Db = Database[dict[str, Any]]
Options = dict[str, Any]

LARGE = 100_000
NAMES = 1_000


class TestMemory(CacheContract):
    """Beaker's own backend keeps its promises, so these are its promises."""

    @pytest.fixture
    def cache_options(self) -> dict[str, Any]:
        """Return the options of Beaker's backend in memory."""
        return {"type": "memory"}


class TestMongoDB(CacheContract):
    """The backend of this package keeps the same promises."""

    store: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def cache_options(self, options: Options, tmp_path: Path) -> dict[str, Any]:
        """Return options that fit into an INI file."""
        path = tmp_path / "dbconfig.json"
        path.write_text(json.dumps(options | {"store": self.store}))
        return {"type": "ext:mongodb_soajs", "dbConfig": str(path)}

    @pytest.fixture
    def clock(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """Move this package's clock along with Beaker's."""
        move_with(clock, monkeypatch)
        return clock


class TestSigned(TestMongoDB):
    """So it does with signed values."""

    store: ClassVar[dict[str, Any]] = {"signingKey": "secret"}


def move_with(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the dates of cache entries go by a clock."""

    def now() -> datetime.datetime:
        return datetime.datetime.fromtimestamp(clock.time(), datetime.UTC).replace(tzinfo=None)

    monkeypatch.setattr(module, "utc_now", now)
    monkeypatch.setattr(cache_entry, "utc_now", now)


@pytest.fixture
def creator() -> Creator:
    """Return a creation function."""
    return Creator()


@pytest.fixture
def cache(options: Options) -> Cache:
    """Return a cache whose values never expire."""
    return open_cache(options)


def open_cache(options: Options, **more: Any) -> Cache:
    """Return a cache of its own, with a namespace manager that no other one shares."""
    return Cache("things", type="ext:mongodb_soajs", **(options | more))


@pytest.fixture
def brief(options: Options) -> Cache:
    """Return a cache whose values expire after ten seconds."""
    return open_cache(options, expire=10)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Take over the clock that this process's caches go by."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    move_with(clock, monkeypatch)
    return clock


@pytest.fixture
def warm(cache: Cache) -> None:
    """Have the indexes made, which each process does once."""
    cache.put("warm", 1)


@pytest.mark.usefixtures("warm")
class TestCommands:
    """How many commands it takes."""

    def test_hit(self, cache: Cache, commands: Commands, creator: Creator) -> None:
        """A value that is there takes one command, which asks for its id alone."""
        cache.put("key", 1)
        commands.clear()
        assert 1 == cache.get("key", createfunc=creator)
        assert ["find"] == commands.names
        assert ["_id"] == list(commands.started[0].command["filter"])

    def test_question(self, cache: Cache, commands: Commands) -> None:
        """Whether a value is there takes one command."""
        cache.put("key", 1)
        commands.clear()
        assert "key" in cache
        assert "other" not in cache
        assert ["find"] * 2 == commands.names

    def test_creation(self, cache: Cache, commands: Commands, creator: Creator) -> None:
        """An absent value takes three: look, lock and look again, store and unlock."""
        commands.clear()
        cache.get("key", createfunc=creator)
        assert ["find", "findAndModify", "update"] == commands.names

    def test_renewal(
        self, brief: Cache, commands: Commands, creator: Creator, clock: Clock
    ) -> None:
        """So does an expired value, one that was removed, and one that vanished."""
        changes: list[Callable[[], None]] = [
            lambda: clock.move(11),
            lambda: brief.remove("key"),
            lambda: clock.move(99),
        ]
        for change in changes:
            brief.get("key", createfunc=creator)
            change()
            commands.clear()
            brief.get("key", createfunc=creator)
            assert ["find", "findAndModify", "update"] == commands.names
        assert 4 == creator.calls

    def test_failed_creation(self, cache: Cache, commands: Commands, creator: Creator) -> None:
        """A creation that fails takes three as well, and leaves nothing behind."""
        creator.error = ValueError("no such thing")
        commands.clear()
        with pytest.raises(ValueError, match="no such thing"):
            cache.get("key", createfunc=creator)
        assert ["find", "findAndModify", "delete"] == commands.names

    def test_threads_together(
        self, cache: Cache, commands: Commands, creator: Creator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Threads that wait for one of their process ask nobody else."""
        waiting: list[object] = []
        real = creation.Round.wait

        def wait(self: creation.Round, deadline: float) -> Entry | None:
            waiting.append(self)
            return real(self, deadline)

        monkeypatch.setattr(creation.Round, "wait", wait)
        creator.may_return.clear()
        commands.clear()
        with ThreadPoolExecutor(16) as threads:
            answers = [threads.submit(cache.get, "key", createfunc=creator) for _ in range(16)]
            wait_until(lambda: 15 == len(waiting))
            creator.may_return.set()
            assert ["value 1"] * 16 == [answer.result(30) for answer in answers]
        assert ["find"] * 16 + ["findAndModify", "update"] == sorted(commands.names)

    def test_put_and_remove(self, cache: Cache, commands: Commands) -> None:
        """To put takes one command; to remove, two: Beaker asks first whether there is one."""
        commands.clear()
        cache.put("key", 1)
        assert ["update"] == commands.names
        cache.remove_value("key")
        assert ["update", "find", "delete"] == commands.names

    def test_clear_and_keys(self, cache: Cache, commands: Commands) -> None:
        """To clear a namespace takes one command, and to list its keys one cursor."""
        for key in range(50):
            cache.put(str(key), 1)
        commands.clear()
        assert 51 == len(cache.namespace.keys())
        cache.clear()
        assert ["find", "delete"] == commands.names
        assert [] == cache.namespace.keys()

    def test_no_regular_expression(self, cache: Cache, commands: Commands) -> None:
        """No name of a namespace or key becomes a pattern."""
        cache.namespace.keys()
        cache.clear()
        assert "regex" not in str([event.command for event in commands.started]).lower()


class TestStaleness:
    """What is answered is what is stored, or is known to be old."""

    def test_each_answer_is_of_the_moment(self, options: Options) -> None:
        """Outside of Beaker's Value, each question is asked of the database."""
        one, other = (MongoNamespaceManager("things", **options) for _ in range(2))
        one[b"key"] = 1
        assert b"key" in one
        other[b"key"] = 2
        assert 2 == one[b"key"]
        del other[b"key"]
        assert b"key" not in one
        with pytest.raises(KeyError):
            one[b"key"]
        with pytest.raises(KeyError):
            del one[b"key"]

    def test_value_s_answer_is_not_kept(self, options: Options) -> None:
        """What one get() was told is not told to the next."""
        one, other = open_cache(options), open_cache(options)
        one.put("key", 1)
        for number in range(3):
            assert "key" in one
            other.put("key", number)
            assert number == one.get("key")
            assert one.namespace.has_key(b"key")

    def test_second_answer_is_the_first_one_s(self, options: Options) -> None:
        """Between the two questions of one get(), nobody can take the value away."""
        one, other = open_cache(options), open_cache(options)
        one.put("key", 1)
        namespace = one.namespace
        namespace.acquire_read_lock()
        assert b"key" in namespace
        other.clear()
        assert 1 == namespace[b"key"][2]
        with pytest.raises(KeyError):
            namespace[b"key"]
        namespace.release_read_lock()

    def test_answer_ends_with_the_lock(self, options: Options) -> None:
        """An answer that was not used is not kept for the next time."""
        namespace = open_cache(options).namespace
        namespace[b"key"] = 1
        namespace.acquire_read_lock()
        assert b"key" in namespace
        namespace.release_read_lock()
        del open_cache(options).namespace[b"key"]
        namespace.acquire_read_lock()
        with pytest.raises(KeyError):
            namespace[b"key"]
        namespace.release_read_lock()

    def test_document_that_is_to_vanish(self, brief: Cache, database: Db) -> None:
        """What the TTL monitor has not come to remove yet is absent, whoever asks."""
        brief.put("key", 1)
        database.cache.update_one({}, {"$set": {"expires": datetime.datetime(2000, 1, 1)}})
        assert "key" not in brief
        assert not brief._get_value("key").has_value()
        assert b"key" not in brief.namespace
        assert [] == brief.namespace.keys()

    def test_value_stored_with_its_time(self, brief: Cache) -> None:
        """A value that Beaker stores with the time of an older one is as old as that."""
        value = brief._get_value("key")
        value.set_value(1, storedtime=time.time() - 5)
        assert b"key" in brief.namespace
        value.set_value(1, storedtime=time.time() - 15)
        assert b"key" not in brief.namespace
        assert value.has_value()

    def test_answers_are_per_thread(self, options: Options) -> None:
        """A thread's answer is not another one's."""
        namespace = open_cache(options).namespace
        namespace[b"key"] = (1, None, "value")
        namespace.acquire_read_lock()
        assert b"key" in namespace
        del namespace[b"key"]
        with ThreadPoolExecutor(1) as thread:
            assert not thread.submit(namespace.has_key, b"key").result()
        namespace.release_read_lock()

    def test_namespace_honours_expiry(self, brief: Cache, clock: Clock) -> None:
        """Without Beaker's Value, an expired value is absent although Value still finds it."""
        brief.put("key", 1)
        namespace = brief.namespace
        assert b"key" in namespace
        assert [b"key"] == namespace.keys()
        clock.move(11)
        assert b"key" not in namespace
        assert [] == namespace.keys()
        with pytest.raises(KeyError):
            namespace[b"key"]
        namespace.acquire_read_lock()
        assert b"key" in namespace
        namespace.release_read_lock()

    @pytest.mark.parametrize("lease", [20, 50])
    def test_expired_value_is_found_for_one_lease(
        self, options: Options, clock: Clock, lease: float
    ) -> None:
        """Beaker's Value finds an expired value for another store.lockLease."""
        brief = open_cache(options, expire=10, **{"store.lockLease": lease})
        value = brief._get_value("key")
        value.set_value(1)
        clock.move(10 + lease - 1)
        assert value.has_value()
        assert not value.has_current_value()
        clock.move(2)
        assert not value.has_value()

    def test_direct_value_expires(self, options: Options, database: Db, clock: Clock) -> None:
        """A value that is set without Beaker's Value is gone when its time is over."""
        namespace = MongoNamespaceManager("things", **options)
        namespace.set_value(b"key", 1, expiretime=10)
        document = database.cache.find_one()
        assert document is not None
        assert document["fresh_until"] == document["expires"]
        clock.move(9)
        assert 1 == namespace[b"key"]
        clock.move(2)
        namespace.acquire_read_lock()
        assert b"key" not in namespace
        namespace.release_read_lock()

    def test_ttl_index(self, options: Options, database: Db) -> None:
        """The server removes what nobody can find any more."""
        namespace = MongoNamespaceManager("things", **options)
        namespace.set_value(b"key", 1, expiretime=0.2)
        namespace[b"kept"] = 1
        # The tests' server looks every second, others every minute.
        wait_until(lambda: 1 == database.cache.count_documents({}), 30)
        assert [b"kept"] == namespace.keys()
        index = database.cache.index_information()["expires_1"]
        assert ([("expires", 1)], 0) == (index["key"], index["expireAfterSeconds"])

    def test_sweep(self, options: Options, database: Db) -> None:
        """With store.autoRemove interval, this package removes it; disabled, nobody does."""
        for how, left in (("interval", 1), ("disabled", 2)):
            database.cache.drop()
            store = {"autoRemove": how, "autoRemoveInterval": 0.0001}
            namespace = MongoNamespaceManager("things", **options, store=store)
            namespace.set_value(b"key", 1, expiretime=-1)
            time.sleep(0.02)
            namespace[b"other"] = 1
            wait_until(partial(self._has_documents, database, left))
            assert ["_id_"] == list(database.cache.index_information())

    def _has_documents(self, database: Db, number: int) -> bool:
        return number == database.cache.count_documents({})

    def test_value_that_vanished_does_not_come_back(
        self, options: Options, clock: Clock, creator: Creator, database: Db
    ) -> None:
        """Who creates a value anew does not have others served one that is long gone."""
        brief = open_cache(options, expire=10, **{"store.autoRemove": "disabled"})
        brief.put("key", "very old")
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        dates = {"fresh_until": past, "expires": past}
        database.cache.update_one({}, {"$set": dates})
        clock.move(86400)
        creator.may_return.clear()
        with ThreadPoolExecutor(2) as threads:
            answers = [threads.submit(brief.get, "key", createfunc=creator) for _ in range(2)]
            wait_until(lambda: creator.calls)
            clock.move(-86400)
            assert not brief._get_value("key").has_value()
            creator.may_return.set()
            assert ["value 1"] * 2 == [answer.result(30) for answer in answers]


class TestCreation:
    """Who creates a value, and what happens to the others."""

    def test_value_of_somebody_else_ends_the_wait(self, options: Options) -> None:
        """Who waits is served as soon as there is a value, whoever put it there."""
        one, other = open_cache(options), open_cache(options)
        lock = other.namespace.get_creation_lock(b"key")
        lock.acquire()
        with ThreadPoolExecutor(1) as thread:
            # Another cache manager's namespace in this process, so it waits in the same round.
            answer = thread.submit(one.get, "key", createfunc=lambda: "mine")
            time.sleep(0.1)
            assert not answer.done()
            other.put("key", "other")
            lock.release()
            assert "other" == answer.result(30)

    def test_direct_lock_is_exclusive(self, options: Options) -> None:
        """Whoever takes the creation lock of a value that is there is alone with it."""
        cache = open_cache(options)
        cache.put("n", 0)

        def add() -> None:
            for _ in range(5):
                assert "n" in cache
                lock = cache.namespace.get_creation_lock(b"n")
                lock.acquire()
                try:
                    cache.put("n", cache.get("n") + 1)
                finally:
                    lock.release()

        with ThreadPoolExecutor(8) as threads:
            for future in [threads.submit(add) for _ in range(8)]:
                future.result(60)
        assert 40 == cache.get("n")

    def test_deadline(self, options: Options, creator: Creator) -> None:
        """Who waits in vain for four leases gets an error; the creation goes on."""
        cache = open_cache(options, **{"store.lockLease": 0.2})
        creator.may_return.clear()
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(cache.get, "key", createfunc=creator)
            wait_until(lambda: creator.calls)
            start = time.monotonic()
            with pytest.raises(LockTimeout) as caught:
                cache.get("key", createfunc=creator)
            assert 0.8 <= caught.value.waited_seconds <= time.monotonic() - start
            creator.may_return.set()
            assert "value 1" == answer.result(30)
        assert "value 1" == cache.get("key")

    def test_deadline_with_another_process(self, options: Options, creator: Creator) -> None:
        """So does who waits for another process, and that one's lock stays."""
        waiting = open_cache(options, **{"store.lockLease": 0.2})
        # Other options, so another store: these two meet in the database alone.
        lock = open_cache(options).namespace.get_creation_lock(b"key")
        lock.acquire()
        with pytest.raises(LockTimeout) as caught:
            waiting.get("key", createfunc=creator)
        assert caught.value.waited_seconds >= 0.8
        assert not waiting.namespace.get_creation_lock(b"key").acquire(wait=False)
        lock.release()
        assert "value 1" == waiting.get("key", createfunc=creator)

    def test_newer_value_that_expired(self, options: Options, commands: Commands) -> None:
        """Who finds a newer value that has expired as well acquires the lock all the same."""
        one = open_cache(options)
        namespace = one.namespace
        namespace.acquire_read_lock()
        assert b"key" not in namespace
        namespace.release_read_lock()
        other = open_cache(options, expire=0.001)
        other.put("key", "other")
        wait_until(lambda: "key" not in other)
        lock = namespace.get_creation_lock(b"key")
        commands.clear()
        assert lock.acquire(wait=False)
        assert ["findAndModify"] * 2 == commands.names
        another = open_cache(options, **{"store.lockLease": 20}).namespace
        assert not another.get_creation_lock(b"key").acquire(wait=False)
        lock.release()

    def test_long_creation_keeps_its_lock(self, options: Options, creator: Creator) -> None:
        """A creation may take longer than the lease, and the old value stays meanwhile."""
        cache = open_cache(options, expire=1, **{"store.lockLease": 3})
        assert "value 1" == cache.get("key", createfunc=creator)
        wait_until(lambda: "key" not in cache)
        creator.may_return.clear()
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(cache.get, "key", createfunc=creator)
            wait_until(lambda: creator.calls == 2)
            deadline = time.monotonic() + 4
            while time.monotonic() < deadline:
                assert "value 1" == cache.get("key", createfunc=creator)
                time.sleep(0.05)
            creator.may_return.set()
            assert "value 2" == answer.result(30)

    @pytest.mark.parametrize("there", [False, True], ids=["absent", "expired"])
    def test_thread_that_ended_with_the_lock(
        self, options: Options, creator: Creator, *, there: bool
    ) -> None:
        """A thread that ends without a release keeps nobody waiting for long."""
        cache = open_cache(options, expire=0.001, **{"store.lockLease": 1})
        if there:
            cache.put("key", "old")
        self._end_with_the_lock(cache)
        wait_until(lambda: "value 1" == cache.get("key", createfunc=creator))
        assert 1 == creator.calls

    def test_thread_with_the_number_of_another(self, cache: Cache) -> None:
        """A thread does not take over the lock of one that ended, whose number it may have."""
        self._end_with_the_lock(cache)
        lock = cache.namespace.get_creation_lock(b"key")
        for _ in range(5):
            with ThreadPoolExecutor(1) as thread:
                assert not thread.submit(lock.acquire, wait=False).result(30)

    def _end_with_the_lock(self, cache: Cache) -> None:
        thread = threading.Thread(target=cache.namespace.get_creation_lock(b"key").acquire)
        thread.start()
        thread.join()

    def test_value_stored_before_the_lock(self, options: Options, commands: Commands) -> None:
        """Who looked, and then finds a value instead of the lock, neither locks nor looks again."""
        one, other = open_cache(options), open_cache(options, **{"store.lockLease": 20})
        namespace = one.namespace
        namespace.acquire_read_lock()
        assert b"key" not in namespace
        namespace.release_read_lock()
        other.put("key", "other")
        commands.clear()
        lock = namespace.get_creation_lock(b"key")
        assert lock.acquire()
        namespace.acquire_read_lock()
        assert b"key" in namespace
        assert "other" == namespace[b"key"][2]
        namespace.release_read_lock()
        lock.release()
        assert ["findAndModify"] == commands.names

    def test_clear_during_creation(self, cache: Cache, creator: Creator) -> None:
        """A namespace may be cleared while a value is created; the value is stored all the same."""
        creator.may_return.clear()
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(cache.get, "key", createfunc=creator)
            wait_until(lambda: creator.calls)
            cache.clear()
            creator.may_return.set()
            assert "value 1" == answer.result(30)
        assert "value 1" == cache.get("key")

    def test_lost_lease(self, cache: Cache, creator: Creator, database: Db) -> None:
        """Who lost the lease while creating leaves alone what others stored meanwhile."""

        def create() -> str:
            database.cache.update_one({}, {"$set": {"owner": "another"}})
            with ThreadPoolExecutor(1) as thread:
                thread.submit(cache.put, "key", "newer").result()
            return "older"

        assert "older" == cache.get("key", createfunc=create)
        assert "newer" == cache.get("key", createfunc=creator)
        document = database.cache.find_one()
        assert document is not None
        assert "another" == document["owner"]

    def test_readers_and_writers(self, cache: Cache) -> None:
        """The creation lock has readers, who share it, and a writer, who does not."""
        lock = cache.namespace.get_creation_lock(b"key")

        def attempt(kind: str) -> bool:
            other = cache.namespace.get_creation_lock(b"key")
            if not getattr(other, f"acquire_{kind}_lock")(wait=False):
                return False
            getattr(other, f"release_{kind}_lock")()
            return True

        with ThreadPoolExecutor(1) as thread:

            def others() -> list[bool]:
                return [thread.submit(attempt, kind).result(30) for kind in ("read", "write")]

            lock.acquire_read_lock()
            lock.acquire_read_lock()
            assert [True, False] == others()
            lock.release_read_lock()
            assert [True, False] == others()
            lock.release_read_lock()
            assert [True, True] == others()
            lock.acquire_write_lock()
            assert [False, False] == others()
            lock.release_write_lock()
            assert [True, True] == others()

    def test_misuse_of_the_lock(self, cache: Cache) -> None:
        """As with Beaker's locks, a release without a lock and a change of kind are errors."""
        lock = cache.namespace.get_creation_lock(b"key")
        for wrong in (lock.release, lock.release_read_lock):
            with pytest.raises(LockError):
                wrong()
        lock.acquire_read_lock()
        for wrong in (lock.acquire, lock.release):
            with pytest.raises(LockError):
                wrong()
        lock.release_read_lock()
        lock.acquire()
        for wrong in (lock.acquire_read_lock, lock.release_read_lock):
            with pytest.raises(LockError):
                wrong()
        lock.release()


class TestValues:
    """What is stored, and what is not."""

    def test_too_large(self, cache: Cache) -> None:
        """A value over 16 MB is an error that names the key, and the old value stays."""
        cache.put("key", "old")
        with pytest.raises(SerializationError, match=r"b'key'.*16 MB") as caught:
            cache.put("key", b"x" * (16 * 1024 * 1024))
        assert "b'key'" == caught.value.path
        assert "old" == cache.get("key")
        cache.put("key", b"x" * (16 * 1024 * 1024 - 20_000))
        assert 16 * 1024 * 1024 - 20_000 == len(cache.get("key"))

    def test_too_large_creation(self, cache: Cache, creator: Creator) -> None:
        """So it is when it was created; the next one may try at once."""
        with pytest.raises(SerializationError, match="b'key'"):
            cache.get("key", createfunc=lambda: b"x" * (16 * 1024 * 1024))
        assert "value 1" == cache.get("key", createfunc=creator)

    def test_not_picklable(self, cache: Cache) -> None:
        """A value that cannot be pickled is an error that names the key, not the value."""
        cache.put("key", "old")
        with pytest.raises(SerializationError, match="b'key'") as caught:
            cache.put("key", {"secret": lambda: None})
        assert "secret" not in str(caught.value)
        assert "old" == cache.get("key")

    @pytest.mark.parametrize("key", [1, -5, 2**62, "text", b"bytes"])
    def test_keys_of_a_namespace(self, options: Options, key: Any) -> None:
        """Directly, keys are text, bytes or numbers, each a key of its own."""
        namespace = MongoNamespaceManager("things", **options)
        for other in ("1", b"text", "bytes", b"1"):
            namespace[other] = "other"
        assert key not in namespace
        namespace[key] = "mine"
        assert "mine" == namespace[key]
        keys = namespace.keys()
        assert (5, True) == (len(keys), key in keys)
        del namespace[key]
        assert 4 == len(namespace.keys())

    @pytest.mark.parametrize("key", [None, 1.5, ("a", 1), {"$gt": ""}, MinKey()])
    def test_no_key(self, options: Options, key: Any) -> None:
        """Anything else is an error that says so, and no query."""
        namespace = MongoNamespaceManager("things", **options)
        namespace[b"key"] = 1
        for use in (
            namespace.has_key,
            namespace.__getitem__,
            namespace.__delitem__,
            lambda key: namespace.set_value(key, 1),
        ):
            with pytest.raises(SerializationError, match="key"):
                use(key)
        assert [b"key"] == namespace.keys()

    def test_document(self, cache: Cache, database: Db) -> None:
        """A document holds its namespace and key as they are, and no lease once it is created."""
        cache.get("key", createfunc=lambda: 1)
        document = database.cache.find_one()
        assert document is not None
        assert {"ns": "things", "key": b"key"} == document["_id"]
        assert {"_id", "value", "version", "fresh_until", "expires"} == set(document)
        assert (None, None) == (document["fresh_until"], document["expires"])

    def test_never_is_never(self, options: Options) -> None:
        """A time to live beyond the calendar is for ever."""
        namespace = MongoNamespaceManager("things", **options)
        namespace.set_value(b"key", 1, expiretime=1e18)
        assert 1 == namespace[b"key"]

    def test_collection_option(self, options: Options, database: Db) -> None:
        """The option collection names another collection."""
        open_cache(options, collection="pages").put("key", 1)
        assert ["pages"] == database.list_collection_names()


class TestTrust:
    """Databases that others may write to."""

    @pytest.fixture
    def signed(self, options: Options) -> Cache:
        """Return a cache that signs its values."""
        return open_cache(options, **{"store.signingKey": "secret"})

    @pytest.fixture
    def loads(self, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
        """Record what is unpickled."""
        loaded: list[bytes] = []
        real = pickle.loads

        def load(payload: bytes) -> Any:
            loaded.append(payload)
            return real(payload)

        monkeypatch.setattr(pickle, "loads", load)
        return loaded

    @pytest.mark.parametrize(
        "tampering",
        [
            {"value": b"cos\nsystem\n(S'true'\ntR."},
            {"signature": b"x" * 32},
            {"signature": None},
            {"signature": "text"},
            {"value": "text"},
            {"value": None},
        ],
        ids=range(6),
    )
    def test_value_without_a_good_signature(
        self,
        signed: Cache,
        database: Db,
        creator: Creator,
        loads: list[bytes],
        caplog: pytest.LogCaptureFixture,
        tampering: dict[str, Any],
    ) -> None:
        """It is never unpickled: the namespace says so, and Beaker's Value creates a new one."""
        signed.put("key", "value")
        database.cache.update_one({}, {"$set": tampering})
        namespace = signed.namespace
        with pytest.raises(SerializationError, match=r"signature.*signingKey"):
            namespace[b"key"]
        with caplog.at_level(logging.WARNING, cache_namespace.__name__):
            assert "key" not in signed
            assert "value 1" == signed.get("key", createfunc=creator)
        assert "counts as absent" in caplog.text
        assert "secret" not in caplog.text
        assert [] == loads
        assert "value 1" == signed.get("key")

    def test_value_of_another_place(
        self, signed: Cache, options: Options, database: Db, loads: list[bytes]
    ) -> None:
        """A signed value counts only in its own namespace and under its own key."""
        signed.put("one", 1)
        document = database.cache.find_one()
        assert document is not None
        for place in ({"ns": "things", "key": b"two"}, {"ns": "others", "key": b"one"}):
            database.cache.insert_one(document | {"_id": place})
        others = Cache("others", type="ext:mongodb_soajs", **signed.nsargs)
        assert "two" not in signed
        assert "one" not in others
        assert [] == loads
        assert "one" in signed

    def test_change_of_the_key(self, signed: Cache, options: Options, creator: Creator) -> None:
        """After a change of signingKey, values are created anew."""
        signed.get("key", createfunc=creator)
        changed = open_cache(options, **{"store.signingKey": "another"})
        assert "value 2" == changed.get("key", createfunc=creator)
        assert "value 2" == changed.get("key", createfunc=creator)

    @pytest.mark.parametrize("value", [b"garbage", b"", b"cno.such.module\nname\n.", 5, None, []])
    def test_garbage(self, cache: Cache, database: Db, creator: Creator, value: Any) -> None:
        """What cannot be unpickled, as after a class moved, is created anew."""
        cache.put("key", 1)
        database.cache.update_one({}, {"$set": {"value": value}})
        with pytest.raises(SerializationError, match="unpickled"):
            cache.namespace[b"key"]
        assert "value 1" == cache.get("key", createfunc=creator)
        assert "value 1" == cache.get("key")

    @pytest.mark.parametrize("field", ["version", "expires", "fresh_until", "signature"])
    @pytest.mark.parametrize("planted", [None, "text", 5, [], {}, MaxKey()], ids=range(6))
    def test_odd_documents(
        self, cache: Cache, database: Db, creator: Creator, field: str, planted: Any
    ) -> None:
        """Whatever stands in a document's other fields, the value is served or created."""
        cache.put("key", "old")
        database.cache.update_one({}, {"$set": {field: planted}})
        assert cache.get("key", createfunc=creator) in ("old", "value 1")


class TestOutage:
    """Databases that do not answer."""

    @pytest.mark.parametrize("command", ["find", "findAndModify", "update"])
    def test_error(
        self, cache: Cache, fail_point: FailPoint, creator: Creator, command: str
    ) -> None:
        """Without the database there is an error, and afterwards everything is as before."""
        cache.put("warm", 1)
        with fail_point(command, error_code=96), pytest.raises(StoreUnavailable):
            cache.get("key", createfunc=creator)
        number = creator.calls + 1
        assert f"value {number}" == cache.get("key", createfunc=creator)

    def test_clear_in_batches(
        self, options: Options, commands: Commands, monkeypatch: pytest.MonkeyPatch, database: Db
    ) -> None:
        """A namespace too large for one command of a second is deleted in several."""
        monkeypatch.setattr(module, "_FIRST_BATCH_MS", 1)
        cache = open_cache(options)
        database.cache.insert_many(
            {"_id": {"ns": "things", "key": number}, "value": b""} for number in range(20_000)
        )
        cache.put("key", 1)
        commands.clear()
        cache.clear()
        assert {"delete"} == set(commands.names)
        assert 1 < len(commands.names)
        assert 0 == database.cache.count_documents({})

    @pytest.mark.parametrize("code", [50, 96])
    def test_clear_through_a_router(
        self, cache: Cache, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        """A mongos, which the tests have none of, tells in its answer what went wrong."""
        answers = [{"ok": 1.0, "n": 5, "writeErrors": [{"code": code}]}, {"ok": 1.0, "n": 1}]
        cache.put("key", 1)
        with monkeypatch.context() as patch:
            patch.setattr(Database, "command", lambda *_args, **_more: answers.pop(0))
            if code == 50:
                cache.clear()
                assert [] == answers
            else:
                with pytest.raises(StoreUnavailable, match="96"):
                    cache.clear()

    def test_clear_that_is_not_replicated(self, cache: Cache, fail_point: FailPoint) -> None:
        """A deletion whose write concern is not met is an error."""
        cache.put("key", 1)
        unmet = {"code": 64, "errmsg": "waiting for replication timed out"}
        with (
            fail_point("delete", writeConcernError=unmet),
            pytest.raises(StoreUnavailable, match="64"),
        ):
            cache.clear()

    def test_clear_fails(self, cache: Cache, fail_point: FailPoint) -> None:
        """Any other error of a deletion is an error."""
        cache.put("key", 1)
        with fail_point("delete", error_code=96), pytest.raises(StoreUnavailable):
            cache.clear()
        assert "key" in cache


@pytest.fixture(scope="module")
def entries(mongo_client: Any, mongo_url: str) -> Iterator[Options]:
    """Fill a database."""
    name = f"test_{uuid.uuid4().hex}"
    database = mongo_client[name]
    payload = pickle.dumps((time.time(), None, "value"))
    for first in range(0, LARGE, 10_000):
        database.cache.insert_many(
            {
                "_id": {"ns": f"n{number % NAMES}", "key": str(number).encode()},
                "value": payload,
                "version": number,
                "fresh_until": None,
                "expires": None,
            }
            for number in range(first, first + 10_000)
        )
    yield {"url": mongo_url, "name": name}
    mongo_client.drop_database(name)


class TestScale:
    """A hundred thousand entries in a thousand namespaces."""

    def test_clear_examines_its_own(
        self, entries: Options, mongo_client: Any, commands: Commands
    ) -> None:
        """To clear or list one namespace, the server looks at its hundred entries alone."""
        commands.databases.add(entries["name"])
        cache = Cache("n1", type="ext:mongodb_soajs", **entries)
        assert 100 == len(cache.namespace.keys())
        cache.clear()
        assert [] == cache.namespace.keys()
        database = mongo_client[entries["name"]]
        assert LARGE - 100 == database.cache.count_documents({})
        (delete,) = [event.command for event in commands.started if event.command_name == "delete"]
        (find, _) = [event.command for event in commands.started if event.command_name == "find"]
        for query in (delete["deletes"][0]["q"], find["filter"]):
            # The namespace beside it has as many, and is still there.
            for bound in query["_id"].values():
                bound["ns"] = "n2"
            plan = database.command(
                "explain",
                {"find": "cache", "filter": query},
                verbosity="executionStats",
            )["executionStats"]
            assert (100, 100) == (plan["nReturned"], plan["totalDocsExamined"])
            assert plan["totalKeysExamined"] <= 101

    def test_hit_costs_what_it_costs_with_few(
        self, entries: Options, options: Options, mongo_client: Any
    ) -> None:
        """A hit goes straight to its entry, however many others there are."""
        many = Cache("n5", type="ext:mongodb_soajs", **entries)
        few = Cache("n5", type="ext:mongodb_soajs", **options)
        keys = [str(number).encode() for number in range(5, LARGE, NAMES)]
        for key in keys:
            few.put(key, "value")
        spent: dict[Cache, list[float]] = {many: [], few: []}
        for _ in range(5):
            for key in keys:
                for cache, times in spent.items():
                    start = time.perf_counter()
                    assert "value" == cache.get(key)
                    times.append(time.perf_counter() - start)
        assert median(spent[many]) < 1.5 * median(spent[few])
        plan = mongo_client[entries["name"]].command(
            "explain",
            {"find": "cache", "filter": {"_id": {"ns": "n5", "key": b"5"}}},
            verbosity="executionStats",
        )
        assert "IDHACK" == plan["queryPlanner"]["winningPlan"]["stage"]
        assert 1 == plan["executionStats"]["totalKeysExamined"]


class TestRegions:
    """Regions, each with a database of its own."""

    @pytest.fixture(autouse=True)
    def _fresh_regions(self) -> Iterator[None]:
        yield
        cache_regions.clear()

    def test_each_has_its_own_dbconfig(
        self, options: Options, database: Db, tmp_path: Path
    ) -> None:
        """A region's dbConfig may be a file, JSON text or options one by one."""
        path = tmp_path / "dbconfig.json"
        path.write_text(json.dumps(options | {"collection": "from_file"}))
        settings = {
            "cache.regions": "file, text, dotted",
            "cache.file.type": "ext:mongodb_soajs",
            "cache.file.dbConfig": str(path),
            "cache.text.type": "ext:mongodb_soajs",
            "cache.text.dbConfig": json.dumps(options | {"collection": "from_text"}),
            "cache.dotted.type": "ext:mongodb_soajs",
            "cache.dotted.url": options["url"],
            "cache.dotted.name": options["name"],
            "cache.dotted.collection": "dotted",
            "cache.dotted.store.lockLease": "5",
        }
        manager = CacheManager(**parse_cache_config_options(settings))
        for region in ("file", "text", "dotted"):
            manager.get_cache_region(f"things of {region}", region).put("key", region)
        for collection in ("from_file", "from_text", "dotted"):
            assert 1 == database[collection].count_documents({})

    def test_sessions_and_caches_in_one_database(self, options: Options, database: Db) -> None:
        """The same options serve sessions and caches, each in a collection of their own."""
        open_cache(options).put("key", 1)
        session = MongoNamespaceManager("id", digest_filenames=False, **options)
        assert "session" not in session
        assert 1 == database.cache.count_documents({})
        assert [b"key"] == open_cache(options).namespace.keys()

    def test_names_side_by_side(self, options: Options, database: Db) -> None:
        """Odd names of namespaces are stored as they are, and found by nothing else."""
        for name in NAMESPACES:
            MongoNamespaceManager(name, **options)[b"key"] = name
        assert set(NAMESPACES) == {document["_id"]["ns"] for document in database.cache.find()}
        for name in NAMESPACES:
            namespace = MongoNamespaceManager(name, **options)
            assert (name, [b"key"]) == (namespace[b"key"], namespace.keys())
            namespace.remove()
            assert [] == namespace.keys()
        assert 0 == database.cache.count_documents({})
