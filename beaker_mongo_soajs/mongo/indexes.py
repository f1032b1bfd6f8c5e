"""Indexes, made in a thread of their own: no request waits for one."""

import logging
import os
import threading
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo import IndexModel
from pymongo.collation import Collation
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure, OperationFailure

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import BeakerMongoError, ConfigError, StoreUnavailable
from beaker_mongo_soajs.log_records import fields as log_fields
from beaker_mongo_soajs.mongo.client import clients_generation, temporary_client
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.mongo.errors import DRIVER_ERRORS, translated
from beaker_mongo_soajs.mongo.login import UNAUTHORIZED

logger = logging.getLogger(__name__)

TTL_INDEX_NAME = "expires_1"

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 300.0
_INDEX_OPTIONS_CONFLICT = 85
_INDEX_KEY_SPECS_CONFLICT = 86

_CONFLICT_REMEDY = (
    "Another index has the same name or the same fields: drop it with db.collection.dropIndex(), "
    "or set store.createIndexes to false."
)
_REMEDIES = {
    _INDEX_OPTIONS_CONFLICT: _CONFLICT_REMEDY,
    _INDEX_KEY_SPECS_CONFLICT: _CONFLICT_REMEDY,
    UNAUTHORIZED: "Give the MongoDB user the role readWrite, or make the index by hand and set "
    "store.createIndexes to false.",
}

_building: dict[tuple[int, Hashable], object] = {}
"""What is being built, by process and connection. One build at a time takes one connection."""


def ttl_index() -> IndexModel:
    """Return the TTL index on ``expires``, exactly as the Node stores make it.

    connect-mongo and connect-mongo-soajs refuse to start if ``expires`` is indexed in another way.
    """
    return IndexModel([("expires", 1)], name=TTL_INDEX_NAME, expireAfterSeconds=0)


def session_indexes(config: DbConfig) -> list[IndexModel]:
    """Return the indexes that the collection of the sessions needs.

    :param config: the configuration.
    """
    own = [ttl_index()] if config.store.auto_remove == "native" else []
    return own + [IndexModel([(name, 1)]) for name in config.index_fields]


