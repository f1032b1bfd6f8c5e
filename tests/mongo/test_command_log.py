"""PyMongo's debug log of commands."""

import gc
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from beaker.cache import Cache

from beaker_mongo_soajs import MongoSession, SessionStore, StoreRefused, close_clients
from beaker_mongo_soajs.mongo import command_log
from tests.application import Site
from tests.conftest import Client, Db, Options
from tests.waiting import wait_for_indexes, wait_until

_DATA = "the-name-of-the-user"


@pytest.fixture(params=["session.type", "MongoSession"])
def site_options(request: pytest.FixtureRequest, options: Options) -> Options:
    """Return the options of each kind of Session."""
    return options | ({"session_class": MongoSession} if "Mongo" in request.param else {})


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Record the debug log of PyMongo."""
    # Tests before this one may have clients with other settings.
    close_clients()
    caplog.set_level(logging.DEBUG, "pymongo")
    yield caplog
    close_clients()


def _use(options: Options) -> list[str]:
    """Send all kinds of commands; return the session ids."""
    visitor = Site(options).visitor()
    visitor.save(user=_DATA)
    ids = [visitor.cookie or ""]
    visitor.read()
    visitor.save(user=_DATA, n=1)

    def login(session: Any) -> None:
        session.regenerate_id()
        session["user"] = _DATA
        session.save()

    visitor.request(login)
    ids.append(visitor.cookie or "")
    visitor.request(lambda session: session.delete())
    return ids


def _records(log: pytest.LogCaptureFixture, database: Db) -> list[str]:
    texts = [record.getMessage() for record in log.records if record.name == "pymongo.command"]
    return [text for text in texts if database.name in text]


def test_sessions(log: pytest.LogCaptureFixture, site_options: Options, database: Db) -> None:
    """The debug log names commands and collections, and no session id and no session data."""
    ids = _use(site_options)
    texts = _records(log, database)
    assert any('"find": "sessions"' in text.replace("\\", "") for text in texts)
    for secret in (_DATA, *ids):
        assert [] == [record for record in log.records if secret in record.getMessage()]


def test_cached_values(log: pytest.LogCaptureFixture, options: Options, database: Db) -> None:
    """The debug log contains no key and no value of a cache."""
    cache = Cache("things", type="ext:mongodb_soajs", **options)
    assert _DATA == cache.get("the-key-in-the-cache", createfunc=lambda: _DATA)
    texts = _records(log, database)
    assert any('"cache"' in text.replace("\\", "") for text in texts)
    for secret in (_DATA, "the-key-in-the-cache", "dGhlLW5hbWUtb2YtdGhlLXVzZXI"):
        assert [] == [text for text in texts if secret in text]


def test_errors(log: pytest.LogCaptureFixture, options: Options, database: Db) -> None:
    """A failed command is logged with its code, and without the text of the server."""
    database.command("create", "sessions", validator={"session.user": {"$exists": False}})
    visitor = Site(options).visitor()
    with pytest.raises(StoreRefused):
        visitor.save(user=_DATA)
    assert [] == [text for text in _records(log, database) if _DATA in text]


def test_the_option(log: pytest.LogCaptureFixture, options: Options, database: Db) -> None:
    """With store.logCommands, the debug log contains ids and data."""
    (session_id, _) = _use(options | {"store.logCommands": True})
    texts = _records(log, database)
    assert any(session_id in text for text in texts)
    assert any(_DATA in text for text in texts)


def test_other_clients(
    log: pytest.LogCaptureFixture, options: Options, database: Db, mongo_url: str
) -> None:
    """Commands of other clients are logged as they are, also those to the same collection."""
    Site(options).visitor().save(user=_DATA)
    with Client(mongo_url) as other:
        other[database.name].sessions.find_one({"session.user": {"$ne": "their-filter"}})
    texts = _records(log, database)
    assert any("their-filter" in text for text in texts)
    assert any(_DATA in text for text in texts if "Command succeeded" in text)


def test_other_collections_of_a_client(
    log: pytest.LogCaptureFixture, options: Options, database: Db, mongo_url: str
) -> None:
    """Of a client of the application, only commands to our collections are hidden."""
    with Client(mongo_url) as client:
        own = {"client": client, "name": database.name}
        visitor = Site(own).visitor()
        visitor.save(user=_DATA)
        client[database.name].orders.insert_one({"_id": "order-of-the-day"})
        client[database.name].orders.find_one({"_id": "order-of-the-day"})
    texts = _records(log, database)
    assert any("order-of-the-day" in text for text in texts if "Command started" in text)
    assert any("order-of-the-day" in text for text in texts if "Command succeeded" in text)
    assert [] == [text for text in texts if _DATA in text or (visitor.cookie or "") in text]


def test_clients_are_let_go(options: Options) -> None:
    """Nothing of a client stays in memory when nobody uses the client any more."""
    clients = command_log._filter._clients
    others = set(clients)
    with SessionStore(options | {"URLParam.appName": "let go"}) as store:
        store.get("id")
        assert 1 == len(clients.keys() - others)
        wait_for_indexes()
    del store
    wait_until(lambda: gc.collect() >= 0 and not clients.keys() - others)


def test_levels_that_change(
    log: pytest.LogCaptureFixture, options: Options, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply is not mistaken for another one after the level has changed.

    Of the commands whose replies are not logged, only the last ones are kept in memory.
    """
    monkeypatch.setattr(command_log, "_MOST_REQUESTS", 3)
    requests = command_log._filter._requests
    requests.clear()
    visitor = Site(options | {"store.createIndexes": False}).visitor()
    visitor.save(user=_DATA)
    assert {} == requests

    def hide_reply(record: logging.LogRecord) -> bool:
        log.set_level(logging.INFO, "pymongo")
        return True

    logger = logging.getLogger("pymongo.command")
    with monkeypatch.context() as patch:
        patch.setattr(logger, "filters", [*logger.filters, hide_reply])
        for number in range(1, 6):
            log.set_level(logging.DEBUG, "pymongo")
            visitor.read()
            assert min(number, 3) == len(requests)
    log.set_level(logging.DEBUG, "pymongo")
    visitor.read()
    assert [] == [text for text in _records(log, database) if _DATA in text]
