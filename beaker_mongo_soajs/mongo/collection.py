"""The collection of a store, and the commands to it."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Literal, TypeVar

import bson
import pymongo
from bson.errors import BSONError
from pymongo import IndexModel, WriteConcern
from pymongo.errors import DuplicateKeyError, InvalidOperation

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.log_records import warn
from beaker_mongo_soajs.mongo.binding import Binding, Bound
from beaker_mongo_soajs.mongo.clock_readings import reading_of
from beaker_mongo_soajs.mongo.documents import (
    CODEC_OPTIONS,
    EXACT_OPTIONS,
    Document,
)
from beaker_mongo_soajs.mongo.errors import (
    DRIVER_ERRORS,
    is_duplicate_id,
    raise_translated,
    translated,
)
from beaker_mongo_soajs.mongo.indexes import IndexMaker
from beaker_mongo_soajs.mongo.raw_commands import (
    TimeIsOver,
    delete_within,
    find_without_cursor,
    update_without,
)

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_MOST_COLLISIONS = 5


class StoreCollection:
    """One MongoDB collection of a configuration, and the commands to it.

    It connects on first use, so that an object made before a server forks connects only in the
    children.

    Every method that sends a command raises a :class:`~beaker_mongo_soajs.exceptions.StoreError`
    if it is not carried out, and :class:`~beaker_mongo_soajs.SerializationError` for a document
    that MongoDB cannot hold.

    :param config: the configuration.
    :param name: the collection's name.
    :param indexes: the indexes to make, beside the requests, unless ``store.createIndexes`` is
        false.
    """

    def __init__(self, config: DbConfig, name: str, indexes: Sequence[IndexModel] = ()) -> None:
        self.config = config
        self.name = name
        self._indexes = IndexMaker(config, self.namespace, indexes)
        self._binding = Binding(config, name)
        self.clock_reading = reading_of(config.connection_key)
        """What the clock of the server showed."""
        sweeps = config.store.auto_remove == "interval"
        self._next_sweep = 0.0 if sweeps else math.inf

    @property
    def namespace(self) -> str:
        """Return ``database.collection``, as MongoDB's messages name it."""
        return f"{self.config.database}.{self.name}"

    def find_one(self, stored_id: object, *, from_primary: bool = False) -> Document | None:
        """Return the document with an ``_id``, if there is one.

        :param stored_id: the ``_id``.
        :param from_primary: whether to ask the primary only.
        """
        raw = self.find_one_raw(stored_id, from_primary=from_primary, or_primary=False)
        try:
            return None if raw is None else bson.decode(raw, CODEC_OPTIONS)
        except DRIVER_ERRORS as error:
            raise_translated(error, self.namespace, reads=True)

    def find_one_raw(
        self, stored_id: object, *, from_primary: bool = False, or_primary: bool = True
    ) -> bytes | None:
        """Return the document with an ``_id`` as BSON, if there is one.

        :param stored_id: the ``_id``.
        :param from_primary: whether to ask the primary only.
        :param or_primary: whether to ask the primary if a secondary does not find the document: the
            secondary may be behind.
        """
        bound = None
        try:
            bound = self._get()
            first = bound.primary if from_primary else bound.raw
            document = find_without_cursor(first, stored_id, bound.exact)
            if document is None and or_primary and first is not bound.primary:
                document = find_without_cursor(bound.primary, stored_id, bound.exact)
        except DRIVER_ERRORS as error:
            if not self._binding.lacks_collation(error, bound):
                raise_translated(error, self.namespace, reads=True, config=self.config)
            return self.find_one_raw(stored_id, from_primary=from_primary, or_primary=or_primary)
        return document

    def find(self, query: Document, projection: Document | None = None) -> Iterator[Document]:
        """Yield the documents that a query finds; one that is no valid BSON is only logged.

        :param query: the filter.
        :param projection: the fields to read.
        """
        for document in self.find_raw(query, projection):
            try:
                yield bson.decode(document, CODEC_OPTIONS)
            except BSONError:
                warn(
                    logger,
                    "A document in %s is not valid BSON, and is skipped. Repair or delete it.",
                    self.namespace,
                    event="document.skipped",
                    collection=self.namespace,
                )

    def find_raw(self, query: Document, projection: Document | None = None) -> Iterator[bytes]:
        """Yield the documents that a query finds, as BSON.

        :param query: the filter.
        :param projection: the fields to read.
        """
        while True:
            bound = None
            try:
                bound = self._get()
                for document in bound.raw.find(query, projection, **bound.exact):
                    yield bytes(document.raw)
            except DRIVER_ERRORS as error:
                if self._binding.lacks_collation(error, bound):
                    continue
                raise_translated(error, self.namespace, reads=True, config=self.config)
            return

    def count(self, query: Document) -> int:
        """Return the number of documents that a query finds.

        :param query: the filter.
        """
        return self._run(
            lambda bound: bound.decoded.count_documents(query, **bound.exact), reads=True
        )

    def insert(self, document: Document) -> bool:
        """Insert a document; return whether its ``_id`` did not exist.

        :param document: the document.
        """
        try:
            self._get().decoded.insert_one(document)
        except DuplicateKeyError as error:
            if not is_duplicate_id(error):
                raise_translated(error, self.namespace, config=self.config)
            return False
        except DRIVER_ERRORS as error:
            raise_translated(error, self.namespace, config=self.config)
        return True

    def update(
        self, query: Document, update: Document | list[Document], *, upsert: bool = False
    ) -> bool:
        """Update one document; return whether one was found.

        :param query: the filter.
        :param update: the update.
        :param upsert: whether to insert a document if none is found.
        """

        def send(bound: Bound) -> bool:
            # Without the type decoder, which would look at each value of the answer.
            result = bound.raw.update_one(query, update, upsert=upsert, **bound.exact)
            return result.matched_count > 0

        for _ in range(_MOST_COLLISIONS if upsert else 0):
            try:
                return self._run(send, collides=True)
            except _Collision:
                # Another request inserted the document at the same moment: update that one.
                continue
        return self._run(send)

    def update_without(self, field: str, query: Document, update: Document) -> bool:
        """Update one document that does not have a certain field; return whether one was found.

        :param field: the field, which is a list in no document.
        :param query: the filter.
        :param update: the update.
        """
        return self._run(lambda bound: update_without(bound.raw, field, query, update, bound.exact))

    def find_and_modify(
        self,
        query: Document,
        update: Document,
        *,
        upsert: bool = False,
        returns: Literal["new", "old", "exact new"] = "new",
    ) -> Document | None:
        """Update one document; return it as it is afterwards, or ``None`` if none was found.

        With ``upsert``, ``None`` means that the ``_id`` exists and the rest of the filter does not
        match.

        :param query: the filter.
        :param update: the update.
        :param upsert: whether to insert a document if none is found.
        :param returns: ``old`` returns the document as it was before. ``old`` and ``exact new``
            return values of the types that BSON has.
        """

        def send(bound: Bound) -> Document | None:
            # Never as raw BSON: PyMongo cannot add labels to the errors of such a command.
            options = CODEC_OPTIONS if returns == "new" else EXACT_OPTIONS
            return bound.decoded.with_options(codec_options=options).find_one_and_update(
                query, update, upsert=upsert, return_document=returns != "old", **bound.exact
            )

        try:
            return self._run(send, collides=upsert)
        except _Collision:
            return None

    def update_all(self, query: Document, update: Document) -> int:
        """Update the documents that a query finds; return their number.

        :param query: the filter.
        :param update: the update.
        """
        return self._run(
            lambda bound: bound.decoded.update_many(query, update, **bound.exact).matched_count
        )

    def replace(self, query: Document, document: Document) -> bool:
        """Replace one document; return whether one was found.

        :param query: the filter.
        :param document: the new document.
        """
        return self._run(
            lambda bound: (
                bound.decoded.replace_one(query, document, **bound.exact).matched_count > 0
            )
        )

    def delete(self, query: Document) -> int:
        """Delete the documents that a query finds; return their number.

        :param query: the filter.
        """
        return self._run(
            lambda bound: bound.decoded.delete_many(query, **bound.exact).deleted_count
        )

    def delete_one(self, stored_id: object) -> int:
        """Delete the document with an ``_id``; return how many were deleted, 1 or 0.

        :param stored_id: the ``_id``.
        """
        return self.delete_first({"_id": stored_id})

    def delete_first(self, query: Document) -> int:
        """Delete one document that a query finds; return how many were deleted, 1 or 0.

        :param query: the filter.
        """
        return self._run(lambda bound: bound.decoded.delete_one(query, **bound.exact).deleted_count)

    def delete_within(self, query: Document, most_ms: int) -> bool:
        """Delete documents for a limited time; return whether all of them are deleted.

        :param query: the filter.
        :param most_ms: the time limit, in milliseconds.
        """
        try:
            self._run(lambda bound: delete_within(bound.decoded, query, most_ms, bound.exact))
        except TimeIsOver:
            return False
        return True

    def wait_for_server(self) -> None:
        """Wait until the client has found the server that takes writes, without a command."""

        def wait(bound: Bound) -> None:
            # There is no single address if there are several mongos.
            with suppress(InvalidOperation):
                _ = bound.decoded.database.client.address

        self._run(wait, reads=True)

    def command(self, command: Document, *, database: str) -> Document:
        """Send a command to the primary that only reads; return the answer.

        :param command: the command.
        :param database: the database to send it to.
        """
        return self._run(
            lambda bound: bound.decoded.database.client[database].command(
                command, codec_options=CODEC_OPTIONS
            ),
            reads=True,
        )

    def ping(self, timeout_seconds: float | None = None) -> float:
        """Send a ping to the primary; return the seconds until the answer.

        :param timeout_seconds: how long to wait; by default as for any command.
        """
        start = time.perf_counter()
        with pymongo.timeout(timeout_seconds):
            self.command({"ping": 1}, database="admin")
        return time.perf_counter() - start

    def sweep_if_due(self, now: Callable[[], datetime]) -> None:
        """Delete expired documents, if ``store.autoRemove`` is ``interval`` and it is time.

        Nobody waits for the answer. A failure is logged.

        :param now: returns the time by the clock that counts, in naive UTC.
        """
        if time.monotonic() < self._next_sweep:
            return
        interval_minutes = self.config.store.auto_remove_interval_minutes
        self._next_sweep = time.monotonic() + interval_minutes * 60
        try:
            collection = self._get().decoded.with_options(write_concern=WriteConcern(w=0))
            collection.delete_many({"expires": {"$lte": now()}})
        except DRIVER_ERRORS as error:
            warn(
                logger,
                "Expired documents in %s were not removed this time. %s",
                self.namespace,
                translated(error, self.namespace, config=self.config),
                event="sweep.failed",
                collection=self.namespace,
            )

    def _run(
        self,
        command: Callable[[Bound], _Result],
        *,
        reads: bool = False,
        collides: bool = False,
    ) -> _Result:
        """Send a command, and translate its errors.

        :param command: sends it.
        :param reads: whether it changes nothing.
        :param collides: whether an ``_id`` that exists is a :class:`_Collision`.
        """
        bound = None
        try:
            bound = self._get()
            return command(bound)
        except DRIVER_ERRORS as error:
            if collides and isinstance(error, DuplicateKeyError) and is_duplicate_id(error):
                raise _Collision from None
            if not self._binding.lacks_collation(error, bound):
                raise_translated(error, self.namespace, reads=reads, config=self.config)
        return self._run(command, reads=reads, collides=collides)

    def _get(self) -> Bound:
        bound = self._binding.get()
        if self._indexes.due_seconds is not None:
            self._indexes.make_if_due(bound.decoded)
        return bound


class _Collision(Exception):
    """An upsert found another document with its ``_id``."""
