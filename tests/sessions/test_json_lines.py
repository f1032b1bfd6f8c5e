"""Documents as lines of extended JSON; ``tests/cli/test_transfer.py`` exports and imports them."""

import datetime
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS

from beaker_mongo_soajs.sessions.json_lines import DamagedLineError, dump_line, load_line


@pytest.mark.parametrize("value", [DatetimeMS(2**62), datetime.datetime(2026, 1, 1), bson.Int64(5)])
def test_round_trip(value: Any) -> None:
    """A document is the same after it was written and read."""
    raw = bson.encode({"_id": "a", "session": {"value": value}})
    assert raw == load_line(dump_line(raw))


def test_an_invalid_document() -> None:
    """A document that is no valid BSON is damaged."""
    raw = bson.encode({"_id": "a", "session": {"n": "x"}}).replace(b"x", b"\xff")
    with pytest.raises(DamagedLineError, match="InvalidBSON"):
        dump_line(raw)


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{", b"\xff", b"[]", b"5", b'{"a": 99999999999999999999}', b"[" * 100_000),
        *(b'{"a": {"$binary": {}}}', b'{"a": {"$binary": 5}}', b'{"a": {"$oid": "x"}}'),
        *(b'{"a": {"$numberDecimal": "x"}}', b'{"a": {"$binary": 1, "$type": "00"}}'),
    ],
    ids=range(12),
)
def test_lines_without_a_document(line: bytes) -> None:
    """A line that holds no document is damaged, whatever it holds."""
    with pytest.raises(DamagedLineError):
        load_line(line)
