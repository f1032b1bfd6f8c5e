"""Caches while the database is away."""

import pytest
from beaker.cache import Cache
from pymongo.database import Database

from beaker_mongo_soajs import (
    StoreUnavailable,
)
from beaker_mongo_soajs.caches import store as module
from tests.caches.contract import Creator
from tests.caches.support import Db, Options, open_cache
from tests.conftest import FailPoint
from tests.recorder import Commands


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
