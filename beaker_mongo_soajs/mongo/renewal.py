"""The thread of a process that extends its leases while their owners work."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Hashable
from typing import Protocol

from beaker_mongo_soajs.exceptions import BeakerMongoError

logger = logging.getLogger(__name__)

_EXTENSIONS_PER_LEASE = 3
_ATTEMPTS_PER_EXTENSION = 4
"""So often an extension that failed is tried again until the next one is due."""


class Renewable(Protocol):
    """A lease, as its renewer knows it."""

    @property
    def owner_lives(self) -> bool:
        """Tell whether the thread that acquired it still runs."""

    def extend(self) -> bool:
        """Extend it; return whether it was still its owner's."""


class LeaseRenewer:
    """Extend leases until they are released, or their owners are gone.

    A lease is forgotten as soon as nothing else refers to it and when the thread that acquired it
    has ended, so that a lock whose owner never came to release it goes free after one more lease.
    The thread ends when there is nothing to extend.

    :param lease_seconds: how long the leases are.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._period_seconds = lease_seconds / _EXTENSIONS_PER_LEASE
        self._leases: weakref.WeakSet[Renewable] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, lease: Renewable) -> None:
        """Extend a lease from now on."""
        with self._lock:
            self._leases.add(lease)
            if self._thread is None:
                self._start()

    def discard(self, lease: Renewable) -> None:
        """Extend a lease no longer."""
        with self._lock:
            self._leases.discard(lease)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="beaker_mongo_soajs-renewer", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # At the end of an interpreter, or at a limit of the system. The lease holds as it is.
            logger.warning("Leases are not extended: no thread can be started (%s).", error)
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
        """Extend all leases; return whether that failed for any."""
        # No reference to a lease may outlive this function, as none counts as an owner.
        with self._lock:
            leases = list(self._leases)
        failed = False
        for lease in leases:
            if not lease.owner_lives:
                logger.warning("A lease is not extended: the thread that acquired it has ended.")
                self.discard(lease)
                continue
            try:
                lost = not lease.extend()
            except BeakerMongoError as error:
                logger.warning("A lease was not extended this time. %s", error)
                failed = True
                continue
            # Whoever released it meanwhile has not lost it.
            if lost and lease in self._leases:
                logger.warning("A lease is lost: it was not extended in time.")
                self.discard(lease)
        return failed


_renewers: dict[tuple[int, Hashable, float], LeaseRenewer] = {}


def get_renewer(connection: Hashable, lease_seconds: float) -> LeaseRenewer:
    """Get this process's renewer of leases of one length on one connection.

    A server that is slow to answer delays the extension of no lease elsewhere.

    :param connection: tells connections apart.
    :param lease_seconds: how long the leases are.
    """
    slot = (os.getpid(), connection, lease_seconds)
    renewer = _renewers.get(slot)
    return (
        renewer if renewer is not None else _renewers.setdefault(slot, LeaseRenewer(lease_seconds))
    )


if hasattr(os, "register_at_fork"):
    # The child inherits no thread; and a process id can come again.
    os.register_at_fork(after_in_child=_renewers.clear)
