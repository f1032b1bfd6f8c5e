"""Collections of MongoDB: Beaker's ``ext:mongodb``, and Flask-Session."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sources.entry import Entry, from_timestamp
from beaker_mongo_soajs.sources.source import Source

_SUFFIX = ":session"

_Document = Mapping[str, Any]


class MongoSource(Source):
    """A collection with one document for each session.

    :param options: as for :class:`Source`.
    :param key: the field of the session id.
    :param database: the database, if the connection string does not name one.
    :param collection: the collection.
    """

    def __init__(self, options: MigrateFrom, key: str, database: str, collection: str) -> None:
        super().__init__(options)
        self._lock = threading.Lock()
        self._client: MongoClient[dict[str, Any]] | None = None
        self._key = key
        self._database = database
        self._collection = collection

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def _connect(self) -> Collection[dict[str, Any]]:
        with self._lock:
            if self._client is None:
                self._client = MongoClient(self.options.url)
            database = self._client.get_default_database(self._database)
            return database[self._collection]

    def _find(self, session_id: str) -> Entry | None:
        document = self._connect().find_one({self._key: self._stored(session_id)})
        return None if document is None else self._read(session_id, document)

    def _delete(self, session_id: str) -> None:
        self._connect().delete_one({self._key: self._stored(session_id)})

    def _entries(self) -> Iterator[Entry]:
        for document in self._connect().find({}):
            session_id = self._session_id(document)
            if session_id is not None:
                yield self._read(session_id, document)

    def _count(self) -> int:
        return self._connect().estimated_document_count()

    def _stored(self, session_id: str) -> str:
        raise NotImplementedError

    def _session_id(self, document: _Document) -> str | None:
        raise NotImplementedError

    def _read(self, session_id: str, document: _Document) -> Entry:
        raise NotImplementedError


class BeakerCollection(MongoSource):
    """The collection of Beaker's ``ext:mongodb``, which also holds its caches."""

    def __init__(self, options: MigrateFrom) -> None:
        # The name is Beaker's: beaker.ext.mongodb, MongoNamespaceManager.
        super().__init__(options, "_id", "test", "backer_cache")

    def _stored(self, session_id: str) -> str:
        return session_id + _SUFFIX

    def _session_id(self, document: _Document) -> str | None:
        stored_id = document["_id"]
        if not isinstance(stored_id, str) or not stored_id.endswith(_SUFFIX):
            return None
        return stored_id.removesuffix(_SUFFIX)

    def _read(self, session_id: str, document: _Document) -> Entry:
        expires = from_timestamp(document.get("expiration"))
        return Entry(session_id, document.get("value"), None, expires)


class FlaskCollection(MongoSource):
    """The collection of Flask-Session: MessagePack, or JSON."""

    def __init__(self, options: MigrateFrom) -> None:
        super().__init__(options, "id", "flask_session", options.collection)

    def _stored(self, session_id: str) -> str:
        return self.options.key_prefix + session_id

    def _session_id(self, document: _Document) -> str | None:
        stored_id, prefix = document.get("id"), self.options.key_prefix
        if not isinstance(stored_id, str) or not stored_id.startswith(prefix):
            return None
        return stored_id.removeprefix(prefix)

    def _read(self, session_id: str, document: _Document) -> Entry:
        expires = document.get("expiration")
        if not isinstance(expires, datetime):
            expires = None
        return Entry(session_id, document.get("val"), None, expires, read_flask)


def read_flask(value: object) -> dict[Any, Any]:
    """Return the session that Flask-Session 0.6 or later stored.

    :param value: what it stored.
    :raises SerializationError: it is neither MessagePack nor JSON.
    """
    import msgspec  # noqa: PLC0415 - only needed for this backend

    session = None
    if isinstance(value, bytes):
        for decode in (msgspec.msgpack.decode, msgspec.json.decode):
            # Garbage may fail in any way.
            with suppress(Exception):
                session = decode(value)
    if not isinstance(session, dict):
        raise SerializationError(
            "The old session is neither MessagePack nor JSON of Flask-Session.",
            path="session",
            hint="Sessions of Flask-Session before 0.6 are pickles, and cannot be moved.",
        )
    return session
