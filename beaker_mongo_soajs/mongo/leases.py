"""Leases: locks between processes that are released if their owner crashes."""

import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.names import LOCKS_SUFFIX
from beaker_mongo_soajs.exceptions import LockTimeout, StoreError
from beaker_mongo_soajs.log_records import warn
from beaker_mongo_soajs.metrics import emit, listeners
from beaker_mongo_soajs.mongo.backoff import attempts
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.mongo.indexes import ttl_index
from beaker_mongo_soajs.mongo.renewal import LeaseRenewer, get_renewer
from beaker_mongo_soajs.mongo.server_clock import server_now

logger = logging.getLogger(__name__)

LEASES_TO_WAIT = 4
"""Default wait limit, in lease lengths.

It is enough for an owner to crash, for its lease to run out, and for the next owner to work.
"""
_MOST_TRIES = 4
_LONGEST_LEASE_SECONDS = 3600.0
"""A lease that ends later than this was not made by this package, and does not count."""

_ARRAY = 4
_NO_OWNER = {"owner": "", "acquired_until": ""}
LEASE_FIELDS = _NO_OWNER | {"readers": ""}
"""The fields of an exclusive lease, to ``$unset`` them."""


class Lease:
    """Lock a document of MongoDB while its owner is alive and works.

    The fields ``{owner, acquired_until, readers, expires}`` are part of the document, whatever else
    it holds. All times are those of the server's clock. While the owner works, a thread extends the
    lease (:mod:`beaker_mongo_soajs.mongo.renewal`). If the process crashes, the thread ends or the
    lease object is dropped without a release, the lock is released ``store.lockLease`` seconds
    after the last extension.

    A lease belongs to the process and the thread that acquired it: a forked child neither holds nor
    releases what its parent acquired. It is not reentrant.

    After a process was stopped for longer than the lease, another owner may hold the lock:
    :meth:`extend` and :meth:`release` return ``False`` then.

    Filters and updates use plain operators only, so that servers without aggregation pipelines in
    updates can keep locks as well.

    :param collection: the document's collection.
    :param stored_id: the document's ``_id``; a document is made if there is none.
    :param shared: whether to share the lock with others that do, as readers; otherwise it is
        exclusive.
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
        self._is_lost = False

    def __repr__(self) -> str:
        # The id of what is locked may be a session id.
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
        """Tell whether this process acquired the lock and has not released it."""
        return self._holder is not None and self._holder[0] == os.getpid()

    @property
    def namespace(self) -> str:
        """Return ``database.collection`` of the locked document."""
        return self._collection.namespace

    def note_lost(self) -> None:
        """Report once that another owner may hold the lock."""
        if listeners and not self._is_lost:
            emit("lock.lost", self.namespace)
        self._is_lost = True

    @property
    def owner_and_end(self) -> tuple[object, object]:
        """Return the exclusive owner and the end of its lease, as the last attempt found them."""
        return self.document.get("owner"), self.document.get("acquired_until")

    @property
    def owner_lives(self) -> bool:
        """Tell whether the thread that acquired the lock is alive."""
        return self._holder is not None and self._holder[1].is_alive()

    def acquire(self, wait: bool = True, timeout_seconds: float | None = None) -> bool:
        """Acquire the lock.

        The first attempt is made at once. The pauses between attempts grow from a millisecond to
        fifty; each is drawn at random. While an exclusive lease waits, new readers are kept out.

        :param wait: whether to wait while others hold the lock.
        :param timeout_seconds: how long to wait; four times ``store.lockLease`` by default.
        :returns: whether the lock was acquired; always true with ``wait``.
        :raises LockTimeout: others held the lock until the timeout.
        :raises StoreError: the database does not carry out a command.
        """
        if not wait:
            self.begin()
            return self.attempt(claim=False)
        if timeout_seconds is None:
            timeout_seconds = self.lease_seconds * LEASES_TO_WAIT
        start = time.perf_counter()
        self.begin()
        for number in attempts(timeout_seconds):
            if self.attempt():
                if listeners and number > 1:
                    emit("lock.waited", self._collection.namespace, start=start)
                return True
        self.give_up()
        if listeners:
            emit("lock.timed_out", self._collection.namespace, start=start)
        raise lock_timeout(time.perf_counter() - start)

    def begin(self, known: Document | None = None) -> None:
        """Begin to acquire the lock, as a new owner.

        :param known: what the caller has read of the document.
        :raises RuntimeError: this lease is held.
        """
        if self.held:
            raise RuntimeError("This lease is held already. Make another one to wait for its end.")
        self.owner = secrets.token_hex(16)
        self.document = known or {}

    def attempt(self, *, claim: bool = True) -> bool:
        """Make one attempt, after :meth:`begin`; :attr:`document` is then what is stored.

        An attempt is one command, unless others use the same document.

        :param claim: whether an exclusive lease that only readers keep waiting also keeps new
            readers out. More attempts or :meth:`give_up` must follow.
        :returns: whether the lock was acquired.
        :raises StoreError: the database does not carry out a command.
        """
        now = server_now(self._collection)
        if self.document and not self._may_acquire(now):
            # Others held it a moment ago. To look again costs less than to try again.
            self._look()
        for _ in range(_MOST_TRIES):
            if not self._may_acquire(now):
                return False
            changed = self._try_to_acquire(now, claim=claim)
            if changed is not None:
                self.document = changed
                return self._note_acquired(now)
            self._look()
            if not self._shared and not claim and self._live_readers(now):
                return False
        return False

    def give_up(self) -> None:
        """Let new readers in again, after attempts without success."""
        if self.document.get("owner") == self.owner:
            self._log_failure(lambda: self._update({"$unset": _NO_OWNER}))

    def release(self) -> bool:
        """Release the lock, if it is held.

        A release that does not reach the database is logged: the lease runs out anyway.

        :returns: whether the lock was still held; false if the lease ran out before.
        """
        return self.forget() and self._log_failure(self._free)

    def forget(self) -> bool:
        """Stop holding the lock, and leave the document as it is.

        :returns: whether the lock was held.
        """
        held, self._holder = self.held, None
        if held:
            self.stop_extending()
        return held

    def stop_extending(self) -> None:
        """Stop extending the lease, because a command that releases it is about to be sent."""
        self._renewer.discard(self)

    def extend(self) -> bool:
        """Extend the lease to its full length from now on.

        :returns: whether this owner still held the lock.
        :raises StoreError: the database does not carry out the command.
        """
        until = self._until(server_now(self._collection))
        field = "readers.$.acquired_until" if self._shared else "acquired_until"
        return self._extend({field: until}, until)

    def _extend(self, fields: Document, until: datetime) -> bool:
        return self._update({"$set": fields, "$max": {"expires": until}})

    @property
    def _own_filter(self) -> Document:
        owner = "readers.owner" if self._shared else "owner"
        return {"_id": self._stored_id, owner: self.owner}

    @property
    def _renewer(self) -> LeaseRenewer:
        return get_renewer(self._collection.config.connection_key, self.lease_seconds)

    def _until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.lease_seconds)

    def _latest(self, now: datetime) -> datetime:
        """Return the latest time at which a lease may end: one that is planted may end never."""
        return now + timedelta(seconds=max(_LONGEST_LEASE_SECONDS, 2 * self.lease_seconds))

    def _is_live(self, acquired_until: object, now: datetime) -> bool:
        return isinstance(acquired_until, datetime) and now < acquired_until <= self._latest(now)

    def _live_readers(self, now: datetime) -> list[object]:
        readers = self.document.get("readers")
        return [
            reader.get("owner")
            for reader in (readers if isinstance(readers, list) else ())
            if isinstance(reader, dict) and self._is_live(reader.get("acquired_until"), now)
        ]

    def _may_acquire(self, now: datetime) -> bool:
        """Tell whether no other owner keeps the lock, as far as :attr:`document` shows."""
        if not self._shared and self.document.get("owner") == self.owner:
            return True
        return not self._is_live(self.document.get("acquired_until"), now)

    def _look(self) -> None:
        self.document = self._collection.find_one(self._stored_id, from_primary=True) or {}

    def _note_acquired(self, now: datetime) -> bool:
        if not self._shared and self._live_readers(now):
            return False
        self._holder = (os.getpid(), threading.current_thread())
        self._is_lost = False
        self._renewer.add(self)
        return True

    def _try_to_acquire(self, now: datetime, *, claim: bool) -> Document | None:
        """Acquire or claim the lock if it is free; return the document afterwards, or ``None``."""
        query, update = self._acquire_query(now, claim=claim), self._acquire_update(now)
        update["$max"] = {"expires": self._until(now)}
        return self._collection.find_and_modify(query, update, upsert=True)

    def _acquire_query(self, now: datetime, *, claim: bool) -> Document:
        live = {"$gt": now, "$lte": self._latest(now)}
        # Of a planted array, each element could satisfy one of the two comparisons.
        free: list[Document] = [
            {"acquired_until": {"$not": live}},
            {"acquired_until": {"$type": _ARRAY}},
        ]
        if self._shared:
            return {"_id": self._stored_id, "$and": [{"$or": free}]}
        conditions: list[Document] = [{"$or": [*free, {"owner": self.owner}]}]
        if not claim:
            conditions.append({"readers": {"$not": {"$elemMatch": {"acquired_until": live}}}})
        return {"_id": self._stored_id, "$and": conditions}

    def _acquire_update(self, now: datetime) -> Document:
        lease = {"owner": self.owner, "acquired_until": self._until(now)}
        if self._shared:
            # An exclusive owner whose lease ran out must not delete the document with its readers.
            return {"$push": {"readers": lease}, "$set": {"owner": None}}
        # A reader whose lease ran out must not be able to extend it beside the new owner.
        return {"$set": lease, "$pull": {"readers": {"acquired_until": {"$lte": now}}}}

    def _free(self) -> bool:
        """Remove this owner from the document; return whether it was there."""
        if self._shared:
            return self._update({"$pull": {"readers": {"owner": self.owner}}})
        return self._update({"$unset": _NO_OWNER})

    def _log_failure(self, command: Callable[[], bool]) -> bool:
        try:
            return command()
        except StoreError as error:
            warn(
                logger,
                "A lock was not released. Its lease runs out by itself. %s",
                error,
                event="lock.not_released",
                collection=self._collection.namespace,
            )
            return False

    def _update(self, update: Document) -> bool:
        return self._collection.update(self._own_filter, update)


class Locks:
    """Locks by name, each a document of its own: ``{_id: <digest of the name>, owner, …}``.

    Their collection is named after the configured one: ``sessions_locks`` for ``sessions``. Names
    are stored as SHA-256 digests, because a name may contain a session id, and may be longer than a
    document::

        with Locks(config).lease("nightly report"):
            ...

    :param config: the configuration, its options as a mapping, or a connection string.
    """

    def __init__(self, config: DbConfig | Mapping[str, object] | str) -> None:
        if not isinstance(config, DbConfig):
            config = DbConfig.from_options(config)
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
    """A lease whose document holds nothing else, and is deleted with it."""

    def _free(self) -> bool:
        if self._shared:
            return super()._free()
        return self._collection.delete_first(self._own_filter) > 0


def lock_timeout(waited_seconds: float) -> LockTimeout:
    """Return the error for a lock that was not acquired in time.

    :param waited_seconds: how long the caller waited.
    """
    return LockTimeout(
        f"The lock was not acquired within {waited_seconds:.1f} seconds: others held it.",
        hint="Try again later, or hold locks for a shorter time. The limit depends on "
        "store.lockLease.",
        waited_seconds=waited_seconds,
    )
