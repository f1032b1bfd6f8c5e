"""A store's collection: bound to this process's client, its indexes made once."""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import bson
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel, ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure, DuplicateKeyError, OperationFailure

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import StoreUnavailable
from beaker_mongo_soajs.mongo.client import clients_generation, get_client
from beaker_mongo_soajs.mongo.documents import CODEC_OPTIONS, RAW_OPTIONS, Document, utc_now
from beaker_mongo_soajs.mongo.errors import (
    AUTHENTICATION_FAILED,
    DRIVER_ERRORS,
    UNAUTHORIZED,
    raise_translated,
    translated,
)

logger = logging.getLogger(__name__)

TTL_INDEX_NAME = "expires_1"

_INDEX_OPTIONS_CONFLICT = 85
_INDEX_KEY_SPECS_CONFLICT = 86

_CONFLICT_REMEDY = (
    "Another index stands in its way: drop that with db.collection.dropIndex() and restart, or set "
    "store.autoRemove to 'disabled'."
)
_INDEX_REMEDIES = {
    _INDEX_OPTIONS_CONFLICT: _CONFLICT_REMEDY,
    _INDEX_KEY_SPECS_CONFLICT: _CONFLICT_REMEDY,
    UNAUTHORIZED: "Give the MongoDB user the role readWrite, or have the index made by hand.",
}
_TTL_CONSEQUENCE = " Until then nothing removes expired documents; they still read as absent."


class _Bound(NamedTuple):
    """A collection of this process's client.

    :param decoded: with its documents as dicts.
    :param raw: with its documents as BSON.
    :param primary: the same, read from the primary; it is ``raw`` where that is read from there.
    """

    decoded: Collection[Document]
    raw: Collection[RawBSONDocument]
    primary: Collection[RawBSONDocument]


