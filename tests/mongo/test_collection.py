"""The commands to a collection."""

from collections.abc import Callable
from typing import Any

import bson
import pytest

from beaker_mongo_soajs import DbConfig, SessionStore, StoreRefused, StoreUnavailable
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.index_admin import IndexAdmin
from tests.conftest import Db, FailPoint, Options
from tests.recorder import Commands

Send = Callable[[IndexAdmin], Any]
A: Options = {"_id": "a"}
CHANGE: Options = {"$set": {"n": 1}}

READS: dict[str, Send] = {
    "find one": lambda sessions: sessions.find_one("a"),
    "find": lambda sessions: [*sessions.find(A)],
    "count": lambda sessions: sessions.count(A),
    "ping": lambda sessions: sessions.ping(),
    "scan": lambda sessions: [*sessions.scan(A)],
    "scan ids": lambda sessions: [*sessions.scan_ids()],
    "aggregate": lambda sessions: sessions.aggregate([{"$match": A}]),
    "estimate": lambda sessions: sessions.estimate(),
    "storage": lambda sessions: sessions.storage(),
    "index states": lambda sessions: sessions.states(),
    "index builds": lambda sessions: sessions.builds(),
}
WRITES: dict[str, Send] = {
    "insert": lambda sessions: sessions.insert(A),
    "insert missing": lambda sessions: sessions.insert_missing([bson.encode(A)]),
    "update": lambda sessions: sessions.update(A, CHANGE),
    "upsert": lambda sessions: sessions.update(A, CHANGE, upsert=True),
    "update without": lambda sessions: sessions.update_without("moved", A, CHANGE),
    "find and modify": lambda sessions: sessions.find_and_modify(A, CHANGE),
    "update all": lambda sessions: sessions.update_all(A, CHANGE),
    "replace": lambda sessions: sessions.replace(A, A),
    "delete": lambda sessions: sessions.delete(A),
    "delete one": lambda sessions: sessions.delete_one("a"),
    "delete within": lambda sessions: sessions.delete_within(A, 1000),
    "drop index": lambda sessions: sessions.remove("n_1"),
}
COMMANDS = (
    *("aggregate", "collStats", "count", "delete", "dropIndexes", "find", "findAndModify"),
    *("insert", "listIndexes", "ping", "update"),
)


@pytest.mark.parametrize(
    ("send", "hint"),
    [
        *(pytest.param(send, "Nothing was changed.", id=name) for name, send in READS.items()),
        *(pytest.param(send, "may or may not", id=name) for name, send in WRITES.items()),
    ],
)
@pytest.mark.slow
def test_failures(options: Options, fail_point: FailPoint, send: Send, hint: str) -> None:
    """The error of a command says whether the command may have changed anything."""
    sessions = IndexAdmin(DbConfig.from_options(options))
    with (
        fail_point(*COMMANDS, close_connection=True),
        pytest.raises(StoreUnavailable, match=hint) as caught,
    ):
        send(sessions)
    assert f"{options['name']}.sessions" in str(caught.value)


@pytest.mark.parametrize("collisions", [1, 5])
def test_collisions(
    options: Options, database: Db, commands: Commands, fail_point: FailPoint, collisions: int
) -> None:
    """A save that collides with others, five times in a row, is carried out at last."""
    store = SessionStore(options | {"store.createIndexes": False})
    known = {"keyPattern": {"_id": 1}, "keyValue": A}
    with fail_point("update", error_code=11000, times=collisions, errorExtraInfo=known):
        store.set("a", {"n": 1})
    assert ["update"] * (collisions + 1) == commands.names
    assert {"n": 1} == store.get("a")
    assert 1 == database.sessions.count_documents({})
    with (
        fail_point("update", error_code=11000, times=6, errorExtraInfo=known),
        pytest.raises(StoreRefused),
    ):
        store.set("a", {"n": 2})


def test_a_secondary_that_finds_nothing(options: Options, commands: Commands) -> None:
    """What a secondary does not find is looked for in the primary, if it is a session."""
    more = {"URLParam.readPreference": "secondaryPreferred"}
    sessions = StoreCollection(DbConfig.from_options(options | more), "sessions")
    assert sessions.find_one("a") is None
    assert ["find"] == commands.names
    commands.clear()
    assert sessions.find_one_raw("a") is None
    assert ["find", "find"] == commands.names
