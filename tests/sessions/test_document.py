"""Decoding documents: the session that is returned, and the one kept for comparison."""

import datetime
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from hypothesis import given, settings

from beaker_mongo_soajs import DbConfig, SerializationError
from beaker_mongo_soajs.sessions.changes import is_same
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.stored import StoredSession
from tests.conftest import Options
from tests.effort import times
from tests.sessions.values import SESSIONS

_NOW = datetime.datetime(2026, 1, 1)
_CART = {"user": "ann", "cart": [{"sku": "a", "count": 2}], "n": Int64(7), "large": 2**40}


def documents(**options: Any) -> SessionDocuments:
    """Return the documents object of a configuration."""
    return SessionDocuments(DbConfig.from_options(options), 600)


def stored(those: SessionDocuments, session: dict[Any, Any]) -> StoredSession:
    """Return a session as it is read after it is stored."""
    tree = those.encode(those.form, session, "id")
    document = those.build("id", tree, None, _NOW, those.new_cookie(those.form))
    return read(those, document)


def read(those: SessionDocuments, document: dict[str, Any]) -> StoredSession:
    """Return the session of a document."""
    found = those.read(bson.encode(document), _NOW)
    assert found is not None
    return found


def document_of(session: dict[str, Any]) -> dict[str, Any]:
    """Return a document as another application may write it."""
    return {"_id": "id", "session": session, "expires": _NOW + datetime.timedelta(hours=1)}


@pytest.mark.parametrize("stringify", [False, True], ids=["native", "text"])
@settings(max_examples=times(100))
@given(session=SESSIONS.filter(lambda session: "_accessed_time" not in session))
def test_session_is_decoded(session: dict[Any, Any], stringify: bool) -> None:
    """A decoded session is the same for reading and for keeping, in each way of decoding."""
    those = documents(stringify=stringify)
    found = stored(those, session)
    assert is_same(session, those.peek(found))
    assert is_same(session, those.decode(found))
    assert is_same(session, those.decode(found))
    assert is_same(session, those.peek(found))


def test_plain_session_is_decoded_by_the_driver() -> None:
    """A session without tags is decoded by the driver only, with 64-bit integers as int."""
    those = documents()
    found = read(those, document_of(_CART))
    session = those.decode(found)
    assert found.is_plain
    assert is_same(_CART | {"n": 7}, session)


@pytest.mark.parametrize(
    ("options", "session"),
    [
        ({}, {"roles": ("admin",)}),
        ({}, {"a.b": 1, "": 2, "$c": 3}),
        ({"store.expressCookie": True}, {"user": "ann"}),
    ],
    ids=["tag", "odd keys", "cookie of express"],
)
def test_tagged_values(options: Options, session: dict[str, Any]) -> None:
    """Values with a tag are decoded to their type."""
    those = documents(**options)
    found = stored(those, session)
    assert not found.is_plain
    assert is_same(session, those.decode(found))


def test_long_of_another_application() -> None:
    """A 64-bit integer from Node or a shell is an int, even beside tagged values."""
    those = documents()
    tagged = those.encode(those.form, {"roles": ("admin",)}, "id")
    found = read(those, document_of(tagged | {"n": Int64(7)}))
    assert is_same({"roles": ("admin",), "n": 7}, those.decode(found))


@pytest.mark.parametrize("mark", ["__type__", "\\u005f_type__", "_\\u005Ftype__", "__\\u0074ype__"])
def test_escapes_of_others(mark: str) -> None:
    """A tag in JSON text can be written with escapes."""
    those = documents(stringify=True)
    text = f'{{"roles": {{"{mark}": "tuple", "value": ["admin"]}}}}'
    found = read(those, document_of({}) | {"session": text})
    assert is_same({"roles": ("admin",)}, those.peek(found))


@pytest.mark.parametrize("stringify", [False, True], ids=["native", "text"])
@pytest.mark.parametrize("extra", [{}, {"roles": {"admin"}}], ids=["plain", "tagged"])
def test_loaded_session_is_a_copy(stringify: bool, extra: Any) -> None:
    """A nested change of a loaded session does not change the copy for comparison."""
    those = documents(stringify=stringify)
    found = stored(those, {"cart": [{"sku": "a"}], **extra})
    session = those.decode(found)
    session["cart"][0]["sku"] = "b"
    assert [{"sku": "a"}] == those.peek(found)["cart"]
    assert [{"sku": "a"}] == found.tree["cart"]
    again = those.decode(found)
    again["cart"].append("c")
    assert [{"sku": "a"}] == those.decode(found)["cart"]


def test_comparison_after_a_save() -> None:
    """After a save, later changes are compared with what was saved."""
    those = documents()
    found = read(those, document_of({"n": 1, "_accessed_time": 1.5}))
    found = found.saved({"n": 2, "_accessed_time": 2.5})
    assert {"n": 2, "_accessed_time": 2.5} == those.decode(found)
    assert 2.5 == found.accessed_time


def test_invalid_bson() -> None:
    """Invalid BSON raises an error which says that the document is kept."""
    raw = bson.encode(document_of({"text": "valid"})).replace(b"valid", b"\xff\xff\xff\xff\xff")
    with pytest.raises(SerializationError, match=r"not valid BSON .* was not changed"):
        documents().read(raw, _NOW)


def test_odd_id() -> None:
    """A document whose id is not a text is not a session."""
    assert documents().read(bson.encode(document_of({}) | {"_id": 1}), _NOW) is None
