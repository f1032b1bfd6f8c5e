"""Signatures and digests in the database: a change of one voids what is stored already.

Each test computes the expected value by itself, from the algorithm and the parts.
"""

import hashlib
import hmac
from fractions import Fraction
from typing import Any

import bson
import pytest
from beaker.cache import Cache
from pymongo.database import Database

from beaker_mongo_soajs import MongoSession, SessionStore
from tests.application import only_document
from tests.mongo_session.support import KEYS

Options = dict[str, Any]
Db = Database[dict[str, Any]]

_KEY = "the signing key of these tests"
_ID = "0123456789abcdef"


class _Basket:
    """A value that only a pickle can hold."""


def _signature(database: Db, collection: str, *parts: bytes) -> bytes:
    """Return HMAC-SHA256 over all parts, each of them after its length in eight bytes."""
    mac = hmac.new(_KEY.encode(), digestmod="sha256")
    for part in (database.name.encode(), collection.encode(), *parts):
        mac.update(len(part).to_bytes(8, "big"))
        mac.update(part)
    return mac.digest()


@pytest.fixture
def signed(options: Options) -> Options:
    """Return options with a signing key and pickles."""
    return options | {"store": {"signingKey": _KEY, "pickle": True}}


def test_signed_pickle(signed: Options, database: Db) -> None:
    """A pickle in a session is signed over "session", the _id and the name of its field."""
    SessionStore(signed).set(_ID, {"basket": _Basket()})
    tagged = only_document(database)["session"]["basket"]
    assert {"__type__", "value", "signature"} == tagged.keys()
    expected = _signature(
        database, "sessions", b"session", _ID.encode(), b"basket", tagged["value"]
    )
    assert expected == tagged["signature"]


def test_signed_key(signed: Options, database: Db) -> None:
    """A pickle in the key of an item is signed over "key" and the _id."""
    SessionStore(signed).set(_ID, {(_Basket, 1): 5})
    (item,) = only_document(database)["session"].values()
    tagged = item["value"][0]["value"][0]
    assert (
        _signature(database, "sessions", b"key", _ID.encode(), tagged["value"])
        == tagged["signature"]
    )


def test_signed_ciphertext(signed: Options, database: Db) -> None:
    """Ciphertext is signed over "ciphertext" and the _id."""
    options: Options = {**signed, **KEYS}
    session = MongoSession({}, use_cookies=False, **options)
    session["n"] = 1
    session.save()
    document = only_document(database)
    parts = (b"ciphertext", document["_id"].encode(), document["session"].encode())
    assert _signature(database, "sessions", *parts) == document["signature"]


def test_signed_cache_entry(signed: Options, database: Db) -> None:
    """A cached value is signed over "cache" and its _id as BSON."""
    Cache("things", type="ext:mongodb_soajs", **signed).put("key", "value")
    document = database.cache.find_one()
    assert document is not None
    parts = (b"cache", bson.encode({"ns": "things", "key": b"key"}), document["value"])
    assert _signature(database, "cache", *parts) == document["signature"]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("__key__x", "__key__f094536e27d3c19b2ef12ed92450809c"),
        (531, "__key__0022bf824be84cc52d55eeb1c2bdd82e"),
        (5, "__key__3d6ed13a21fbdece1efda0e9494786c9"),
        (("t", 1), "__key__59c50c3ae0fb33d41938f970ad78f3f9"),
        (Fraction(1, 3), "__key__b6bd23a19628f8423cb15d26e33d831d"),
    ],
    ids=str,
)
def test_item_name(options: Options, database: Db, key: object, name: str) -> None:
    """The field of a key that cannot be a field name is called by a digest of the key."""
    SessionStore(options).set(_ID, {key: 1})
    assert [name] == [*only_document(database)["session"]]


def test_transformed_id(options: Options, database: Db) -> None:
    """With transformId sha256, the _id is the SHA-256 digest of the session id."""
    SessionStore(options | {"store": {"transformId": "sha256"}}).set(_ID, {})
    assert hashlib.sha256(_ID.encode()).hexdigest() == only_document(database)["_id"]


def test_lock_id(options: Options, database: Db) -> None:
    """The lock of a session is called by the SHA-256 digest of "session" and its id."""
    session = MongoSession({}, use_cookies=False, **options)
    session.save()
    with session.locked():
        document = database.sessions_locks.find_one()
    assert document is not None
    assert hashlib.sha256(f"session {session.id}".encode()).hexdigest() == document["_id"]
