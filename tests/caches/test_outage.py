"""Caches while the database is away."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from beaker.cache import Cache
from pymongo.database import Database

from beaker_mongo_soajs import StoreRefused, StoreUnavailable
from beaker_mongo_soajs.caches import store as module
from beaker_mongo_soajs.log_records import forget_warnings
from beaker_mongo_soajs.testing import MongoServer
from tests.caches.doubles import Creator
from tests.caches.support import open_cache
from tests.conftest import Db, FailPoint, Options
from tests.recorder import Commands
from tests.waiting import wait_until

QUICK_SECONDS = 0.01


class TestOutage:
    """Errors of the database."""

    @pytest.mark.parametrize("command", ["find", "findAndModify", "update"])
    def test_error(
        self, cache: Cache, fail_point: FailPoint, creator: Creator, command: str
    ) -> None:
        """A command that fails is an error, and the next call works."""
        cache.put("warm", 1)
        with fail_point(command, error_code=96), pytest.raises(StoreUnavailable):
            cache.get("key", createfunc=creator)
        number = creator.calls + 1
        assert f"value {number}" == cache.get("key", createfunc=creator)

    def test_clear_in_batches(
        self, options: Options, commands: Commands, monkeypatch: pytest.MonkeyPatch, database: Db
    ) -> None:
        """A namespace that takes longer than a second to clear is deleted in several commands."""
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
        """An error in the answer of a mongos is an error (simulated: the tests have no mongos)."""
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
        """A deletion that too few members confirm is an error."""
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


class TestCreation:
    """Values that are created while the database is away, with onUnavailable create."""

    @pytest.fixture
    def options(self, options: Options) -> Options:
        """Return options with which cached functions are called during an outage."""
        params = {"serverSelectionTimeoutMS": 1000, "timeoutMS": 2000, "connectTimeoutMS": 500}
        return options | {
            "URLParam": params | {"heartbeatFrequencyMS": 500, "journal": True},
            "store.onUnavailable": "create",
        }

    @pytest.mark.parametrize("fault", ["is gone", "hangs"])
    def test_lasting_outage(
        self,
        options: Options,
        mongo_server: MongoServer,
        caplog: pytest.LogCaptureFixture,
        fault: str,
    ) -> None:
        """While an outage lasts, values are created at once; afterwards they are cached again."""
        forget_warnings()
        cache = open_cache(options)
        cache.put("there", "stored")
        mongo_server.kill() if fault == "is gone" else mongo_server.pause()
        try:
            assert "created" == cache.get("key", createfunc=lambda: "created")
            spent = []
            for number in range(50):
                start = time.perf_counter()
                assert number == cache.get("key", createfunc=lambda number=number: number)
                assert "key" not in cache
                spent.append(time.perf_counter() - start)
            assert sorted(spent)[40] < QUICK_SECONDS
        finally:
            mongo_server.start() if fault == "is gone" else mongo_server.resume()
        wait_until(lambda: not self._outage_lasts(), 30)
        assert "stored" == cache.get("there", createfunc=lambda: "created")
        assert "again" == cache.get("key", createfunc=lambda: "again")
        assert "again" == cache.get("key", createfunc=lambda: "not called")
        lines = [record for record in caplog.records if "without the cache" in record.message]
        assert 1 == len(lines)

    @staticmethod
    def _outage_lasts() -> bool:
        return any("-outage" in thread.name for thread in threading.enumerate())

    @pytest.mark.parametrize("command", ["find", "findAndModify", "update"])
    def test_single_faults(
        self, options: Options, fail_point: FailPoint, creator: Creator, command: str
    ) -> None:
        """Whichever command fails, the value is created once and returned."""
        # The lock whose release fails is free after a lease.
        cache = open_cache(options, **{"store.lockLease": 2})
        cache.put("warm", 1)
        with fail_point(command, error_code=96):
            assert "value 1" == cache.get("key", createfunc=creator)
        wait_until(lambda: not self._outage_lasts())
        cache.get("key", createfunc=creator)
        calls = creator.calls
        assert f"value {calls}" == cache.get("key", createfunc=creator)

    def test_threads_do_not_wait_for_each_other(
        self, options: Options, fail_point: FailPoint
    ) -> None:
        """During an outage each thread creates its own value, beside the others."""
        cache = open_cache(options)
        cache.put("warm", 1)
        together = threading.Barrier(8)

        def create() -> str:
            together.wait(30)
            return "value"

        with fail_point("find", error_code=96), ThreadPoolExecutor(8) as threads:
            cache.get("other", createfunc=lambda: 1)
            answers = [threads.submit(cache.get, "key", createfunc=create) for _ in range(8)]
            assert ["value"] * 8 == [answer.result(30) for answer in answers]
        wait_until(lambda: not self._outage_lasts())

    def test_what_the_application_stores_or_removes(
        self, options: Options, fail_point: FailPoint
    ) -> None:
        """Values that an application stores or removes itself are not lost without an error."""
        cache = open_cache(options)
        cache.put("key", 1)
        with fail_point("update", "delete", error_code=96):
            for act in (lambda: cache.put("key", 2), cache.clear, lambda: cache.remove("key")):
                with pytest.raises(StoreUnavailable):
                    act()

    def test_refusals_are_errors(self, options: Options, fail_point: FailPoint) -> None:
        """A refusal by the server is no outage."""
        cache = open_cache(options)
        with fail_point("find", error_code=13), pytest.raises(StoreRefused):
            cache.get("key", createfunc=lambda: 1)
        with fail_point("update", error_code=13), pytest.raises(StoreRefused):
            cache.get("key", createfunc=lambda: 1)


def test_without_a_signing_key(options: Options, caplog: pytest.LogCaptureFixture) -> None:
    """A cache whose pickles are not signed warns once in each process and collection."""
    caplog.set_level(logging.WARNING, module.__name__)
    for name in ("plain", "plain", "signed"):
        open_cache(
            options | {"collection": name},
            **({"store.signingKey": "a secret of enough bytes"} if name == "signed" else {}),
        ).put("key", 1)
    lines = [record.getMessage() for record in caplog.records]
    assert 1 == len(lines)
    assert "plain" in lines[0]
    assert "store.signingKey" in lines[0]