class StoreCollection:
    """One MongoDB collection of a configuration.

    It is bound on first use and anew after a fork or
    :func:`~beaker_mongo_soajs.mongo.client.close_clients`, so that an object made before a server
    forks connects only in its children.

    :param config: the configuration.
    :param name: the collection's name.
    :param indexes: the indexes to make, once in each process.
    """

    def __init__(self, config: DbConfig, name: str, indexes: Sequence[IndexModel] = ()) -> None:
        self.config = config
        self.name = name
        self._indexes = list(indexes)
        # One attribute, so that no thread pairs the one half with another thread's other half.
        self._bound: tuple[_Bound, tuple[int, int]] | None = None
        self._index_claims: dict[int, object] = {}
        self._next_sweep = 0.0

    @property
    def namespace(self) -> str:
        """Return ``database.collection``, as MongoDB's messages name it."""
        return f"{self.config.database}.{self.name}"

    def get(self) -> Collection[Document]:
        """Return the collection, bound to this process's client and with its indexes made.

        :raises StoreUnavailable: when no server answers while the indexes are made.
        """
        return self._get().decoded

    def find_one(self, stored_id: object) -> Document | None:
        """Return the document with an ``_id``, if there is one."""
        try:
            return self.get().find_one({"_id": stored_id})
        except DRIVER_ERRORS as error:
            raise_translated(error)

    def find_one_raw(self, stored_id: object, *, from_primary: bool = False) -> bytes | None:
        """Return the document with an ``_id`` as BSON, if there is one.

        A secondary that finds none may be behind: then the primary is asked.

        :param stored_id: the ``_id``.
        :param from_primary: ask none but the primary.
        """
        bound = self._get()
        try:
            document = (bound.primary if from_primary else bound.raw).find_one({"_id": stored_id})
            if document is None and not from_primary and bound.primary is not bound.raw:
                document = bound.primary.find_one({"_id": stored_id})
        except DRIVER_ERRORS as error:
            raise_translated(error)
        return _bytes(document)

    def find(self, query: Document, projection: Document | None = None) -> Iterator[Document]:
        """Yield the documents that a query finds; one that is no valid BSON is only logged."""
        for document in self.find_raw(query, projection):
            try:
                yield bson.decode(document, CODEC_OPTIONS)
            except BSONError:
                logger.warning("A document in %s is no valid BSON.", self.namespace)

    def find_raw(self, query: Document, projection: Document | None = None) -> Iterator[bytes]:
        """Yield the documents that a query finds, as BSON."""
        try:
            for document in self._get().raw.find(query, projection):
                yield bytes(document.raw)
        except DRIVER_ERRORS as error:
            raise_translated(error)

    def count(self, query: Document) -> int:
        """Return the number of documents that a query finds."""
        try:
            return self.get().count_documents(query)
        except DRIVER_ERRORS as error:
            raise_translated(error)

    def insert(self, document: Document) -> bool:
        """Insert a document; return whether its ``_id`` was free."""
        try:
            self.get().insert_one(document)
        except DuplicateKeyError:
            return False
        except DRIVER_ERRORS as error:
            raise_translated(error)
        return True

    def update(
        self, query: Document, update: Document | list[Document], *, upsert: bool = False
    ) -> bool:
        """Update one document; return whether there was one."""
        try:
            result = self.get().update_one(query, update, upsert=upsert)
        except DRIVER_ERRORS as error:
            raise_translated(error)
        return result.matched_count > 0

    def find_and_update(self, stored_id: object, update: list[Document]) -> bytes | None:
        """Update the document with an ``_id``; return the BSON before, if there is one."""
        try:
            return _bytes(self._get().raw.find_one_and_update({"_id": stored_id}, update))
        except DRIVER_ERRORS as error:
            raise_translated(error)

    def find_and_delete(self, stored_id: object) -> bytes | None:
        """Delete the document with an ``_id`` and return its BSON, if there is one."""
        try:
            return _bytes(self._get().raw.find_one_and_delete({"_id": stored_id}))
        except DRIVER_ERRORS as error:
            raise_translated(error)

    def replace(self, query: Document, document: Document) -> bool:
        """Replace one document; return whether there was one."""
        try:
            result = self.get().replace_one(query, document)
        except DRIVER_ERRORS as error:
            raise_translated(error)
        return result.matched_count > 0

    def delete(self, query: Document) -> int:
        """Delete the documents that a query finds; return their number."""
        try:
            result = self.get().delete_many(query)
        except DRIVER_ERRORS as error:
            raise_translated(error)
        return result.deleted_count

    def delete_one(self, stored_id: object) -> int:
        """Delete the document with an ``_id``; return 1 or 0."""
        try:
            result = self.get().delete_one({"_id": stored_id})
        except DRIVER_ERRORS as error:
            raise_translated(error)
        return result.deleted_count

    def sweep_if_due(self) -> None:
        """Delete expired documents, where ``store.autoRemove`` says ``interval`` and it is time.

        Nobody waits for the answer, and a failure is only logged.
        """
        store = self.config.store
        if store.auto_remove != "interval" or time.monotonic() < self._next_sweep:
            return
        self._next_sweep = time.monotonic() + store.auto_remove_interval_minutes * 60
        try:
            collection = self.get().with_options(write_concern=WriteConcern(w=0))
            collection.delete_many({"expires": {"$lte": utc_now()}})
        except DRIVER_ERRORS as error:
            logger.warning(
                "Expired documents in %s stay for now. %s", self.namespace, translated(error)
            )

    def _get(self) -> _Bound:
        now = (os.getpid(), clients_generation())
        bound = self._bound
        if bound is None or bound[1] != now:
            database = get_client(self.config)[self.config.database]
            decoded = database.get_collection(self.name, codec_options=CODEC_OPTIONS)
            raw = decoded.with_options(codec_options=RAW_OPTIONS)
            is_primary = raw.read_preference == ReadPreference.PRIMARY
            primary = raw.with_options(read_preference=ReadPreference.PRIMARY)
            self._bound = bound = (_Bound(decoded, raw, raw if is_primary else primary), now)
        if now[0] not in self._index_claims:
            self._make_indexes(bound[0].decoded, now[0])
        return bound[0]

    def _make_indexes(self, collection: Collection[Document], pid: int) -> None:
        # Whoever claims them makes them and the others go on: no request needs an index to be
        # answered right. setdefault is atomic, so nothing stays locked while the server is asked,
        # nor across a fork.
        claim = object()
        if self._index_claims.setdefault(pid, claim) is not claim or not self._indexes:
            return
        try:
            self._create(collection, self._indexes)
        except StoreUnavailable:
            del self._index_claims[pid]
            raise

    def _create(self, collection: Collection[Document], indexes: list[IndexModel]) -> None:
        try:
            collection.create_indexes(indexes)
        except OperationFailure as error:
            if isinstance(error, ConnectionFailure) or error.code == AUTHENTICATION_FAILED:
                raise translated(error) from None
            if len(indexes) > 1:
                for index in indexes:
                    self._create(collection, [index])
                return
            self._warn(indexes[0], error.code)
        except DRIVER_ERRORS as error:
            raise translated(error) from error

    def _warn(self, index: IndexModel, code: int | None) -> None:
        name = index.document["name"]
        logger.warning(
            "The index %s on %s could not be made (MongoDB error %s). %s",
            name,
            self.namespace,
            code,
            _INDEX_REMEDIES.get(code or 0, "See MongoDB's log, and make the index by hand.")
            + (_TTL_CONSEQUENCE if name == TTL_INDEX_NAME else ""),
        )


def _bytes(document: RawBSONDocument | None) -> bytes | None:
    # A part of the server's answer is no more than a view of it.
    return None if document is None else bytes(document.raw)


def ttl_index() -> IndexModel:
    """Return the TTL index on ``expires``, the very one that the Node stores make too.

    connect-mongo and connect-mongo-soajs both refuse to start where ``expires`` is indexed in
    another way.
    """
    return IndexModel([("expires", 1)], name=TTL_INDEX_NAME, expireAfterSeconds=0)
