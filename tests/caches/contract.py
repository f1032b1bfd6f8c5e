"""The contract of a Beaker cache, whatever its backend is.

The promises are those of Beaker's ``caching.rst``, of the docstrings of ``beaker.cache`` and
``beaker.container``, and of the code of ``Value``.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from beaker import cache as beaker_cache
from beaker.cache import Cache, CacheManager
from beaker.container import MemoryNamespaceManager, Value

from tests.caches.doubles import SECONDS, Clock, Creator
from tests.caches.region_contract import RegionContract
from tests.waiting import wait_until

NAMESPACES = ["a", "ab", "a.b", "a:b", ".*", "", "名前", "x" * 1000]
KEYS = ["a", "ab", "a.b", ".*", "$a", "", "\0", "ключ", "x" * 2000, b"bytes", b"\xff\x00"]
VALUES = [
    *(None, 0, "", False, 1.5, 10**30, "text", b"bytes", "\ud800"),
    *([1, (2, {3})], {"a": {1: None}}, KeyError("key"), Path("a/b"), (1, 2, 3), (1, 2)),
]


class CacheContract(RegionContract):
    """The contract. A subclass sets its backend in the fixture ``cache_options``."""

    @pytest.fixture
    def cache_options(self) -> dict[str, Any]:
        """Return the options of a cache, without Beaker's prefix."""
        raise NotImplementedError

    @pytest.fixture
    def settings(self, cache_options: dict[str, Any]) -> dict[str, str]:
        """Return the same options as texts, as from an INI file."""
        return {name: str(value) for name, value in cache_options.items()}

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """Take over the clock that this process's caches go by."""
        clock = Clock()
        monkeypatch.setattr(time, "time", clock.time)
        return clock

    @pytest.fixture(autouse=True)
    def _fresh_beaker(self) -> Iterator[None]:
        # Beaker keeps these for as long as the process lives.
        regions = dict(beaker_cache.cache_regions)
        yield
        beaker_cache.cache_managers.clear()
        beaker_cache.cache_regions.clear()
        beaker_cache.cache_regions.update(regions)
        MemoryNamespaceManager.namespaces.clear()

    @pytest.fixture
    def manager(self, cache_options: dict[str, Any]) -> CacheManager:
        """Return a cache manager."""
        return CacheManager(**cache_options)

    @pytest.fixture
    def cache(self, manager: CacheManager) -> Cache:
        """Return a cache whose values never expire."""
        cache: Cache = manager.get_cache("things")
        return cache

    @pytest.fixture
    def brief(self, manager: CacheManager) -> Cache:
        """Return a cache whose values expire after ten seconds."""
        cache: Cache = manager.get_cache("brief", expire=10)
        return cache

    @pytest.fixture
    def creator(self) -> Creator:
        """Return a creation function."""
        return Creator()

    # Values, by key.

    def test_created_once(self, cache: Cache, creator: Creator) -> None:
        """A value is created when it is first asked for, and kept."""
        assert ["value 1"] * 3 == [cache.get("key", createfunc=creator) for _ in range(3)]
        assert 1 == creator.calls

    def test_absent_value(self, cache: Cache) -> None:
        """Without a creation function, an absent value is a KeyError, and is not in the cache."""
        assert "key" not in cache
        assert not cache.has_key("key")
        with pytest.raises(KeyError):
            cache.get("key")
        with pytest.raises(KeyError):
            cache["key"]

    @pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
    def test_any_value(self, cache: Cache, value: Any) -> None:
        """Values of any kind that can be pickled come back equal, and of the same type."""
        cache.put("key", value)
        assert "key" in cache
        cache.get("created", createfunc=lambda: value)
        for found in (cache.get("key"), cache.get("created")):
            assert (type(value), repr(value)) == (type(found), repr(found))

    @pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
    def test_any_key(self, cache: Cache, key: str | bytes) -> None:
        """Keys are text of any script or bytes, of any length."""
        for other in KEYS:
            if other != key:
                cache.put(other, "other")
        assert key not in cache
        cache.put(key, "mine")
        assert "mine" == cache.get(key)
        cache.remove_value(key)
        assert key not in cache
        assert ["other"] * (len(KEYS) - 1) == [cache.get(k) for k in KEYS if k != key]

    def test_dictionary(self, cache: Cache) -> None:
        """A cache is used like a dictionary."""
        cache["key"] = 1
        assert "key" in cache
        assert cache.has_key("key")
        assert 1 == cache["key"]
        cache["key"] = 2
        assert 2 == cache["key"]
        del cache["key"]
        assert "key" not in cache

    def test_put_replaces(self, cache: Cache, creator: Creator) -> None:
        """A put value replaces a created one; the aliases do the same."""
        cache.get("key", createfunc=creator)
        cache.put("key", "new")
        assert "new" == cache.get("key", createfunc=creator)
        cache.set_value("key", "newer")
        assert "newer" == cache.get_value("key", createfunc=creator)

    def test_remove(self, cache: Cache, creator: Creator) -> None:
        """A removed value is created again; removing an absent value does nothing."""
        cache.remove_value("key")
        cache.get("key", createfunc=creator)
        cache.remove("key")
        assert "value 2" == cache.get("key", createfunc=creator)

    @pytest.mark.parametrize("cleared", NAMESPACES, ids=range(len(NAMESPACES)))
    def test_clear(self, manager: CacheManager, cleared: str) -> None:
        """Clearing a namespace leaves all others as they are, whatever their names."""
        for name in NAMESPACES:
            for key in ("a", "b"):
                manager.get_cache(name).put(key, name)
        manager.get_cache(cleared).clear()
        for name in NAMESPACES:
            found = [key in manager.get_cache(name) for key in ("a", "b")]
            assert [name != cleared] * 2 == found, name

    def test_keys(self, cache: Cache) -> None:
        """A namespace lists its keys, as bytes."""
        for key in ("a", "b", "ключ"):
            cache.put(key, 1)
        assert {b"a", b"b", "ключ".encode("ascii", "backslashreplace")} == set(
            cache.namespace.keys()
        )
        cache.clear()
        assert [] == list(cache.namespace.keys())

    # Time.

    @pytest.mark.parametrize("later_seconds", [2, 100_000])
    def test_expired_value_is_created_anew(
        self, brief: Cache, creator: Creator, clock: Clock, later_seconds: float
    ) -> None:
        """A value is returned until it expires, and then created again."""
        assert "value 1" == brief.get("key", createfunc=creator)
        clock.move(9)
        assert "value 1" == brief.get("key", createfunc=creator)
        clock.move(later_seconds)
        assert "value 2" == brief.get("key", createfunc=creator)
        assert "value 2" == brief.get("key")

    @pytest.mark.parametrize("later_seconds", [11, 1000])
    def test_expired_value_is_absent(
        self, brief: Cache, clock: Clock, later_seconds: float
    ) -> None:
        """Without a creation function, an expired value is absent."""
        brief.put("key", 1)
        clock.move(later_seconds)
        assert "key" not in brief
        with pytest.raises(KeyError):
            brief.get("key")

    def test_expiry_of_one_value(self, cache: Cache, creator: Creator, clock: Clock) -> None:
        """Each value may have its own lifetime."""
        cache.get("brief", createfunc=creator, expiretime=5)
        cache.get("long", createfunc=creator)
        clock.move(6)
        assert "value 3" == cache.get("brief", createfunc=creator, expiretime=5)
        assert "value 2" == cache.get("long", createfunc=creator)

    def test_value_counts_from_when_it_was_stored(self, brief: Cache, clock: Clock) -> None:
        """Reading a value does not extend its lifetime; putting it again does."""
        brief.put("key", 1)
        clock.move(6)
        assert 1 == brief.get("key")
        brief.put("key", 2)
        clock.move(6)
        assert 2 == brief.get("key")
        clock.move(6)
        assert "key" not in brief

    def test_start_time(self, manager: CacheManager, creator: Creator, clock: Clock) -> None:
        """A value older than the start time is created again."""
        manager.get_cache("things").get("key", createfunc=creator)
        clock.move(10)
        later = manager.get_cache("things", starttime=clock.time())
        clock.move(1)
        assert "key" not in later
        assert ["value 2"] * 2 == [later.get("key", createfunc=creator) for _ in range(2)]

    def test_value_object(self, cache: Cache, creator: Creator, clock: Clock) -> None:
        """A Value distinguishes stored, current and possible values."""
        value = Value(b"key", cache.namespace, createfunc=creator, expiretime=10)
        bare = Value(b"key", cache.namespace, expiretime=10)
        assert (False, False, True) == _describe(value)
        assert (False, False, False) == _describe(bare)
        value.get_value()
        assert (True, True, True) == _describe(bare)
        clock.move(11)
        # Beaker: "This is regardless of it being expired or not."
        assert (True, False, False) == _describe(bare)
        assert "value 2" == value.get_value()
        bare.clear_value()
        assert (False, False, False) == _describe(bare)

    # Creation.

    def test_threads_create_once(self, cache: Cache, creator: Creator) -> None:
        """Threads that read an absent value at the same time wait for the one that creates it."""
        creator.may_return.clear()
        with ThreadPoolExecutor(16) as threads:
            answers = [threads.submit(cache.get, "key", createfunc=creator) for _ in range(16)]
            wait_until(lambda: creator.calls)
            creator.may_return.set()
            assert ["value 1"] * 16 == [answer.result(SECONDS) for answer in answers]
        assert 1 == creator.calls

    def test_old_value_meanwhile(self, brief: Cache, creator: Creator, clock: Clock) -> None:
        """While one thread creates a new value, the others get the expired one."""
        brief.get("key", createfunc=creator)
        clock.move(11)
        creator.may_return.clear()
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(brief.get, "key", createfunc=creator)
            wait_until(lambda: creator.calls == 2)
            assert ["value 1"] * 3 == [brief.get("key", createfunc=creator) for _ in range(3)]
            creator.may_return.set()
            assert "value 2" == answer.result(SECONDS)
        assert "value 2" == brief.get("key", createfunc=creator)
        assert 2 == creator.calls

    def test_keys_are_created_side_by_side(self, cache: Cache, creator: Creator) -> None:
        """The creation of one value does not block another key."""
        creator.may_return.clear()
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(cache.get, "slow", createfunc=creator)
            wait_until(lambda: creator.calls)
            assert "quick" == cache.get("other", createfunc=lambda: "quick")
            assert not answer.done()
            creator.may_return.set()
            assert "value 1" == answer.result(SECONDS)

    def test_failed_creation(self, cache: Cache, creator: Creator) -> None:
        """An error of the creation function reaches its caller, and nothing is stored."""
        creator.error = ValueError("no such thing")
        with pytest.raises(ValueError, match="no such thing"):
            cache.get("key", createfunc=creator)
        assert "key" not in cache
        assert [] == list(cache.namespace.keys())
        creator.error = None
        assert "value 2" == cache.get("key", createfunc=creator)

    def test_failed_renewal(self, brief: Cache, creator: Creator, clock: Clock) -> None:
        """After an error while an expired value is renewed, the next caller tries again."""
        brief.get("key", createfunc=creator)
        clock.move(11)
        creator.error = ValueError("no such thing")
        with pytest.raises(ValueError, match="no such thing"):
            brief.get("key", createfunc=creator)
        creator.error = None
        assert "value 3" == brief.get("key", createfunc=creator)

    def test_failed_creation_with_others_waiting(self, cache: Cache, creator: Creator) -> None:
        """If a creation fails, the next waiting caller tries, and all get its value."""
        creator.may_return.clear()
        creator.error = ValueError("no such thing")
        with ThreadPoolExecutor(9) as threads:
            first = threads.submit(cache.get, "key", createfunc=creator)
            wait_until(lambda: creator.calls)
            others = [threads.submit(cache.get, "key", createfunc=lambda: "good") for _ in range(8)]
            creator.may_return.set()
            with pytest.raises(ValueError, match="no such thing"):
                first.result(SECONDS)
            assert ["good"] * 8 == [answer.result(SECONDS) for answer in others]

    def test_creation_asks_for_other_values(self, manager: CacheManager, cache: Cache) -> None:
        """A creation function may use the cache, for other keys and in other namespaces."""
        other = manager.get_cache("other")

        def outer() -> list[str]:
            return [
                cache.get("part", createfunc=lambda: "part"),
                other.get("key", createfunc=lambda: "other"),
            ]

        assert ["part", "other"] == cache.get("key", createfunc=outer)
        assert ["part", "other", ["part", "other"]] == [
            cache.get("part"),
            other.get("key"),
            cache.get("key"),
        ]

    def test_creation_asks_for_its_own_value(self, cache: Cache, creator: Creator) -> None:
        """A creation function that reads its own key does not wait for itself."""
        found = cache.get("key", createfunc=lambda: cache.get("key", createfunc=creator) + "!")
        assert ("value 1!", "value 1!") == (found, cache.get("key"))

    def test_creation_lock(self, cache: Cache) -> None:
        """The creation lock excludes other threads, is reentrant, and applies to one key."""
        lock = cache.namespace.get_creation_lock(b"key")
        lock.acquire()
        cache.namespace.get_creation_lock(b"key").acquire()
        with ThreadPoolExecutor(1) as thread:

            def attempt(key: bytes) -> bool:
                other = cache.namespace.get_creation_lock(key)
                if not other.acquire(wait=False):
                    return False
                other.release()
                return True

            attempts = [thread.submit(attempt, key).result(SECONDS) for key in (b"key", b"other")]
            assert [False, True] == attempts
            lock.release()
            assert not thread.submit(attempt, b"key").result(SECONDS)
            lock.release()
            assert thread.submit(attempt, b"key").result(SECONDS)


def _describe(value: Value) -> tuple[bool, bool, bool]:
    return value.has_value(), value.has_current_value(), value.can_have_value()
