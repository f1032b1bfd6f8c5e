"""Commands that are sent without PyMongo's own methods."""

from contextlib import suppress

import bson
import pytest
from bson.raw_bson import RawBSONDocument

from beaker_mongo_soajs import SessionStore, StoreError
from beaker_mongo_soajs.mongo.raw_commands import _only_document
from tests.conftest import FailPoint, Options
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


@pytest.mark.parametrize("level", ["local", None])
def test_read_concern(options: Options, commands: Commands, level: str | None) -> None:
    """A read of a session has the configured read concern, and none without the option."""
    more = {} if level is None else {"URLParam.readConcernLevel": level}
    SessionStore(options | more).get("a")
    sent = commands.started[0].command.get("readConcern")
    assert sent == (None if level is None else {"level": level})


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
