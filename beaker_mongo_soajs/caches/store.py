"""Cache entries in a MongoDB collection, each found by namespace and key."""

import logging
import pickle
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import bson
from bson import ObjectId
from bson.max_key import MaxKey
from bson.min_key import MinKey

from beaker_mongo_soajs.caches.entry import Entry, read_entry
from beaker_mongo_soajs.caches.entry_lease import EntryLease
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import Document, utc_now
from beaker_mongo_soajs.mongo.indexes import ttl_index
from beaker_mongo_soajs.mongo.leases import LEASE_FIELDS, Lease
from beaker_mongo_soajs.mongo.outages import outages_of
from beaker_mongo_soajs.signature import Context, make_signer

logger = logging.getLogger(__name__)

DEFAULT_COLLECTION = "cache"

Key = str | bytes | int
"""A key as a namespace takes it: text or bytes, which are one key, or a 64-bit number."""

StoredKey = bytes | int
"""A key as it is stored. :func:`stored_key` returns it."""

# The document's other fields, those of a lease included, have to fit into MongoDB's 16 MB as well.
_LARGEST_PAYLOAD_BYTES = 16 * 1024 * 1024 - 16 * 1024

_KEY_LIMIT = 2**63
_SHOWN_LENGTH = 6

_FIRST_BATCH_MS = 1000

_warned: set[str] = set()
"""The collections about whose pickles this process has warned."""


