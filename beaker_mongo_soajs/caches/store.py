"""Cache entries in a MongoDB collection, each found by namespace and key."""

import logging
import pickle
from collections.abc import Iterator
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

import bson
from bson import ObjectId
from bson.max_key import MaxKey
from bson.min_key import MinKey

from beaker_mongo_soajs.caches.entry import Entry, read_entry
from beaker_mongo_soajs.caches.entry_lease import EntryLease
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.log_records import fields as log_fields
from beaker_mongo_soajs.metrics import emit, listeners
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

# The other fields of the document, with those of a lease, have to fit into MongoDB's 16 MB as well.
_LARGEST_PAYLOAD_BYTES = 16 * 1024 * 1024 - 16 * 1024

_KEY_LIMIT = 2**63
_SHOWN_LENGTH = 6

_FIRST_BATCH_MS = 1000

_warned: set[str] = set()
"""The collections about whose pickles this process has warned."""


class CacheStore:
    """Keep cache entries: ``{_id: {ns, key}, value, version, fresh_until, expires}``.

    Values are Python objects of any kind, stored as pickles. Others who can write to the collection
    can therefore run code in the application, unless ``store.signingKey`` is set. Then a value with
    a wrong signature is never loaded.

    The lease under which a value is created is part of the entry (:meth:`lease`), so that one
    command acquires it and reads what others have stored.

    Every method that sends a command raises a :class:`~beaker_mongo_soajs.exceptions.StoreError` if
    it is not carried out.

    :param config: the configuration; the default collection is ``cache``.
    """

    def __init__(self, config: DbConfig) -> None:
        name = config.collection if config.collection_given else DEFAULT_COLLECTION
        indexes = [ttl_index()] if config.store.auto_remove == "native" else []
        self._collection = StoreCollection(config, name, indexes)
        self.lease_seconds = config.store.lock_lease_seconds
        self._signer = make_signer(config.store.signing_keys, config.database, name)
        self.creates_in_outages = config.store.on_unavailable == "create"
        self.outages = outages_of(config.connection_key, self._probe)

    @property
    def collection_name(self) -> str:
        """Return ``database.collection``."""
        return self._collection.namespace

    def warn_of_pickles(self) -> None:
        """Log once that others could plant pickles, unless ``store.signingKey`` is set."""
        where = self._collection.namespace
        if self._signer is None and where not in _warned:
            _warned.add(where)
            logger.warning(
                "Cached values in %s are pickles without signatures: whoever can write to that "
                "collection can run code in this process. Set store.signingKey.",
                where,
                extra=log_fields("cache.unsigned", collection=where),
            )

    def find(self, namespace: str, key: StoredKey) -> Entry | None:
        """Return an entry, in one command; it may have expired.

        :param namespace: the namespace.
        :param key: the key in the namespace.
        """
        start = perf_counter()
        entry = read_entry(self._collection.find_one(_id(namespace, key)) or {})
        if listeners:
            is_hit = entry is not None and entry.is_fresh
            emit("cache.hit" if is_hit else "cache.miss", self.collection_name, start=start)
        return entry

    def load(self, namespace: str, key: StoredKey, entry: Entry) -> Any:
        """Return the value of an entry, without a command.

        :param namespace: the namespace of the entry.
        :param key: the key of the entry.
        :param entry: the entry.
        :raises SerializationError: the value cannot be loaded, or has a wrong signature.
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

        :param namespace: the namespace.
        :param key: the key in the namespace.
        :raises KeyError: the value is absent or has expired.
        :raises SerializationError: the value cannot be loaded, or has a wrong signature.
        """
        entry = self.find(namespace, key)
        if entry is None or not entry.is_fresh:
            raise KeyError(key)
        return self.load(namespace, key, entry)

    def contains(self, namespace: str, key: StoredKey) -> bool:
        """Tell whether there is a value that has not expired.

        :param namespace: the namespace.
        :param key: the key in the namespace.
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

        :param namespace: the namespace.
        :param key: the key in the namespace.
        :param value: the value.
        :param expire_seconds: the lifetime of the value; ``None`` for ever.
        :param stored: the start of the lifetime; now by default.
        :param grace_seconds: how long :meth:`find` still finds the value after that.
        :param lease: the lease under which the value was created; the same command releases it. If
            it was lost, a value that others have stored is not overwritten.
        :returns: the entry.
        :raises SerializationError: the value cannot be pickled, or is larger than 16 MB. The old
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
        self._collection.sweep_if_due(utc_now)
        entry = read_entry(fields)
        assert entry is not None
        return entry

    def delete(self, namespace: str, key: StoredKey) -> int:
        """Delete a value; return the number of deleted values, 1 or 0.

        :param namespace: the namespace.
        :param key: the key in the namespace.
        """
        return self._collection.delete_one(_id(namespace, key))

    def clear(self, namespace: str) -> None:
        """Delete all values of a namespace.

        This is one command, or several if it takes longer than a second.

        :param namespace: the namespace.
        """
        batch_ms = _FIRST_BATCH_MS
        while not self._collection.delete_within(_range(namespace), batch_ms):
            # Twice the time, so that a busy server makes progress.
            batch_ms *= 2

    def keys(self, namespace: str) -> list[StoredKey]:
        """Return the keys of a namespace whose values have not expired.

        :param namespace: the namespace.
        """
        return list(self._keys(namespace))

    def lease(self, namespace: str, key: StoredKey, *, shared: bool = False) -> EntryLease:
        """Return the lease of an entry, which need not exist. The lease is not acquired yet.

        :param namespace: the namespace.
        :param key: the key in the namespace.
        :param shared: as for :class:`~beaker_mongo_soajs.mongo.leases.Lease`.
        """
        return EntryLease(self._collection, _id(namespace, key), shared=shared)

    def entry_of(self, lease: Lease) -> Entry | None:
        """Return the entry that the last attempt of a lease found, without a command.

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
    """Return a key as it is stored: text is encoded as Beaker's ``Cache`` encodes it.

    :param key: the key.
    :raises SerializationError: it is neither text nor bytes nor a 64-bit number.
    """
    if isinstance(key, str):
        return key.encode("ascii", "backslashreplace")
    if isinstance(key, bytes):
        return bytes(key)
    if isinstance(key, int) and abs(key) < _KEY_LIMIT:
        # Keys that are equal in Python, as True and 1, must be equal in MongoDB.
        return int(key)
    raise SerializationError(
        f"A cached value cannot be stored under {shortened(key)}.",
        path=repr(key),
        hint="Keys are text, bytes or 64-bit numbers: use str(key).",
    )


def _id(namespace: str, key: StoredKey) -> Document:
    return {"ns": namespace, "key": key}


def _range(namespace: str) -> Document:
    # _id sorts by namespace and key, so a namespace is one range of its index.
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
        # It is beyond the years of Python's dates, so it is never.
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
        f"The value to cache under {shortened(key)} {problem}.",
        path=repr(key),
        hint="The old value was not changed. Cache values that can be pickled, below 16 MB.",
    )


def _unreadable(key: StoredKey, problem: str) -> SerializationError:
    return SerializationError(
        f"The cached value of {shortened(key)} {problem}.",
        path=repr(key),
        hint="Remove it from the cache, so that it is created again.",
    )


def shortened(key: object) -> str:
    """Return a key for messages, shortened as session ids are: it may contain one.

    :param key: the key, or whatever was given as one.
    """
    if isinstance(key, str | bytes) and len(key) > _SHOWN_LENGTH:
        return f"{key[:_SHOWN_LENGTH]!r}…"
    text = repr(key)
    return text if len(text) <= 40 else f"{text[:40]}…"
