"""Values and keys of all kinds, and untrusted databases."""

import logging
import pickle
from typing import Any

import pytest
from beaker.cache import Cache
from bson import MaxKey, MinKey

from beaker_mongo_soajs import (
    MongoNamespaceManager,
    SerializationError,
)
from beaker_mongo_soajs.backend import cache_side as cache_namespace
from tests.caches.doubles import Creator
from tests.caches.support import open_cache
from tests.conftest import Db, Options

pytestmark = pytest.mark.slow


class TestValues:
    """Values and keys that can be stored, and those that cannot."""

    def test_too_large(self, cache: Cache) -> None:
        """A value above 16 MB is an error that names the key; the old value stays."""
        cache.put("key", "old")
        with pytest.raises(SerializationError, match=r"b'key'.*16 MB") as caught:
            cache.put("key", b"x" * (16 * 1024 * 1024))
        assert "b'key'" == caught.value.path
        assert "old" == cache.get("key")
        cache.put("key", b"x" * (16 * 1024 * 1024 - 20_000))
        assert 16 * 1024 * 1024 - 20_000 == len(cache.get("key"))

    def test_too_large_creation(self, cache: Cache, creator: Creator) -> None:
        """A created value above 16 MB is an error, and the next caller can create one at once."""
        with pytest.raises(SerializationError, match="b'key'"):
            cache.get("key", createfunc=lambda: b"x" * (16 * 1024 * 1024))
        assert "value 1" == cache.get("key", createfunc=creator)

    def test_not_picklable(self, cache: Cache) -> None:
        """A value that cannot be pickled is an error that names the key, but not the value."""
        cache.put("key", "old")
        with pytest.raises(SerializationError, match="b'key'") as caught:
            cache.put("key", {"secret": lambda: None})
        assert "secret" not in str(caught.value)
        assert "old" == cache.get("key")

    @pytest.mark.parametrize("key", [1, -5, 2**62, "text", b"bytes"])
    def test_keys_of_a_namespace(self, options: Options, key: Any) -> None:
        """A namespace used directly takes text, bytes and numbers as keys."""
        namespace = MongoNamespaceManager("things", **options)
        for other in ("1", "-5", b"other", str(2**62)):
            namespace[other] = "other"
        assert key not in namespace
        namespace[key] = "mine"
        assert "mine" == namespace[key]
        assert 5 == len(namespace.keys())
        del namespace[key]
        assert 4 == len(namespace.keys())

    @pytest.mark.parametrize("text", ["a", "ключ", "a.b", "\ud800"])
    def test_text_and_bytes_are_one_key(self, cache: Cache, text: str) -> None:
        """A value under a text key is found in the namespace under the same text."""
        cache.set_value(text, "value")
        namespace = cache.namespace
        assert namespace.has_key(text)
        assert [text.encode("ascii", "backslashreplace")] == namespace.keys()
        assert "value" == namespace[text][2]
        del namespace[text]
        assert text not in cache
        namespace[text] = (1, None, "other")
        assert "other" == cache.get(text)

    def test_numbers_come_back_as_int(self, options: Options) -> None:
        """A key of more than 32 bits is returned as an int."""
        namespace = MongoNamespaceManager("things", **options)
        namespace[2**40] = 1
        (key,) = namespace.keys()
        assert int is type(key)

    def test_true_and_one_are_one_key(self, options: Options) -> None:
        """Keys that are equal in Python are one key: True and 1."""
        namespace = MongoNamespaceManager("things", **options)
        namespace[True] = "value"
        assert "value" == namespace[1]

    @pytest.mark.parametrize("key", ["text", {"a": 1}, None, [1], 1.5])
    def test_planted_keys_are_not_listed(self, cache: Cache, database: Db, key: Any) -> None:
        """A planted entry with a key that no cache uses is not listed, and can be cleared."""
        cache.put("key", 1)
        for planted in ({"ns": "things", "key": key}, {"ns": "things", "kez": key}):
            database.cache.insert_one({"_id": planted, "value": b"", "expires": None})
        assert [b"key"] == cache.namespace.keys()
        cache.clear()
        assert [] == cache.namespace.keys()

    @pytest.mark.parametrize("key", [None, 1.5, ("a", 1), {"$gt": ""}, MinKey(), 2**63])
    def test_keys_of_other_types(self, options: Options, key: Any) -> None:
        """Any other key is an error, and sends no command."""
        namespace = MongoNamespaceManager("things", **options)
        namespace[b"key"] = 1
        for use in (
            namespace.has_key,
            namespace.__getitem__,
            namespace.__delitem__,
            lambda key: namespace.set_value(key, 1),
        ):
            with pytest.raises(SerializationError, match="key"):
                use(key)
        assert [b"key"] == namespace.keys()

    def test_document(self, cache: Cache, database: Db) -> None:
        """A document holds namespace and key as they are, and no lease after the creation."""
        cache.get("key", createfunc=lambda: 1)
        document = database.cache.find_one()
        assert document is not None
        assert {"ns": "things", "key": b"key"} == document["_id"]
        assert {"_id", "value", "version", "fresh_until", "expires"} == set(document)
        assert (None, None) == (document["fresh_until"], document["expires"])

    def test_a_lifetime_beyond_the_calendar(self, options: Options) -> None:
        """A lifetime beyond the years of Python's dates is for ever."""
        namespace = MongoNamespaceManager("things", **options)
        namespace.set_value(b"key", 1, expiretime=1e18)
        assert 1 == namespace[b"key"]

    def test_collection_option(self, options: Options, database: Db) -> None:
        """The option collection names another collection."""
        open_cache(options, collection="pages").put("key", 1)
        assert ["pages"] == database.list_collection_names()


