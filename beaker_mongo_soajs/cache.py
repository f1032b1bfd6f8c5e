"""Cache entries in a MongoDB collection, each found by namespace and key."""

import pickle
from datetime import timedelta
from typing import Any

import bson
from bson.max_key import MaxKey
from bson.min_key import MinKey

from beaker_mongo_soajs.collection import Document, StoreCollection, ttl_index, utc_now
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.signature import Signer

DEFAULT_COLLECTION = "cache"

Key = str | bytes


class CacheStore:
    """Keep cache entries: ``{_id: {ns, key}, value, expires}``.

    Values are any Python objects, hence pickled: whoever may write to the collection may run code
    in the application, unless ``store.signingKey`` is set. Then a value without a good signature is
    never loaded.

    :param config: the configuration; its ``collection`` if it names one, else ``cache``.
    """

    def __init__(self, config: DbConfig) -> None:
        name = config.collection if config.collection_given else DEFAULT_COLLECTION
        self._collection = StoreCollection(config, name, [ttl_index()])
        key = config.store.signing_key
        self._signer = Signer(key) if key is not None else None

    def get(self, namespace: str, key: Key) -> Any:
        """Return a value.

        :param namespace: the cache's namespace.
        :param key: the key in it.
        :raises KeyError: when it is absent or has expired.
        :raises SerializationError: when it cannot be loaded, or its signature does not match.
        :raises StoreUnavailable: when the database does not answer.
        """
        document = self._find(namespace, key)
        if document is None:
            raise KeyError(key)
        payload = document.get("value")
        if self._signer is not None and not (
            isinstance(payload, bytes)
            and self._signer.verifies(document.get("signature"), _place(namespace, key), payload)
        ):
            raise _unreadable(key, "has no signature that matches store.signingKey")
        try:
            return pickle.loads(payload or b"")  # noqa: S301 - what a cache of objects is
        except Exception as error:
            raise _unreadable(key, f"cannot be unpickled ({type(error).__name__})") from error

    def contains(self, namespace: str, key: Key) -> bool:
        """Tell whether there is a value that has not expired.

        :param namespace: the cache's namespace.
        :param key: the key in it.
        :raises StoreUnavailable: when the database does not answer.
        """
        return self._find(namespace, key) is not None

    def set(self, namespace: str, key: Key, value: object, expire_seconds: float | None) -> None:
        """Store a value.

        :param namespace: the cache's namespace.
        :param key: the key in it.
        :param value: the value.
        :param expire_seconds: how long it lives; ``None`` for ever.
        :raises SerializationError: when it cannot be pickled, or is larger than 16 MB; the old
            value stays.
        :raises StoreUnavailable: when the database does not answer.
        """
        try:
            payload = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            raise SerializationError(
                f"The cached value of {key!r} cannot be pickled ({type(error).__name__}).",
                path=repr(key),
                hint="Cache plain values.",
            ) from error
        fields: Document = {"value": payload}
        absent: Document = {}
        if self._signer is None:
            absent["signature"] = ""
        else:
            fields["signature"] = self._signer.sign(_place(namespace, key), payload)
        if expire_seconds is None:
            absent["expires"] = ""
        else:
            fields["expires"] = utc_now() + timedelta(seconds=expire_seconds)
        update: Document = {"$set": fields}
        if absent:
            update["$unset"] = absent
        self._collection.update({"_id": _id(namespace, key)}, update, upsert=True)

    def delete(self, namespace: str, key: Key) -> int:
        """Delete a value; return how many there were, 1 or 0.

        :param namespace: the cache's namespace.
        :param key: the key in it.
        :raises StoreUnavailable: when the database does not answer.
        """
        return self._collection.delete_one(_id(namespace, key))

    def clear(self, namespace: str) -> int:
        """Delete all values of a namespace, and of no other; return their number.

        :param namespace: the cache's namespace.
        :raises StoreUnavailable: when the database does not answer.
        """
        return self._collection.delete(_range(namespace))

    def keys(self, namespace: str) -> list[Key]:
        """Return the keys of a namespace whose values have not expired.

        :param namespace: the cache's namespace.
        :raises StoreUnavailable: when the database does not answer.
        """
        now = utc_now()
        documents = self._collection.find(_range(namespace), {"expires": 1})
        return [document["_id"]["key"] for document in documents if _is_live(document, now)]

    def _find(self, namespace: str, key: Key) -> Document | None:
        document = self._collection.find_one(_id(namespace, key))
        return document if document is not None and _is_live(document, utc_now()) else None


def _id(namespace: str, key: Key | MinKey | MaxKey) -> Document:
    return {"ns": namespace, "key": key}


def _range(namespace: str) -> Document:
    # _id sorts by namespace, then by key: one range of its index, and no neighbour's entries in it.
    return {"_id": {"$gt": _id(namespace, MinKey()), "$lt": _id(namespace, MaxKey())}}


def _place(namespace: str, key: Key) -> bytes:
    return bson.encode(_id(namespace, key))


def _is_live(document: Document, now: object) -> bool:
    expires = document.get("expires")
    return expires is None or bool(expires > now)


def _unreadable(key: Key, problem: str) -> SerializationError:
    return SerializationError(
        f"The cached value of {key!r} {problem}.",
        path=repr(key),
        hint="Remove it from the cache to have it created anew.",
    )
