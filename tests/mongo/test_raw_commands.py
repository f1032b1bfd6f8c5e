"""Commands that are sent without PyMongo's own methods."""

from collections.abc import Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument

from beaker_mongo_soajs import DbConfig, SessionStore, StoreError, StoreRefused
from beaker_mongo_soajs.mongo.client import close_client
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.raw_commands import _only_document
from beaker_mongo_soajs.testing import MongoServer
from tests.conftest import Db, FailPoint, Options
from tests.plain_server import PlainServer
from tests.recorder import Commands

FOUND = {"_id": "a", "session": {"n": 1}}


@pytest.mark.parametrize(
    ("cursor", "found"),
    [
        ({"firstBatch": [FOUND], "id": 0, "ns": "db.sessions"}, FOUND),
        ({"id": 0, "ns": "db.sessions", "firstBatch": [FOUND]}, FOUND),
        ({"firstBatch": [], "id": 0}, None),
        ({"id": 0, "firstBatch": []}, None),
    ],
)
def test_answer_of_a_find(cursor: dict[str, object], found: dict[str, object] | None) -> None:
    """The document is found in the answer, whatever the order of its fields."""
    raw = _only_document(RawBSONDocument(bson.encode(cursor)))
    assert found == (None if raw is None else bson.decode(raw))


def test_usual_answer_of_a_find() -> None:
    """The document is cut out of the usual answer without a decoder."""
    cursor: Any = SimpleNamespace(raw=bson.encode({"firstBatch": [FOUND], "id": 0}))
    assert bson.encode(FOUND) == _only_document(cursor)


@pytest.mark.parametrize("level", ["local", None])
def test_read_concern(options: Options, commands: Commands, level: str | None) -> None:
    """A read of a session has the configured read concern, and none without the option."""
    more = {} if level is None else {"URLParam.readConcernLevel": level}
    SessionStore(options | more).get("a")
    sent = commands.started[0].command
    assert sent.get("readConcern") == (None if level is None else {"level": level})
    assert sent["singleBatch"] is True


@pytest.mark.parametrize(
    ("timeout_ms", "expected"), [(60_000, ["find", "find"]), (300, ["find"])], ids=["left", "over"]
)
def test_time_of_two_attempts(
    options: Options,
    commands: Commands,
    fail_point: FailPoint,
    timeout_ms: int,
    expected: list[str],
) -> None:
    """A read that failed is tried again with what is left of timeoutMS, if anything is left."""
    store = SessionStore(options | {"URLParam.timeoutMS": timeout_ms})
    with fail_point("find", close_connection=True, block_ms=1000, times=1), suppress(StoreError):
        store.get("a")
    assert expected == commands.names
    limits = [event.command["maxTimeMS"] for event in commands.started]
    assert max(limits) <= timeout_ms
    assert 500 * (len(limits) - 1) <= limits[0] - limits[-1]


@pytest.mark.parametrize(
    ("code", "expected"),
    [*((code, ["find", "find"]) for code in (6, 7, 89, 134, 262, 9001)), (8, ["find"])],
)
def test_errors_before_a_second_attempt(
    options: Options, commands: Commands, fail_point: FailPoint, code: int, expected: list[str]
) -> None:
    """A read is tried again after the errors that MongoDB's specification names."""
    with fail_point("find", error_code=code, times=1), suppress(StoreError):
        SessionStore(options).get("a")
    assert expected == commands.names


@pytest.fixture
def things(options: Options, database: Db) -> StoreCollection:
    """Return a collection with one document."""
    database.things.insert_one({"_id": "a"})
    return StoreCollection(DbConfig.from_options(options), "things")


def test_refused_update_without(things: StoreCollection) -> None:
    """An update that is refused for another reason than the field is an error."""
    with pytest.raises(StoreRefused) as caught:
        things.update_without("moved", {"_id": "a"}, {"$set": {"_id": "b"}})
    assert 66 == caught.value.code


@pytest.mark.parametrize("code", [2, 168])
def test_refused_deletion(things: StoreCollection, code: int) -> None:
    """A deletion for a limited time that the server refuses is an error."""
    query = {"$unknown": 1} if code == 2 else {"$expr": {"$unknown": 1}}
    with pytest.raises(StoreRefused) as caught:
        things.delete_within(query, 1000)
    assert code == caught.value.code


class _Router(PlainServer):
    """Answers each deletion like a router whose time is over."""

    def answer(self, command: Mapping[str, Any]) -> dict[str, Any] | None:
        error = {"index": 0, "code": 50, "errmsg": "operation exceeded time limit"}
        return {"ok": 1.0, "n": 0, "writeErrors": [error]} if "delete" in command else None


def test_time_limit_of_a_router(mongo_server: MongoServer, database_name: str) -> None:
    """A deletion that a router ends at its time limit is not complete."""
    with _Router(mongo_server.port) as router:
        config = DbConfig.from_options({"url": router.url, "name": database_name})
        assert not StoreCollection(config, "things").delete_within({}, 1000)
        close_client(config)


@pytest.mark.parametrize("w", [None, 1])
def test_write_concern_of_a_deletion(
    options: Options, commands: Commands, fail_point: FailPoint, w: object
) -> None:
    """A deletion for a limited time has the configured write concern, and fails with it."""
    things = StoreCollection(DbConfig.from_options(options | {"URLParam.w": w}), "things")
    assert things.delete_within({}, 1000)
    assert (None if w is None else {"w": w}) == commands.started[-1].command.get("writeConcern")
    failure = {"code": 64, "errmsg": "too few"}
    with fail_point("delete", writeConcernError=failure), pytest.raises(StoreError) as caught:
        things.delete_within({}, 1000)
    assert 64 == caught.value.code