class TestTrust:
    """Databases to which others can write."""

    @pytest.fixture
    def signed(self, options: Options) -> Cache:
        """Return a cache that signs its values."""
        return open_cache(options, **{"store.signingKey": "0123456789abcdef"})

    @pytest.fixture
    def loads(self, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
        """Record what is unpickled."""
        loaded: list[bytes] = []
        real = pickle.loads

        def load(payload: bytes) -> Any:
            loaded.append(payload)
            return real(payload)

        monkeypatch.setattr(pickle, "loads", load)
        return loaded

    @pytest.mark.parametrize(
        "tampering",
        [
            {"value": b"cos\nsystem\n(S'true'\ntR."},
            {"signature": b"x" * 32},
            {"signature": None},
            {"signature": "text"},
            {"value": "text"},
            {"value": None},
        ],
        ids=range(6),
    )
    def test_value_without_a_good_signature(
        self,
        signed: Cache,
        database: Db,
        creator: Creator,
        loads: list[bytes],
        caplog: pytest.LogCaptureFixture,
        tampering: dict[str, Any],
    ) -> None:
        """It is not unpickled: a namespace raises an error, and Value creates a new value."""
        signed.put("key", "value")
        database.cache.update_one({}, {"$set": tampering})
        namespace = signed.namespace
        with pytest.raises(SerializationError, match=r"signature.*signingKey"):
            namespace[b"key"]
        with caplog.at_level(logging.WARNING, cache_namespace.__name__):
            assert "key" not in signed
            assert "value 1" == signed.get("key", createfunc=creator)
        assert "counts as absent" in caplog.text
        assert "secret" not in caplog.text
        assert [] == loads
        assert "value 1" == signed.get("key")

    def test_value_of_another_key(
        self, signed: Cache, options: Options, database: Db, loads: list[bytes]
    ) -> None:
        """A signature is valid only for its namespace and key."""
        signed.put("one", 1)
        document = database.cache.find_one()
        assert document is not None
        for place in ({"ns": "things", "key": b"two"}, {"ns": "others", "key": b"one"}):
            database.cache.insert_one(document | {"_id": place})
        others = Cache("others", type="ext:mongodb_soajs", **signed.nsargs)
        assert "two" not in signed
        assert "one" not in others
        assert [] == loads
        assert "one" in signed

    def test_change_of_the_key(self, signed: Cache, options: Options, creator: Creator) -> None:
        """After a change of signingKey, values are created again."""
        signed.get("key", createfunc=creator)
        changed = open_cache(options, **{"store.signingKey": "another signing key"})
        assert "value 2" == changed.get("key", createfunc=creator)
        assert "value 2" == changed.get("key", createfunc=creator)

    @pytest.mark.parametrize("value", [b"garbage", b"", b"cno.such.module\nname\n.", 5, None, []])
    def test_garbage(self, cache: Cache, database: Db, creator: Creator, value: Any) -> None:
        """A value that cannot be unpickled is created again."""
        cache.put("key", 1)
        database.cache.update_one({}, {"$set": {"value": value}})
        with pytest.raises(SerializationError, match="unpickled"):
            cache.namespace[b"key"]
        assert "value 1" == cache.get("key", createfunc=creator)
        assert "value 1" == cache.get("key")

    @pytest.mark.parametrize("field", ["version", "expires", "fresh_until", "signature"])
    @pytest.mark.parametrize("planted", [None, "text", 5, [], {}, MaxKey()], ids=range(6))
    def test_odd_documents(
        self, cache: Cache, database: Db, creator: Creator, field: str, planted: Any
    ) -> None:
        """With any content in the other fields, the value is returned or created."""
        cache.put("key", "old")
        database.cache.update_one({}, {"$set": {field: planted}})
        assert cache.get("key", createfunc=creator) in ("old", "value 1")
