"""Helpers for the tests of caches."""

import datetime
from typing import Any

import pytest
from beaker.cache import Cache

from beaker_mongo_soajs.caches import entry as cache_entry
from beaker_mongo_soajs.caches import store as module
from tests.caches.doubles import Clock
from tests.conftest import Options


def open_cache(options: Options, **more: Any) -> Cache:
    """Return a new cache with its own namespace manager."""
    return Cache("things", type="ext:mongodb_soajs", **(options | more))


def move_with(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the dates of cache entries follow a clock."""

    def now() -> datetime.datetime:
        return datetime.datetime.fromtimestamp(clock.time(), datetime.UTC).replace(tzinfo=None)

    monkeypatch.setattr(module, "utc_now", now)
    monkeypatch.setattr(cache_entry, "utc_now", now)
