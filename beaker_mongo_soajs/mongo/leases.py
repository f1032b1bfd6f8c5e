"""Leases: locks between processes that a crash cannot keep."""

import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.names import LOCKS_SUFFIX
from beaker_mongo_soajs.exceptions import LockTimeout, StoreUnavailable
from beaker_mongo_soajs.mongo.backoff import attempts
from beaker_mongo_soajs.mongo.collection import StoreCollection, ttl_index
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.mongo.errors import DRIVER_ERRORS, raise_translated
from beaker_mongo_soajs.mongo.renewal import LeaseRenewer, get_renewer

logger = logging.getLogger(__name__)

Expression = Any
"""An aggregation expression of MongoDB's."""

_Result = TypeVar("_Result")

LEASES_TO_WAIT = 4
"""So many leases whoever waits waits at most, where nothing else is said.

Enough for an owner to die, its lease to run out, and somebody else to do the work.
"""
_MOST_COLLISIONS = 5
_NO_OWNER = {"owner": "", "acquired_until": ""}
LEASE_FIELDS = _NO_OWNER | {"readers": ""}
"""What takes an exclusive owner's lease out of its document, with ``$unset``."""


class Lease:
    """Lock a document of MongoDB for as long as its owner lives and works.

    ``{owner, acquired_until, readers, expires}`` stand in the document beside whatever else it
    holds. All times are those of the server's clock. While the owner works, a thread extends the
    lease (:mod:`beaker_mongo_soajs.mongo.renewal`); when its process dies, its thread ends or the
    lease is dropped without a release, the lock goes free ``store.lockLease`` seconds after the
    last extension.

    A lease belongs to the process and the thread that acquired it: the child of a fork neither
    holds nor releases what its parent acquired. It is not reentrant.

    Whoever was stopped for longer than the lease may find that somebody else holds the lock:
    :meth:`extend` and :meth:`release` tell.

    :param collection: the document's collection.
    :param stored_id: the document's ``_id``; the document is made where there is none.
    :param shared: share the lock with others that do, as readers; otherwise it is exclusive.
    """

    def __init__(
        self, collection: StoreCollection, stored_id: object, *, shared: bool = False
    ) -> None:
        self._collection = collection
        self._stored_id = stored_id
        self._shared = shared
        self.lease_seconds = collection.config.store.lock_lease_seconds
        self.owner = ""
        self.document: Document = {}
        self._holder: tuple[int, threading.Thread] | None = None

    def __repr__(self) -> str:
        # What is locked may be a session id.
        kind = "shared" if self._shared else "exclusive"
        return f"<{type(self).__name__}, {kind}, {'held' if self.held else 'not held'}>"

    def __enter__(self) -> Self:
        """Acquire the lock."""
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the lock."""
        self.release()

    @property
    def held(self) -> bool:
        """Tell whether this process acquired it and has not released it yet."""
        return self._holder is not None and self._holder[0] == os.getpid()

    @property
    def owner_lives(self) -> bool:
        """Tell whether the thread that acquired it still runs."""
        return self._holder is not None and self._holder[1].is_alive()

    def acquire(self, wait: bool = True, timeout_seconds: float | None = None) -> bool:
        """Acquire the lock.

        The first attempt is made at once. The pauses after it grow from a millisecond to fifty,
        each drawn at random. An exclusive lease that waits keeps new readers out.

        :param wait: whether to wait while others hold it.
        :param timeout_seconds: how long to wait; four times ``store.lockLease`` by default.
        :returns: whether it is acquired; always true with ``wait``.
        :raises LockTimeout: others held it all the time.
        :raises StoreUnavailable: the database does not carry out a command.
        """
        if not wait:
            self.begin()
            return self.attempt(claim=False)
        if timeout_seconds is None:
            timeout_seconds = self.lease_seconds * LEASES_TO_WAIT
        start = time.monotonic()
        self.begin()
        for _ in attempts(timeout_seconds):
            if self.attempt():
                return True
        self.give_up()
        raise lock_timeout(time.monotonic() - start)

    def begin(self) -> None:
        """Begin to acquire the lock, as a new owner.

        :raises RuntimeError: it is held.
        """
        if self.held:
            raise RuntimeError("This lease is held. Another one is needed to wait for its end.")
        self.owner = secrets.token_hex(16)

    def attempt(self, *, claim: bool = True, unless: Expression = False) -> bool:
        """Make one attempt, in one command, after :meth:`begin`; the document is kept as it is now.

        :param claim: whether an exclusive lease, where only readers are in its way, keeps new
            readers out; to be followed by more attempts, or :meth:`give_up`.
        :param unless: where this holds for the document, the lock is not acquired.
        :returns: whether the lock is acquired.
        :raises StoreUnavailable: the database does not carry out the command.
        """
        self.document = self._run_acquire(self._acquire_update(claim=claim, unless=unless))
        readers = [reader["owner"] for reader in self.document.get("readers", ())]
        if self._shared:
            acquired = self.owner in readers
        else:
            acquired = self.document.get("owner") == self.owner and not readers
        if acquired:
            self._holder = (os.getpid(), threading.current_thread())
            self._renewer.add(self)
        return acquired

    def give_up(self) -> None:
        """Let readers in again, after attempts in vain."""
        if self.document.get("owner") == self.owner:
            self._try(lambda: self._update({"$unset": _NO_OWNER}))

    def release(self) -> bool:
        """Release the lock, if it is held.

        A release that does not reach the database is logged, as the lease runs out by itself.

        :returns: whether it was still held: false when the lease ran out before.
        """
        return self.forget() and self._try(self._free)

    def forget(self) -> bool:
        """Hold the lock no longer, and leave its document as it is.

        :returns: whether it was held.
        """
        held, self._holder = self.held, None
        if held:
            self._renewer.discard(self)
        return held

    def extend(self) -> bool:
        """Extend the lease to its full length from now on.

        :returns: whether it was still its owner's.
        :raises StoreUnavailable: the database does not carry out the command.
        """
        until = self._until
        changed: Document = {"acquired_until": until}
        if self._shared:
            mine = {"$eq": ["$$this.owner", self.owner]}
            extended = {"$mergeObjects": ["$$this", changed]}
            each = {"$cond": [mine, extended, "$$this"]}
            changed = {"readers": {"$map": {"input": "$readers", "in": each}}}
        changed["expires"] = _later_than(until)
        return self._update([{"$set": changed}])

    @property
    def _own_filter(self) -> Document:
        owner = "readers.owner" if self._shared else "owner"
        return {"_id": self._stored_id, owner: self.owner}

    @property
    def _renewer(self) -> LeaseRenewer:
        return get_renewer(self._collection.config.connection_key, self.lease_seconds)

    @property
    def _until(self) -> Expression:
        return {"$add": ["$$NOW", round(self.lease_seconds * 1000)]}

    def _free(self) -> bool:
        """Take this owner out of the document; return whether it was in."""
        if self._shared:
            return self._update({"$pull": {"readers": {"owner": self.owner}}})
        return self._update({"$unset": _NO_OWNER})

    def _try(self, command: Callable[[], bool]) -> bool:
        try:
            return command()
        except StoreUnavailable as error:
            logger.warning("A lock stays until its lease has run out. %s", error)
            return False

    def _update(self, update: Document | list[Document]) -> bool:
        return self._run(lambda locks: locks.update_one(self._own_filter, update).matched_count > 0)

    def _run(self, command: Callable[[Collection[Document]], _Result]) -> _Result:
        try:
            return command(self._collection.get())
        except DRIVER_ERRORS as error:
            raise_translated(error)

    def _run_acquire(self, update: list[Document], collisions: int = 0) -> Document:
        def take(locks: Collection[Document]) -> Document | None:
            try:
                return locks.find_one_and_update(
                    {"_id": self._stored_id},
                    update,
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError:
                # Somebody else made the document in the same moment.
                if collisions == _MOST_COLLISIONS:
                    raise
                return None

        return self._run(take) or self._run_acquire(update, collisions + 1)

    def _acquire_update(self, *, claim: bool, unless: Expression) -> list[Document]:
        """Return an update that takes the lock if it is free, and else changes nothing."""
        until = self._until
        others = {"$gt": ["$acquired_until", "$$NOW"]}
        readers: Expression = {
            "$filter": {
                "input": {"$ifNull": ["$readers", []]},
                "cond": {"$gt": ["$$this.acquired_until", "$$NOW"]},
            }
        }
        if self._shared:
            free: list[Expression] = [{"$not": [others]}]
            me = {"owner": self.owner, "acquired_until": until}
            # An exclusive owner whose lease ran out shall not take the readers along.
            taken: Document = {"owner": None, "readers": {"$concatArrays": [readers, [me]]}}
        else:
            free = [{"$not": [{"$and": [others, {"$ne": ["$owner", self.owner]}]}]}]
            if not claim:
                free.append({"$eq": [readers, []]})
            taken = {"owner": self.owner, "acquired_until": until, "readers": readers}
        taken["expires"] = _later_than(until)
        free.append({"$not": [unless]})
        merged = {"$mergeObjects": ["$$ROOT", taken]}
        return [{"$replaceWith": {"$cond": [{"$and": free}, merged, "$$ROOT"]}}]


class Locks:
    """Locks by name, each a document of its own: ``{_id: <digest of the name>, owner, …}``.

    They stand in a collection beside the configured one: ``sessions_locks`` beside ``sessions``.
    The names are stored as SHA-256 digests, since a name may hold a session id, and may be longer
    than a document::

        with Locks(config).lease("nightly report"):
            ...

    :param config: the configuration.
    """

    def __init__(self, config: DbConfig) -> None:
        indexes = [ttl_index()] if config.store.auto_remove == "native" else []
        self._collection = StoreCollection(config, f"{config.collection}{LOCKS_SUFFIX}", indexes)

    def lease(self, name: str, *, shared: bool = False) -> Lease:
        """Return a lease of the lock with a name, not acquired yet.

        :param name: any text.
        :param shared: as for :class:`Lease`.
        """
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return _OwnDocumentLease(self._collection, digest, shared=shared)


class _OwnDocumentLease(Lease):
    """A lease whose document holds nothing else, and so goes with it."""

    def _free(self) -> bool:
        if self._shared:
            return super()._free()
        return self._run(lambda locks: locks.delete_one(self._own_filter).deleted_count > 0)


def lock_timeout(waited_seconds: float) -> LockTimeout:
    """Return the error of a wait in vain.

    :param waited_seconds: how long it was.
    """
    return LockTimeout(
        f"The lock was held by others for {waited_seconds:.1f} seconds.",
        hint="Try again later, or hold locks for shorter; store.lockLease sets how long is waited.",
        waited_seconds=waited_seconds,
    )


def _later_than(until: Expression) -> Expression:
    """Return when the document may vanish: never, if ``expires`` is null, but not before a date."""
    return {"$cond": [{"$eq": ["$expires", None]}, None, {"$max": ["$expires", until]}]}
