"""The update of one native document."""

import datetime
from typing import Any

import pytest

from beaker_mongo_soajs.sessions.native_update import NO_CHANGES, FieldChanges, native_update

_DATE = datetime.datetime(2026, 1, 2)
_TIME = "session._accessed_time"


@pytest.mark.parametrize(
    ("time", "expires", "ahead", "expected"),
    [
        (5.0, _DATE, False, {"$max": {_TIME: 5.0, "expires": _DATE}}),
        (None, _DATE, False, {"$max": {"expires": _DATE}}),
        (5.0, _DATE, True, {"$max": {"expires": _DATE}, "$set": {_TIME: 5.0}}),
        (None, _DATE, True, {"$max": {"expires": _DATE}}),
        (5.0, None, False, {}),
        (5.0, None, True, {}),
    ],
)
def test_times(
    time: float | None, expires: datetime.datetime | None, ahead: bool, expected: dict[str, Any]
) -> None:
    """Times move forward only, except a stored one that lies ahead; or not at all."""
    assert expected == native_update(NO_CHANGES, time, expires, {}, lies_ahead=ahead)


def test_fields() -> None:
    """Changed keys and marks are set, and removed keys are unset, one by one."""
    changes = FieldChanges({"a": 1}, {"b", "c"})
    assert {
        "$set": {"session.a": 1, "mark": 2},
        "$unset": {"session.b": "", "session.c": ""},
    } == native_update(changes, None, None, {"mark": 2}, lies_ahead=False)


@pytest.mark.parametrize("name", ["", "a.b", ".", "$a", "$"])
def test_names_without_a_path(name: str) -> None:
    """A name that is empty, or has a dot or a leading $, cannot be updated by a path."""
    assert not FieldChanges({name: 1}, set()).have_paths
    assert not FieldChanges({}, {name}).have_paths
    assert FieldChanges({"a$": 1}, {"_b"}).have_paths
