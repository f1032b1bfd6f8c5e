"""What old backends store, and what an attacker could store there."""

import base64
import json
import pickle
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaker_mongo_soajs import SerializationError
from beaker_mongo_soajs.sources.entry import Entry, read_entry

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


def test_json() -> None:
    """Beaker's JSON is loaded without trust."""
    text = _text(zlib.compress(json.dumps({"user": "ann"}).encode()))
    old = read_entry(Entry("id", text), trust_pickles=False)
    assert old is not None
    assert {"user": "ann"} == old.session
