"""The server's clock, which leases go by."""

import datetime
import time
from collections.abc import Iterator

import pytest
from pymongo import MongoClient
from pymongo.hello import Hello
from pymongo.monitoring import ServerHeartbeatSucceededEvent

from beaker_mongo_soajs import DbConfig, StoreRefused
from beaker_mongo_soajs.mongo import server_clock as module
from beaker_mongo_soajs.mongo.clock_readings import ClockReading, HeartbeatClock
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import Document, utc_now
from tests.conftest import Options


@pytest.fixture
def asked(collection: StoreCollection, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record which commands ask for the time, with no reading at the start."""
    names: list[str] = []
    real = StoreCollection.command

    def command(self: StoreCollection, command: Document, *, database: str) -> Document:
        names.extend(command)
        return real(self, command, database=database)

    monkeypatch.setattr(StoreCollection, "command", command)
    collection.clock_reading._last = None
    return names


@pytest.fixture
def collection(options: Options) -> Iterator[StoreCollection]:
    """Return a collection with a client of the application's own, which reads no clock."""
    with MongoClient[Document](options["url"]) as client:
        own = {"client": client, "name": options["name"]}
        yield StoreCollection(DbConfig.from_options(own), "things")


def test_time(collection: StoreCollection, asked: list[str]) -> None:
    """The time is the server's, and the server is asked once a minute."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    times = [module.server_now(collection) for _ in range(3)]
    assert abs(times[0] - now).total_seconds() < 5
    assert sorted(times) == times
    assert ["hello"] == asked


def test_minutes(
    collection: StoreCollection, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a minute the server is asked again."""
    module.server_now(collection)
    real = time.monotonic
    for seconds, times in ((55, 1), (60.5, 2)):
        monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: real() + seconds)
        module.server_now(collection)
        assert ["hello"] * times == asked


def test_heartbeats(options: Options, asked: list[str]) -> None:
    """PyMongo's checks of the server bring its time, also before the first command."""
    collection = StoreCollection(DbConfig.from_options(options), "things")
    collection.clock_reading._last = None
    assert abs(module.local_clock_ahead(collection)) < 5
    assert [] == asked


@pytest.mark.parametrize(("ahead", "expected"), [(4.5, 0), (-4.5, 0), (20, 20), (-20, -20)])
def test_clock_of_this_machine(collection: StoreCollection, ahead: float, expected: float) -> None:
    """A clock is wrong if it differs from the server's by more than five seconds."""
    collection.clock_reading.set(utc_now() - datetime.timedelta(seconds=ahead))
    assert expected == pytest.approx(module.local_clock_ahead(collection), abs=0.5)


@pytest.mark.parametrize(
    "reply",
    [{"secondary": True, "setName": "rs", "localTime": utc_now()}, {"isWritablePrimary": True}],
    ids=["secondary", "no time"],
)
def test_heartbeats_that_do_not_count(reply: Document) -> None:
    """A check of a secondary, or one without a time, brings no time."""
    reading = ClockReading()
    event = ServerHeartbeatSucceededEvent(0.0, Hello(reply), ("db1", 27017))
    HeartbeatClock(reading).succeeded(event)
    assert reading.seconds() is None


def test_older_servers(
    collection: StoreCollection, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not have the command hello is asked by its older name."""
    recording = StoreCollection.command

    def command(self: StoreCollection, command: Document, *, database: str) -> Document:
        if "hello" in command:
            raise StoreRefused("no such command", code=59)
        return recording(self, command, database=database)

    monkeypatch.setattr(StoreCollection, "command", command)
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    assert abs(module.server_now(collection) - now).total_seconds() < 5
    assert ["ismaster"] == asked
