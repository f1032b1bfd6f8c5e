"""What old backends store, and what an attacker could store there."""

import base64
import json
import pickle
import zlib
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaker_mongo_soajs import SerializationError
from beaker_mongo_soajs.sources.entry import Entry, OldSession, from_timestamp, read_entry

ANN = {"user": "ann"}
executed: list[str] = []


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (executed.append, ("code from the database",))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class TestPickles:
    """Pickles run code only if they are trusted."""

    @pytest.mark.parametrize(
        "value",
        [
            pickle.dumps({"session": _Evil()}),
            pickle.dumps(_Evil(), 2),
            pickle.dumps({"session": _text(pickle.dumps({"user": _Evil()}, 2))}),
            pickle.dumps(_text(pickle.dumps({"user": "ann"}, 2))),
            _text(pickle.dumps({"user": _Evil()}, 2)),
        ],
        ids=["namespace", "value", "session in a namespace", "plain session", "text"],
    )
    def test_not_trusted(self, value: object) -> None:
        """Nothing is executed; the error says why, and what to do."""
        executed.clear()
        with pytest.raises(SerializationError, match="trustPickles"):
            read_entry(Entry("id", value), trust_pickles=False)
        assert [] == executed

    def test_trusted(self) -> None:
        """With trust, a session of plain values is loaded."""
        value = pickle.dumps({"session": _text(pickle.dumps({"user": "ann"}, 2))})
        old = read_entry(Entry("id", value), trust_pickles=True)
        assert old is not None
        assert {"user": "ann"} == old.session

    @given(st.one_of(st.binary(), st.text(), st.binary().map(pickle.dumps), st.none()))
    def test_garbage(self, value: object) -> None:
        """Anything is a session, ciphertext, nothing, or a SerializationError."""
        try:
            old = read_entry(Entry("id", value), trust_pickles=False)
        except SerializationError:
            return
        assert old is None or isinstance(old.session, dict) or old.text


_JSON = _text(zlib.compress(json.dumps(ANN).encode()))


@pytest.mark.parametrize(
    ("value", "session"),
    [
        *((_JSON, ANN), (ANN, ANN), (pickle.dumps({"session": ANN}), ANN)),
        *((pickle.dumps(ANN | {"session": 1}), ANN | {"session": 1}), (pickle.dumps({}), {})),
        *((pickle.dumps({"session": {}}), {}), ("", {}), (None, {})),
    ],
)
def test_plain(value: object, session: dict[str, Any]) -> None:
    """Beaker's JSON and pickles of plain values are loaded without trust."""
    old = read_entry(Entry("id", value), trust_pickles=False)
    assert session == (old.session if old else {})


@pytest.mark.parametrize(
    "text",
    [
        *("no base64", f"!{_JSON}", _text(b"\x80x"), _text(b"x."), _text(b"x")),
        _text(zlib.compress(b"[" * 100_000)),
    ],
    ids=range(6),
)
def test_ciphertext(text: str) -> None:
    """Any other text may be ciphertext, and stays as it is."""
    assert OldSession(None, text) == read_entry(Entry("id", text), trust_pickles=True)


@pytest.mark.parametrize("value", [7, pickle.dumps([1]), _text(zlib.compress(b"[]"))])
def test_no_session(value: object) -> None:
    """Other values are no sessions."""
    with pytest.raises(SerializationError, match="is not a session"):
        read_entry(Entry("id", value), trust_pickles=False)


@pytest.mark.parametrize(
    ("seconds", "date"),
    [
        *((0, datetime(1970, 1, 1)), (86_400.5, datetime(1970, 1, 2, 0, 0, 0, 500_000))),
        *((True, None), ("1", None), (None, None), (1e300, None), (float("nan"), None)),
    ],
)
def test_timestamps(seconds: object, date: datetime | None) -> None:
    """Seconds since 1970 become a date, and anything else none."""
    assert date == from_timestamp(seconds)
