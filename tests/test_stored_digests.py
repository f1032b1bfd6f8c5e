"""Digests and signatures that databases hold: with any other bytes, an upgrade would void them."""

import pickle
from typing import Any

import pytest

from beaker_mongo_soajs import DbConfig, Locks
from beaker_mongo_soajs.caches.entry import Entry
from beaker_mongo_soajs.caches.store import CacheStore
from beaker_mongo_soajs.sessions.codec import Codec, JsonCodec, NativeCodec
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.lock import SessionLock
from beaker_mongo_soajs.sessions.stored import StoredId
from tests.conftest import Db, Options

_STORE = {"pickle": True, "signingKey": "0123456789abcdef", "transformId": "sha256"}
_CONFIG = DbConfig.from_options({"name": "shop", "store": _STORE})


class Labelled:
    """A class whose objects have the same pickle in all versions of Python."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make the object again."""
        return str, ("an object",)


@pytest.mark.parametrize(
    ("codec", "key", "name"),
    [
        (NativeCodec(), "$set", "__key__47c648d4c909af647868b27efc2aba4a"),
        (NativeCodec(), "$key 1247", "__key__0007ee57f05d94eb5d678c75ab2c04ff"),
        (JsonCodec(), 531, "__key__0022bf824be84cc52d55eeb1c2bdd82e"),
        (JsonCodec(), "\ud800", "__key__b2b5557e76ab512545bca7439fbfd599"),
    ],
)
def test_names_of_fields(codec: Codec, key: object, name: str) -> None:
    """The field of a key that cannot be a field name has the name that it always had."""
    assert name == codec.field_name(key)


@pytest.mark.parametrize(
    ("session_id", "digest"),
    [
        ("an id", "5e92a53cfa80609c9bf3bdba331150edc48829efa2cb744f0938aa9f06e71ae0"),
        ("id 2339", "000ee67cd977a79dcfcc31ce08f91fdc18bdb6bbaddc6cf1371616c225c63f2b"),
    ],
)
def test_session_ids(session_id: str, digest: str) -> None:
    """With store.transformId, the SHA-256 digest of a session id is stored."""
    assert digest == SessionDocuments(_CONFIG, 600).stored_id(session_id)


@pytest.mark.parametrize(
    ("stored_id", "handle"),
    [
        ("an id", "8d49bd6b817e76d0c18a62737ca7c61f837a70e2"),
        ("id 5167", "000b77d3535abaf45f455ae9b237d27a11696fc3"),
    ],
)
def test_handles(stored_id: str, handle: str) -> None:
    """A session has the handle that pages and logs have shown."""
    assert handle == StoredId(stored_id).handle


def test_locks(options: Options, database: Db) -> None:
    """A lock, and the lock of a session, are the same for processes of all versions."""
    lock = SessionLock(DbConfig.from_options(options))
    lock.acquire("an id", None)
    with Locks(options).lease("lock 4943"):
        assert {
            "000aff3b6ed7d44f3daa2a2a162a02edfdd5fad64c6aba2e4e54069c3d53c6a6",
            "f6277007bb802a9612daf4c83e26ed3f2a581059f2b7025b60f0b5ecc0115e02",
        } == set(database.sessions_locks.distinct("_id"))
    lock.release()


def test_signed_pickles() -> None:
    """The pickles of a session are signed for its id, those of values also for their field."""
    documents = SessionDocuments(_CONFIG, 600)
    tree = documents.encode(documents.form, {"object": Labelled(), Labelled(): 1}, "id")
    value, item = tree.values()
    signatures = (
        "a3bba029da751bc612e5af8c2d12723c3f2c89fc09a7e935ddb26256e4751715",
        "e411abb529087719df3e3cae4aecb76cbf255f40843f2f1ebacc82b83ed72e55",
    )
    assert signatures == tuple(each["signature"].hex() for each in (value, item["value"][0]))


def test_signed_ciphertext() -> None:
    """Ciphertext is signed for the id of its session."""
    fields = SessionDocuments(_CONFIG, 600).encrypted_fields("id", "text")
    signature = "a65f1045e6ef50ee77c339c185bf5458771785b646e4f78fc61bf407189dc43a"
    assert {"session": "text", "signature": bytes.fromhex(signature)} == fields


def test_signed_cached_value() -> None:
    """A cached value that an earlier version signed is loaded."""
    signature = bytes.fromhex("ba20c602ec89005ea3aec88559c0aef7dc7ed8cb4487c38f890158b4d620d9c6")
    entry = Entry(pickle.dumps("value", 4), signature, None, None, None)
    assert "value" == CacheStore(_CONFIG).load("things", b"key", entry)
