"""The lock of a session: one request at a time, across all processes."""

import functools
import time

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import LockTimeout
from beaker_mongo_soajs.mongo.leases import Lease, Locks


class SessionLock:
    """Hold the lock of a session for one request; reentrant.

    :param config: the configuration of the sessions.
    """

    def __init__(self, config: DbConfig) -> None:
        self._config = config
        self._lease: Lease | None = None
        self._depth = 0
        self._sure_until = 0.0

    def acquire(self, session_id: str, timeout_seconds: float | None) -> bool:
        """Acquire the lock, or count one more use of it.

        :param session_id: the session to lock, if its lock is not held yet.
        :param timeout_seconds: how long to wait; four times ``store.lockLease`` by default.
        :returns: whether the lock was not held before.
        :raises LockTimeout: if the lock is not acquired in time.
        :raises StoreUnavailable: if the database does not answer.
        """
        if self._lease is None:
            lease = _locks(self._config).lease(f"session {session_id}")
            lease.acquire(timeout_seconds=timeout_seconds)
            # The lease began when the server carried out the last attempt, a moment ago.
            self._sure_until = time.monotonic() + lease.lease_seconds / 2
            self._lease = lease
        self._depth += 1
        return self._depth == 1

    @property
    def is_last(self) -> bool:
        """Tell whether the next release releases the lock itself."""
        return self._depth == 1

    def check(self) -> None:
        """Check that the lock is still held.

        Within the first half of the lease no command is sent, because no other request can hold it.

        :raises LockTimeout: if this process was stopped for longer than the lease.
        :raises StoreUnavailable: the database does not answer.
        """
        if self._lease is None or time.monotonic() < self._sure_until or self._lease.extend():
            return
        self._lease.note_lost()
        raise LockTimeout(
            "The session's lock was lost: this process was stopped for longer than its lease.",
            hint="Nothing was saved; the request can be tried again. store.lockLease sets how long "
            "a lease is.",
        )

    def release(self) -> None:
        """Release the lock, once for each :meth:`acquire`; do nothing if it is not held."""
        if self._lease is None:
            return
        self._depth -= 1
        if self._depth == 0:
            lease, self._lease = self._lease, None
            lease.release()


@functools.lru_cache
def _locks(config: DbConfig) -> Locks:
    # One for each configuration, so that indexes are made once.
    return Locks(config)