class CacheStore:
    """Keep cache entries: ``{_id: {ns, key}, value, version, fresh_until, expires}``.

    Values are any Python objects, hence pickled: whoever may write to the collection may run code
    in the application, unless ``store.signingKey`` is set. Then a value without a good signature is
    never loaded.

    The lease of who creates a value stands in the entry itself (:meth:`lease`), so that one command
    acquires it and reads what others stored meanwhile.

    Every method raises :class:`~beaker_mongo_soajs.StoreUnavailable` when the database does not
    carry out its command.

    :param config: the configuration; its ``collection`` if it names one, else ``cache``.
    """

    def __init__(self, config: DbConfig) -> None:
        name = config.collection if config.collection_given else DEFAULT_COLLECTION
        indexes = [ttl_index()] if config.store.auto_remove == "native" else []
        self._collection = StoreCollection(config, name, indexes)
        self.lease_seconds = config.store.lock_lease_seconds
        self._signer = make_signer(config.store.signing_keys, config.database, name)
        self.creates_in_outages = config.store.on_unavailable == "create"
        self.outages = outages_of(config.connection_key, self._probe)

    def warn_of_pickles(self) -> None:
        """Log once that others could plant pickles, unless ``store.signingKey`` is set."""
        where = self._collection.namespace
        if self._signer is None and where not in _warned:
            _warned.add(where)
            logger.warning(
                "Cached values in %s are pickles without signatures: whoever can write to that "
                "collection can run code in this process. Set store.signingKey.",
                where,
            )

    def find(self, namespace: str, key: StoredKey) -> Entry | None:
        """Return what is stored, in one command; see whether it :attr:`~Entry.is_there`.

        :param namespace: the cache's namespace.
        :param key: the key in it.
        """
        return read_entry(self._collection.find_one(_id(namespace, key)) or {})

    def load(self, namespace: str, key: StoredKey, entry: Entry) -> Any:
        """Return the value of an entry; no command.

        :param namespace: the namespace in which it was found.
        :param key: the key under which it was found.
        :param entry: what was found.
        :raises SerializationError: when it cannot be loaded, or its signature does not match.
        """
        payload = entry.payload
        if self._signer is not None and not (
            isinstance(payload, bytes)
            and self._signer.verifies(entry.signature, _context(namespace, key), payload)
        ):
            raise _unreadable(key, "has no signature that matches store.signingKey")
        try:
            return pickle.loads(payload)  # noqa: S301 - what a cache of objects is
        except Exception as error:
            raise _unreadable(key, f"cannot be unpickled ({type(error).__name__})") from error

    def get(self, namespace: str, key: StoredKey) -> Any:
        """Return a value.

        :param namespace: the cache's namespace.
        :param key: the key in it.
        :raises KeyError: when it is absent or has expired.
        :raises SerializationError: when it cannot be loaded, or its signature does not match.
        """
        entry = self.find(namespace, key)
        if entry is None or not entry.is_fresh:
            raise KeyError(key)
        return self.load(namespace, key, entry)

    def contains(self, namespace: str, key: StoredKey) -> bool:
        """Tell whether there is a value that has not expired.

        :param namespace: the cache's namespace.
        :param key: the key in it.
        """
        entry = self.find(namespace, key)
        return entry is not None and entry.is_fresh

    def set(
        self,
        namespace: str,
        key: StoredKey,
        value: object,
        expire_seconds: float | None = None,
        *,
        stored: datetime | None = None,
        grace_seconds: float = 0,
        lease: Lease | None = None,
    ) -> Entry:
        """Store a value, in one command.

        :param namespace: the cache's namespace.
        :param key: the key in it.
        :param value: the value.
        :param expire_seconds: how long it lives; ``None`` for ever.
        :param stored: since when it lives, if not from now on.
        :param grace_seconds: how long it is still to be found by :meth:`find` after that.
        :param lease: the entry's lease under which the value was created; released in the same
            command. If it was lost, what others stored meanwhile stays.
        :returns: what is stored now.
        :raises SerializationError: when it cannot be pickled, or is larger than 16 MB; the old
            value stays.
        """
        payload = _pickled(key, value)
        fresh_until = _after(stored or utc_now(), expire_seconds)
        expires = _after(fresh_until, grace_seconds)
        fields = {
            "value": payload,
            "version": ObjectId(),
            "fresh_until": fresh_until,
            "expires": expires,
        }
        absent = {}
        if self._signer is None:
            absent["signature"] = ""
        else:
            fields["signature"] = self._signer.sign(_context(namespace, key), payload)
        try:
            self._write(_id(namespace, key), fields, absent, lease)
        except SerializationError as error:
            raise _unstorable(key, f"cannot be stored ({error})") from error
        self._collection.sweep_if_due()
        entry = read_entry(fields)
        assert entry is not None
        return entry

    def delete(self, namespace: str, key: StoredKey) -> int:
        """Delete a value; return how many there were, 1 or 0.

        :param namespace: the cache's namespace.
        :param key: the key in it.
        """
        return self._collection.delete_one(_id(namespace, key))

    def clear(self, namespace: str) -> None:
        """Delete all values of a namespace, and of no other.

        In one command; a namespace whose deletion takes longer than a second is deleted in several.

        :param namespace: the cache's namespace.
        """
        batch_ms = _FIRST_BATCH_MS
        while not self._collection.delete_within(_range(namespace), batch_ms):
            # What was deleted is deleted. Twice the time, lest a busy server never gets on.
            batch_ms *= 2

    def keys(self, namespace: str) -> list[StoredKey]:
        """Return the keys of a namespace whose values have not expired.

        :param namespace: the cache's namespace.
        """
        return list(self._keys(namespace))

    def lease(self, namespace: str, key: StoredKey, *, shared: bool = False) -> EntryLease:
        """Return the lease of an entry, not acquired yet; the entry need not be there.

        :param namespace: the cache's namespace.
        :param key: the key in it.
        :param shared: as for :class:`~beaker_mongo_soajs.mongo.leases.Lease`.
        """
        return EntryLease(self._collection, _id(namespace, key), shared=shared)

    def entry_of(self, lease: Lease) -> Entry | None:
        """Return what is stored beside a lease, as its last attempt found it; no command.

        :param lease: a lease that :meth:`lease` returned.
        """
        return read_entry(lease.document)

    def _keys(self, namespace: str) -> Iterator[StoredKey]:
        query = {**_range(namespace), "value": {"$exists": True}}
        for document in self._collection.find(query, {"fresh_until": 1, "expires": 1}):
            entry = read_entry({"value": None, **document})
            key = document["_id"].get("key")
            if entry is not None and entry.is_fresh and isinstance(key, bytes | int):
                yield key

    def _probe(self) -> None:
        """Ask for what caches need: a primary, and a server to read from."""
        self._collection.command({"ping": 1}, database="admin")
        self._collection.find_one(_id("", b""))

    def _write(
        self, stored_id: Document, fields: Document, absent: Document, lease: Lease | None
    ) -> None:
        query = {"_id": stored_id}
        if lease is None:
            update = {"$set": fields} | ({"$unset": absent} if absent else {})
            self._collection.update(query, update, upsert=True)
            return
        update = {"$set": fields, "$unset": absent | LEASE_FIELDS}
        # An extension that came after this command would find the lease released, and warn.
        lease.stop_extending()
        if self._collection.update(query | {"owner": lease.owner}, update):
            lease.forget()
        else:
            self._collection.update(query, {"$setOnInsert": fields}, upsert=True)