class IndexMaker:
    """Make the indexes of one collection, beside the requests.

    A build can take hours, and waits for members of the replica set that are down. So a request
    only starts a thread, which looks first and sends nothing if all indexes exist. After a failure
    a later request starts the next attempt; the pauses grow from a second to five minutes.

    Nothing here takes a lock: one that was made before gevent patches :mod:`threading` would stop
    every greenlet of a thread.

    :param config: the configuration.
    :param namespace: ``database.collection``, for messages.
    :param indexes: the indexes.
    """

    def __init__(self, config: DbConfig, namespace: str, indexes: Sequence[IndexModel]) -> None:
        self._config = config
        self._namespace = namespace
        self._indexes = list(indexes) if config.store.create_indexes else []
        self._claims: dict[tuple[int, int], object] = {}
        self._warnings: set[str] = set()
        self._attempt = 0
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self.due_seconds: float | None = 0.0 if self._indexes else None
        """When the next attempt is due, by the monotonic clock; ``None`` if all indexes exist."""

    def make_if_due(self, collection: Collection[Document]) -> None:
        """Start a thread that makes the indexes, if it is time for an attempt.

        :param collection: the collection.
        """
        if self.due_seconds is not None and time.monotonic() >= self.due_seconds:
            self._start(collection)

    def _start(self, collection: Collection[Document]) -> None:
        slot = (os.getpid(), self._config.connection_key)
        if slot in _building:
            return
        claim = object()
        attempt = (os.getpid(), self._attempt)
        # setdefault is atomic: of the threads that come together, one makes the attempt.
        if self._claims.setdefault(attempt, claim) is not claim:
            return
        if _building.setdefault(slot, claim) is not claim:
            del self._claims[attempt]
            return
        thread = threading.Thread(
            target=self._run,
            args=(collection, slot),
            name="beaker_mongo_soajs-indexes",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError as error:
            # At the end of an interpreter, or at a limit of the system.
            self._fail(f"no thread can be started ({error})", "")
            self._end(slot)

    def _run(self, collection: Collection[Document], slot: tuple[int, Hashable]) -> None:
        generation = clients_generation()
        # Whatever happens, the next attempt is not due at once.
        self.due_seconds = time.monotonic() + self._pause_seconds
        try:
            # A time limit would have the server give up a build, and begin again with the next.
            with pymongo.timeout(0), self._spare_connection(collection) as spare:
                self._make(spare)
        except (*DRIVER_ERRORS, BeakerMongoError) as error:
            if generation == clients_generation():
                cause = error if isinstance(error, BeakerMongoError) else translated(error)
                # What to do about an outage is said to the requests.
                is_outage = isinstance(cause, StoreUnavailable)
                self._fail(str(cause.args[0] if is_outage else cause), "")
        finally:
            self._end(slot)

    def _end(self, slot: tuple[int, Hashable]) -> None:
        self._claims.pop((os.getpid(), self._attempt), None)
        self._attempt += 1
        _building.pop(slot, None)

    @contextmanager
    def _spare_connection(self, collection: Collection[Document]) -> Iterator[Collection[Document]]:
        """Provide the collection on a connection that no request waits for."""
        if collection.database.client.options.pool_options.max_pool_size != 1:
            yield collection
            return
        if self._config.client is not None:
            raise ConfigError(
                "The application's client has only one connection, which requests need.",
                option="client",
                hint="Set its maxPoolSize to 2 or more, or make the indexes by hand and set "
                "store.createIndexes to false.",
            )
        with temporary_client(self._config) as client:
            yield client[collection.database.name][collection.name]

    def _make(self, collection: Collection[Document]) -> None:
        existing = existing_indexes(collection)
        has_collation = any(index["name"] == "_id_" and "collation" in index for index in existing)
        if has_collation:
            self._warn(
                f"The collection {self._namespace} has a default collation. Session ids are "
                "compared exactly, which its _id index cannot do: each request reads the whole "
                "collection. Copy the documents into a collection without a collation."
            )
        missing = [
            index
            for index in (exact_index(index) if has_collation else index for index in self._indexes)
            if not any(serves(index.document, found) for found in existing)
        ]
        failures = self._create(collection, missing) if missing else 0
        if not failures:
            self.due_seconds = None
            if self._warnings:
                extra = log_fields("indexes.made", collection=self._namespace)
                logger.info("All indexes on %s exist.", self._namespace, extra=extra)

    def _create(self, collection: Collection[Document], indexes: list[IndexModel]) -> int:
        """Create indexes; return how many of them could not be made."""
        try:
            collection.create_indexes(indexes)
        except OperationFailure as error:
            if isinstance(error, ConnectionFailure):
                raise
            if len(indexes) > 1:
                # One that cannot be made keeps no other from being made.
                return sum(self._create(collection, [index]) for index in indexes)
            name = indexes[0].document["name"]
            remedy = _REMEDIES.get(error.code or 0, "See MongoDB's log, or make it by hand.")
            consequence = (
                " Expired documents are not removed until then. They are never returned."
                if name == TTL_INDEX_NAME
                else ""
            )
            self._fail(f"MongoDB refused {name} (error {error.code})", remedy + consequence)
            return 1
        return 0

    def _fail(self, cause: str, remedy: str) -> None:
        self.due_seconds = time.monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
        self._warn(
            f"Indexes on {self._namespace} could not be made: {cause.rstrip('.')}. Requests are "
            f"answered without them, and later ones try again. {remedy}".rstrip()
        )

    def _warn(self, warning: str) -> None:
        # Once for each cause, however often it is tried again.
        if warning not in self._warnings:
            self._warnings.add(warning)
            extra = log_fields("indexes.failed", collection=self._namespace)
            logger.warning("%s", warning, extra=extra)


def existing_indexes(collection: Collection[Document]) -> list[Mapping[str, Any]]:
    """Return the indexes of a collection; none if the user has no right to list them.

    :param collection: the collection.
    """
    try:
        return list(collection.list_indexes())
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        # To look takes another right than to make, which does nothing if the index exists.
        return []


def exact_index(index: IndexModel) -> IndexModel:
    """Return an index that compares exactly, whatever the collection's default collation is.

    :param index: the index.
    """
    wanted = index.document
    if "expireAfterSeconds" in wanted:
        return index
    keys = list(wanted["key"].items())
    return IndexModel(keys, name=f"{wanted['name']}_simple", collation=Collation("simple"))


def serves(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Tell whether an index that exists, under any name, does what is wanted of another.

    :param wanted: the definition of the wanted index.
    :param found: that of the existing index.
    """
    if list(found["key"].items()) != list(wanted["key"].items()):
        return False
    if "expireAfterSeconds" in wanted:
        if found.get("expireAfterSeconds") != wanted["expireAfterSeconds"]:
            return False
    elif "collation" in found or found.get("hidden"):
        return False
    return "partialFilterExpression" not in found


if hasattr(os, "register_at_fork"):
    # The child inherits no thread, and process ids are reused.
    os.register_at_fork(after_in_child=_building.clear)
