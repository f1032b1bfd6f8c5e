"""Fixtures: the storage forms, a clock that only the test moves, and Beaker's own backend."""

import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from beaker_mongo_soajs import MongoSession
from beaker_mongo_soajs.mongo import documents
from beaker_mongo_soajs.sessions import store as session_store
from tests.conftest import Client, Options


@pytest.fixture
def all_options(kind_options: Options, *, stringify: bool) -> Options:
    """Return the options for each kind of session and each storage form."""
    return kind_options | {"stringify": stringify}


class Clock:
    """A clock for Beaker and this package that only the test moves."""

    def __init__(self) -> None:
        """Start at the current time."""
        self.now = time.time()

    def time(self) -> float:
        """Return the time as :func:`time.time` does."""
        return self.now

    def utc_now(self) -> datetime:
        """Return the time as :func:`beaker_mongo_soajs.mongo.documents.utc_now` does."""
        return datetime.fromtimestamp(self.now, UTC).replace(tzinfo=None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of Beaker and this package."""
    clock = Clock()
    utc_now = documents.utc_now
    for name, module in list(sys.modules.items()):
        if name.startswith("beaker_mongo_soajs") and vars(module).get("utc_now") is utc_now:
            monkeypatch.setattr(module, "utc_now", clock.utc_now)
    monkeypatch.setattr(time, "time", clock.time)
    # The clocks of all machines move, that of the server included.
    monkeypatch.setattr(session_store, "local_clock_ahead", lambda _: 0.0)
    return clock


@pytest.fixture
def app_name() -> str:
    """Return an appName for the processes of this test."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def beakers(mongo_url: str, database_name: str) -> Iterator[Options]:
    """Return options for Beaker's ``ext:mongodb``, in the same database."""
    with Client(_with_database(mongo_url, database_name)) as client:
        yield {"type": "ext:mongodb", "url": client}


@pytest.fixture
def ours(options: Options) -> Options:
    """Return options for MongoSession."""
    return options | {"session_class": MongoSession}


def _with_database(url: str, name: str) -> str:
    host, slash, rest = url.removeprefix("mongodb://").partition("/")
    query = rest.partition("?")[2]
    assert slash
    return f"mongodb://{host}/{name}?{query}"