def stored_key(key: Key) -> StoredKey:
    """Return a key as it is stored: Beaker's ``Cache`` makes bytes of text in the same way.

    :param key: the key.
    :raises SerializationError: it is neither text nor bytes nor a 64-bit number.
    """
    if isinstance(key, str):
        return key.encode("ascii", "backslashreplace")
    if isinstance(key, bytes):
        return bytes(key)
    if isinstance(key, int) and abs(key) < _KEY_LIMIT:
        # Of another type, an equal number would be another key: True and 1.
        return int(key)
    raise SerializationError(
        f"A cached value cannot be stored under {_shortened(key)}.",
        path=repr(key),
        hint="Keys are text, bytes or 64-bit numbers: use str(key).",
    )


def _id(namespace: str, key: StoredKey) -> Document:
    return {"ns": namespace, "key": key}


def _range(namespace: str) -> Document:
    # _id sorts by namespace, then by key: one range of its index, and no neighbour's entries in it.
    return {
        "_id": {
            "$gt": {"ns": namespace, "key": MinKey()},
            "$lt": {"ns": namespace, "key": MaxKey()},
        }
    }


def _context(namespace: str, key: StoredKey) -> Context:
    return (b"cache", bson.encode(_id(namespace, key)))


def _after(start: datetime | None, seconds: float | None) -> datetime | None:
    if start is None or seconds is None:
        return None
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        # Beyond Python's years: never.
        return None


def _pickled(key: StoredKey, value: object) -> bytes:
    try:
        payload = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise _unstorable(key, f"cannot be pickled ({type(error).__name__})") from error
    if len(payload) > _LARGEST_PAYLOAD_BYTES:
        raise _unstorable(key, f"takes {len(payload)} bytes, and MongoDB holds 16 MB")
    return payload


def _unstorable(key: StoredKey, problem: str) -> SerializationError:
    return SerializationError(
        f"The value to cache under {_shortened(key)} {problem}.",
        path=repr(key),
        hint="What was stored there before is unchanged. Cache plain values of less than 16 MB.",
    )


def _unreadable(key: StoredKey, problem: str) -> SerializationError:
    return SerializationError(
        f"The cached value of {_shortened(key)} {problem}.",
        path=repr(key),
        hint="Remove it from the cache to have it created anew.",
    )


def _shortened(key: object) -> str:
    """Return a key for messages, shortened as session ids are: it may hold one."""
    if isinstance(key, str | bytes) and len(key) > _SHOWN_LENGTH:
        return f"{key[:_SHOWN_LENGTH]!r}…"
    text = repr(key)
    return text if len(text) <= 40 else f"{text[:40]}…"
