"""The thread that extends the leases of a process while their owners work."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Hashable
from typing import Protocol

from beaker_mongo_soajs.exceptions import BeakerMongoError
from beaker_mongo_soajs.log_records import warn

logger = logging.getLogger(__name__)

_EXTENSIONS_PER_LEASE = 3
_ATTEMPTS_PER_EXTENSION = 4
"""How often an extension that failed is repeated before the next one is due."""


class Renewable(Protocol):
    """What a renewer needs of a lease."""

    @property
    def owner_lives(self) -> bool:
        """Tell whether the thread that acquired the lease is alive."""

    @property
    def namespace(self) -> str:
        """Return ``database.collection`` of the locked document."""

    def extend(self) -> bool:
        """Extend the lease; return whether its owner still held it."""

    def note_lost(self) -> None:
        """Report once that another owner may hold the lock."""


class LeaseRenewer:
    """Extend leases until they are released, or their owners are gone.

    A lease is dropped when nothing else refers to it, or when the thread that acquired it has
    ended. So a lock that its owner never released is free one lease later. The thread ends when
    there is nothing to extend.

    :param lease_seconds: the length of the leases.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._period_seconds = lease_seconds / _EXTENSIONS_PER_LEASE
        self._leases: weakref.WeakSet[Renewable] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, lease: Renewable) -> None:
        """Extend a lease from now on.

        :param lease: the lease.
        """
        with self._lock:
            self._leases.add(lease)
            if self._thread is None:
                self._start()

    def discard(self, lease: Renewable) -> None:
        """Stop extending a lease.

        :param lease: the lease.
        """
        with self._lock:
            self._leases.discard(lease)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="beaker_mongo_soajs-renewer", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # At the end of an interpreter, or at a limit of the system.
            warn(
                logger,
                "Leases are not extended: no thread can be started (%s). Locks are released after "
                "store.lockLease. Check the limits of threads and memory.",
                error,
                event="lock.not_extended",
            )
        else:
            self._thread = thread

    def _run(self) -> None:
        pause_seconds = self._period_seconds
        while self._has_leases():
            time.sleep(pause_seconds)
            failed = self._extend_all()
            pause_seconds = self._period_seconds / (_ATTEMPTS_PER_EXTENSION if failed else 1)

    def _has_leases(self) -> bool:
        with self._lock:
            if not self._leases:
                self._thread = None
            return self._thread is not None

    def _extend_all(self) -> bool:
        """Extend all leases; return whether that failed for one of them."""
        # No reference may be kept: a lease that nothing else refers to is not extended.
        with self._lock:
            leases = list(self._leases)
        failed = False
        for lease in leases:
            if not lease.owner_lives:
                warn(
                    logger,
                    "A lease is not extended: the thread that acquired it has ended without a "
                    "release. Release locks in a finally block, or use a with statement.",
                    event="lock.not_released",
                    collection=lease.namespace,
                )
                self.discard(lease)
                continue
            try:
                lost = not lease.extend()
            except BeakerMongoError as error:
                warn(
                    logger,
                    "A lease was not extended, and will be tried again. %s",
                    error,
                    event="lock.not_extended",
                    collection=lease.namespace,
                )
                failed = True
                continue
            # A lease that was released in the meantime is not lost.
            if lost and lease in self._leases:
                lease.note_lost()
                warn(
                    logger,
                    "A lease was lost: it was not extended in time, and another owner may hold the "
                    "lock. Make store.lockLease longer than the pauses of this process.",
                    event="lock.lost",
                    collection=lease.namespace,
                )
                self.discard(lease)
        return failed


_renewers: dict[tuple[int, Hashable, float], LeaseRenewer] = {}


def get_renewer(connection: Hashable, lease_seconds: float) -> LeaseRenewer:
    """Return this process's renewer for leases of one length on one connection.

    A slow server delays only the extensions of its own leases.

    :param connection: the connection.
    :param lease_seconds: the length of the leases.
    """
    slot = (os.getpid(), connection, lease_seconds)
    renewer = _renewers.get(slot)
    return (
        renewer if renewer is not None else _renewers.setdefault(slot, LeaseRenewer(lease_seconds))
    )


if hasattr(os, "register_at_fork"):
    # The child inherits no thread, and process ids are reused.
    os.register_at_fork(after_in_child=_renewers.clear)
