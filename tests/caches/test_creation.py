"""Values that one thread creates while others wait."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from beaker.cache import Cache
from beaker.exceptions import LockError

from beaker_mongo_soajs import LockTimeout
from beaker_mongo_soajs.backend import creation_lock, single_flight
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.renewal import get_renewer
from tests.caches.doubles import Creator
from tests.caches.support import open_cache
from tests.conftest import Db, Options
from tests.recorder import Commands
from tests.waiting import wait_until


class TestCreation:
    """The creator of a value, and the callers that wait."""

    def test_value_of_somebody_else_ends_the_wait(
        self, options: Options, commands: Commands
    ) -> None:
        """Waiting callers return as soon as any caller has stored a value."""
        one, other = open_cache(options), open_cache(options)
        lock = other.namespace.get_creation_lock(b"key")
        lock.acquire()
        with ThreadPoolExecutor(1) as thread:
            # Another cache manager's namespace in this process, so it waits in the same round.
            answer = thread.submit(one.get, "key", createfunc=lambda: "mine")
            wait_until(lambda: "find" in commands.names)
            assert not answer.done()
            other.put("key", "other")
            lock.release()
            assert "other" == answer.result(30)

    def test_direct_lock_is_exclusive(self, options: Options) -> None:
        """The creation lock of an existing value is exclusive."""
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
        """A wait of four leases ends in an error; the creation continues."""
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
        """A wait for another process ends sooner if that one does not extend its lease.

        Its lock stays.
        """
        waiting = open_cache(options, **{"store.lockLease": 0.2})
        # Other options, so another store: these two meet in the database alone.
        lock = open_cache(options).namespace.get_creation_lock(b"key")
        lock.acquire()
        with pytest.raises(LockTimeout) as caught:
            waiting.get("key", createfunc=creator)
        assert 0.3 <= caught.value.waited_seconds < 0.8
        assert not waiting.namespace.get_creation_lock(b"key").acquire(wait=False)
        lock.release()
        assert "value 1" == waiting.get("key", createfunc=creator)

    def test_newer_value_that_expired(self, options: Options, commands: Commands) -> None:
        """A newer value that has also expired does not prevent the lock from being acquired."""
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
        assert ["findAndModify", "find", "findAndModify"] == commands.names
        another = open_cache(options, **{"store.lockLease": 20}).namespace
        assert not another.get_creation_lock(b"key").acquire(wait=False)
        lock.release()

    @pytest.mark.slow
    def test_long_creation_keeps_its_lock(
        self, options: Options, creator: Creator, commands: Commands
    ) -> None:
        """A creation may take longer than the lease; the old value is returned meanwhile."""
        cache = open_cache(options, expire=1, **{"store.lockLease": 1.5})
        assert "value 1" == cache.get("key", createfunc=creator)
        wait_until(lambda: "key" not in cache)
        creator.may_return.clear()
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(cache.get, "key", createfunc=creator)
            wait_until(lambda: creator.calls == 2)
            commands.clear()
            # The fourth extension of a lease comes after its end.
            while commands.names.count("update") < 4:
                assert "value 1" == cache.get("key", createfunc=creator)
            creator.may_return.set()
            assert "value 2" == answer.result(30)

    @pytest.mark.parametrize("there", [False, True], ids=["absent", "expired"])
    def test_thread_that_ended_with_the_lock(
        self, options: Options, creator: Creator, *, there: bool
    ) -> None:
        """The lock of a thread that ended without a release is free soon."""
        cache = open_cache(options, expire=0.001, **{"store.lockLease": 1})
        if there:
            cache.put("key", "old")
        self._end_with_the_lock(cache)
        wait_until(lambda: "value 1" == cache.get("key", createfunc=creator))
        assert 1 == creator.calls

    def test_thread_with_the_number_of_another(self, cache: Cache) -> None:
        """A thread does not take over the lock of an ended thread with the same id."""
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
        """A caller that finds a new value when it asks for the lock does not read it again."""
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
        assert ["findAndModify", "find"] == commands.names

    def test_clear_during_creation(self, cache: Cache, creator: Creator) -> None:
        """A value that is created while its namespace is cleared is stored."""
        creator.may_return.clear()
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(cache.get, "key", createfunc=creator)
            wait_until(lambda: creator.calls)
            cache.clear()
            creator.may_return.set()
            assert "value 1" == answer.result(30)
        assert "value 1" == cache.get("key")

    def test_lost_lease(self, cache: Cache, creator: Creator, database: Db) -> None:
        """A creator that lost its lease does not overwrite a value that others have stored."""

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

    def test_release_that_meets_an_extension(
        self, cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An extension right after the command that released a lease warns of no loss."""
        real = StoreCollection.update

        def update(self: StoreCollection, query: Any, update: Any, **more: Any) -> bool:
            found = real(self, query, update, **more)
            if "value" in update.get("$set", {}):
                get_renewer(self.config.connection_key, 30)._extend_all()
            return found

        monkeypatch.setattr(StoreCollection, "update", update)
        assert 1 == cache.get("key", createfunc=lambda: 1)
        assert "lost" not in caplog.text

    def test_lock_of_a_text_key(self, cache: Cache, creator: Creator) -> None:
        """The creation lock of a text key is the lock under which a cache creates its value."""
        creator.may_return.clear()
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(cache.get_value, "key", createfunc=creator)
            wait_until(lambda: creator.calls)
            assert not cache.namespace.get_creation_lock("key").acquire(wait=False)
            creator.may_return.set()
            assert "value 1" == answer.result(30)

    def test_readers_and_writers(self, cache: Cache) -> None:
        """Readers share the creation lock; a writer does not."""
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

    def test_a_value_is_stored_under_a_lock_of_the_application(self, options: Options) -> None:
        """A lock that an application acquired is held until it releases it, whatever it stores."""
        cache, other = open_cache(options), open_cache(options, **{"store.lockLease": 20})
        lock = cache.namespace.get_creation_lock(b"key")
        lock.acquire()
        cache.put("key", 1)
        others = other.namespace.get_creation_lock(b"key")
        assert not others.acquire(wait=False)
        lock.release()
        assert others.acquire(wait=False)
        others.release()

    def test_a_nested_creation_keeps_the_lock(self, options: Options) -> None:
        """A value that is stored within its own creation does not release the outer lock."""
        cache, other = open_cache(options), open_cache(options, **{"store.lockLease": 20})
        acquired: list[bool] = []

        def create() -> str:
            inner: str = cache.get("key", createfunc=lambda: "inner")
            acquired.append(other.namespace.get_creation_lock(b"key").acquire(wait=False))
            return f"{inner}, outer"

        assert "inner, outer" == cache.get("key", createfunc=create)
        assert [False] == acquired
        assert "inner, outer" == cache.get("key")

    def test_a_value_is_stored_twice_under_its_lock(self, cache: Cache) -> None:
        """What a creation function returns replaces what it stored itself."""

        def create() -> str:
            cache.put("key", "first")
            return "second"

        assert "second" == cache.get("key", createfunc=create)
        assert "second" == cache.get("key")

    def test_a_writer_that_gives_up(self, options: Options) -> None:
        """After a writer has given up, new readers get the lock again."""
        cache = open_cache(options, **{"store.lockLease": 0.2})
        with ThreadPoolExecutor(1) as thread:
            # The lease of a reader would run out, and nothing extends it without its thread.
            reader = open_cache(options).namespace.get_creation_lock(b"key")
            thread.submit(reader.acquire_read_lock).result(30)
            with pytest.raises(LockTimeout):
                cache.namespace.get_creation_lock(b"key").acquire()
            another = cache.namespace.get_creation_lock(b"key")
            assert another.acquire_read_lock(wait=False)
            another.release_read_lock()
            thread.submit(reader.release_read_lock).result(30)

    def test_a_reader_waits_for_the_writer(self, options: Options, commands: Commands) -> None:
        """A reader acquires the lock as soon as the writer has released it."""
        namespace = open_cache(options).namespace
        writer, reader = (namespace.get_creation_lock(b"key") for _ in range(2))
        writer.acquire()
        commands.clear()
        with ThreadPoolExecutor(1) as thread:
            acquired = thread.submit(reader.acquire_read_lock)
            wait_until(lambda: commands.names)
            writer.release()
            assert acquired.result(30)
            thread.submit(reader.release_read_lock).result(30)

    def test_an_ended_creation_leaves_the_next_one_alone(self, cache: Cache) -> None:
        """A thread that finds a creation ended does not remove one that began meanwhile."""
        lock = cache.namespace.get_creation_lock(b"key")
        lock.acquire()
        running = dict(creation_lock._flights)
        lock._drop(single_flight.SingleFlight())
        assert running == creation_lock._flights
        lock.release()

    def test_misuse_of_the_lock(self, cache: Cache) -> None:
        """A release without a lock, and mixing reader and writer, are errors, as in Beaker."""
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
