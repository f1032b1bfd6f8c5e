"""Caches, and their clock."""

import time

import pytest
from beaker.cache import Cache

from tests.caches.doubles import Clock, Creator
from tests.caches.support import move_with, open_cache
from tests.conftest import Options


@pytest.fixture
def creator() -> Creator:
    """Return a creation function."""
    return Creator()


@pytest.fixture
def cache(options: Options) -> Cache:
    """Return a cache whose values never expire."""
    return open_cache(options)


@pytest.fixture
def brief(options: Options) -> Cache:
    """Return a cache whose values expire after ten seconds."""
    return open_cache(options, expire=10)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of the caches of this process."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    move_with(clock, monkeypatch)
    return clock


@pytest.fixture
def warm(cache: Cache) -> None:
    """Make the first request, which also has the indexes made."""
    cache.put("warm", 1)
