"""The number of commands that caches send."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from beaker.cache import Cache

from beaker_mongo_soajs.backend import single_flight
from beaker_mongo_soajs.caches.entry import Entry
from tests.caches.doubles import Clock, Creator
from tests.caches.support import open_cache
from tests.conftest import Options
from tests.recorder import Commands
from tests.waiting import wait_until


@pytest.mark.usefixtures("warm")
class TestCommands:
    """Commands by operation."""

    def test_hit(self, cache: Cache, commands: Commands, creator: Creator) -> None:
        """A hit is one command, which filters on the id alone."""
        cache.put("key", 1)
        commands.clear()
        assert 1 == cache.get("key", createfunc=creator)
        assert ["find"] == commands.names
        assert ["_id"] == list(commands.started[0].command["filter"])

    def test_membership(self, cache: Cache, commands: Commands) -> None:
        """A membership test is one command."""
        cache.put("key", 1)
        commands.clear()
        assert "key" in cache
        assert "other" not in cache
        assert ["find"] * 2 == commands.names

    def test_creation(self, cache: Cache, commands: Commands, creator: Creator) -> None:
        """Creating a value takes three commands: read, lock and read, store and unlock."""
        commands.clear()
        cache.get("key", createfunc=creator)
        assert ["find", "findAndModify", "update"] == commands.names

    def test_renewal(
        self, brief: Cache, commands: Commands, creator: Creator, clock: Clock
    ) -> None:
        """Renewing an expired, removed or deleted value takes three commands as well."""
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
        """A failed creation takes three commands, and leaves no document."""
        creator.error = ValueError("no such thing")
        commands.clear()
        with pytest.raises(ValueError, match="no such thing"):
            cache.get("key", createfunc=creator)
        assert ["find", "findAndModify", "delete"] == commands.names

    def test_threads_together(
        self, cache: Cache, commands: Commands, creator: Creator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Threads that wait for a thread of their process send no commands."""
        waiting: list[object] = []
        real = single_flight.SingleFlight.wait

        def wait(self: single_flight.SingleFlight, deadline: float) -> Entry | None:
            waiting.append(self)
            return real(self, deadline)

        monkeypatch.setattr(single_flight.SingleFlight, "wait", wait)
        creator.may_return.clear()
        commands.clear()
        with ThreadPoolExecutor(16) as threads:
            answers = [threads.submit(cache.get, "key", createfunc=creator) for _ in range(16)]
            wait_until(lambda: 15 == len(waiting))
            creator.may_return.set()
            assert ["value 1"] * 16 == [answer.result(30) for answer in answers]
        assert ["find"] * 16 + ["findAndModify", "update"] == sorted(commands.names)

    def test_lock_that_others_hold(
        self, options: Options, brief: Cache, commands: Commands, clock: Clock
    ) -> None:
        """A caller that finds an expired value, and its lock held, looks again once."""
        brief.put("key", 1)
        clock.move(11)
        other = open_cache(options, **{"store.lockLease": 20}).namespace.get_creation_lock(b"key")
        other.acquire()
        namespace = brief.namespace
        namespace.acquire_read_lock()
        assert b"key" in namespace
        namespace.release_read_lock()
        lock = namespace.get_creation_lock(b"key")
        commands.clear()
        assert not lock.acquire(wait=False)
        assert ["findAndModify", "find"] == commands.names
        other.release()

    def test_put_and_remove(self, cache: Cache, commands: Commands) -> None:
        """A put is one command, a removal two: Beaker tests for the value first."""
        commands.clear()
        cache.put("key", 1)
        assert ["update"] == commands.names
        cache.remove_value("key")
        assert ["update", "find", "delete"] == commands.names

    def test_clear_and_keys(self, cache: Cache, commands: Commands) -> None:
        """Clearing a namespace is one command, and listing its keys one cursor."""
        for key in range(50):
            cache.put(str(key), 1)
        commands.clear()
        assert 51 == len(cache.namespace.keys())
        cache.clear()
        assert ["find", "delete"] == commands.names
        assert [] == cache.namespace.keys()

    def test_no_regular_expression(self, cache: Cache, commands: Commands) -> None:
        """Names of namespaces and keys are never used as patterns."""
        cache.namespace.keys()
        cache.clear()
        assert "regex" not in str([event.command for event in commands.started]).lower()
