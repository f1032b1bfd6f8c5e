"""Entries and locks that others planted: documented errors or absent, and no long wait."""

import datetime
import pickle
import time
from contextlib import suppress
from typing import Any

import pytest
from beaker.cache import Cache
from bson import Binary, Decimal128, MaxKey, MinKey, ObjectId, Regex

from beaker_mongo_soajs import BeakerMongoError, DbConfig, Locks
from tests.caches.support import open_cache
from tests.conftest import Db, Options

NEVER = datetime.datetime(9999, 12, 31)
AGES_AGO = datetime.datetime(1, 1, 1)
ODD: list[Any] = [
    *(None, True, 5, -(2**63), 1.5, float("nan"), "text", b"bytes", [], {}, [NEVER], {"a": NEVER}),
    *(NEVER, AGES_AGO, MaxKey(), MinKey(), ObjectId(), Regex("."), Decimal128("1E+6000")),
    *([{"owner": "x", "acquired_until": NEVER}], [{"acquired_until": 1}], [None]),
]
FIELDS = ["owner", "acquired_until", "readers", "expires", "fresh_until", "version", "value"]
PICKLES: list[Any] = [
    *(5, None, (), (1,), (1, 2, 3, 4), "text", ("a", "b", "c")),
    *((None, None, 1), ([], 1)),
]
LEASE_SECONDS = 0.2
LONGEST_SECONDS = 3.0


@pytest.fixture
def quick(options: Options) -> Cache:
    """Return a cache with short leases."""
    return open_cache(options, **{"store.lockLease": LEASE_SECONDS})


@pytest.mark.slow
@pytest.mark.parametrize("has_value", [True, False], ids=["value", "lease"])
@pytest.mark.parametrize("field", FIELDS)
def test_entries(quick: Cache, database: Db, field: str, *, has_value: bool) -> None:
    """A field with any content leads to an answer or a documented error."""
    value = pickle.dumps((time.time() - 100, 1, "expired"))
    stored_id = {"ns": "things", "key": b"key"}
    uses: list[Any] = [
        lambda: quick.get("key", createfunc=lambda: "created"),
        lambda: "key" in quick,
        lambda: b"key" in quick.namespace,
        quick.namespace.keys,
        lambda: quick.put("key", "put"),
        lambda: quick.remove("key"),
    ]
    for odd in ODD:
        for use in uses:
            database.cache.delete_many({})
            document = {"_id": stored_id, "value": value, "expires": None} if has_value else {}
            database.cache.insert_one({"_id": stored_id} | document | {field: odd})
            start = time.monotonic()
            with suppress(BeakerMongoError):
                use()
            assert time.monotonic() - start < LONGEST_SECONDS, (field, odd)


@pytest.mark.parametrize("planted", PICKLES, ids=range(len(PICKLES)))
def test_pickles_of_others(
    cache: Cache, database: Db, caplog: pytest.LogCaptureFixture, planted: object
) -> None:
    """A pickle that no Beaker cache has stored counts as absent, and its key stays out of logs."""
    key = "key-with-a-session-id"
    cache.put(key, 1)
    database.cache.update_one({}, {"$set": {"value": Binary(pickle.dumps(planted))}})
    assert key not in cache
    assert "created" == cache.get(key, createfunc=lambda: "created")
    assert "created" == cache.get(key)
    assert "b'key-wi'…" in caplog.text
    assert "session-id" not in caplog.text


@pytest.mark.parametrize("field", ["owner", "acquired_until", "readers", "expires"])
@pytest.mark.parametrize("shared", [False, True], ids=["exclusive", "shared"])
def test_locks(options: Options, database: Db, field: str, *, shared: bool) -> None:
    """A planted lock is acquired, or ends in a documented error."""
    locks = Locks(DbConfig.from_options(options | {"store.lockLease": LEASE_SECONDS}))
    with locks.lease("name"):
        (stored,) = database.sessions_locks.find()
    for odd in ODD:
        database.sessions_locks.delete_many({})
        database.sessions_locks.insert_one({"_id": stored["_id"], field: odd})
        start = time.monotonic()
        with suppress(BeakerMongoError), locks.lease("name", shared=shared) as lease:
            assert lease.extend()
        assert time.monotonic() - start < LONGEST_SECONDS, (field, odd)


@pytest.mark.parametrize("until", [NEVER, [NEVER, AGES_AGO]], ids=["date", "dates"])
def test_a_lease_that_never_ends(options: Options, database: Db, until: Any) -> None:
    """A lease of a date that no lease can have does not count."""
    cache = open_cache(options)
    planted = {"owner": "x", "acquired_until": until, "expires": NEVER}
    database.cache.insert_one({"_id": {"ns": "things", "key": b"key"}, **planted})
    start = time.monotonic()
    assert "created" == cache.get("key", createfunc=lambda: "created")
    assert time.monotonic() - start < LONGEST_SECONDS


def test_a_lease_that_nobody_extends(options: Options, database: Db) -> None:
    """A wait for a planted lease within the next hour ends after one and a half leases."""
    cache = open_cache(options, **{"store.lockLease": 1})
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=50)
    planted = {"owner": "x", "acquired_until": soon, "expires": soon}
    database.cache.insert_one({"_id": {"ns": "things", "key": b"key"}, **planted})
    start = time.monotonic()
    with pytest.raises(BeakerMongoError, match="not acquired"):
        cache.get("key", createfunc=lambda: "created")
    assert 1.5 <= time.monotonic() - start < 4
