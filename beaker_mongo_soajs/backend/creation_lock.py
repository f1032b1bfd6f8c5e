"""The lock under which a cached value is created, by one thread of one process."""

import os
import threading
import time

from beaker.synchronization import SynchronizerImpl

from beaker_mongo_soajs.backend.single_flight import EntryKey, ReadState, SingleFlight
from beaker_mongo_soajs.caches.entry import Entry
from beaker_mongo_soajs.caches.entry_lease import EntryLease
from beaker_mongo_soajs.exceptions import LockTimeout, StoreUnavailable
from beaker_mongo_soajs.metrics import emit, listeners
from beaker_mongo_soajs.mongo.backoff import attempts
from beaker_mongo_soajs.mongo.leases import LEASES_TO_WAIT, Lease, lock_timeout

_LEASES_WITHOUT_A_SIGN = 1.5
"""Wait limit, in lease lengths, for an owner that does not extend its lease.

Such a lease runs out within one length, unless its dates are not this package's.
"""


class _Hold(SynchronizerImpl.SyncState):
    """A thread's hold on a lock: Beaker's count, and the lease."""

    __slots__ = ("created", "flight", "lease", "may_release_early", "start", "thread")

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.current_thread()
        self.lease: Lease | None = None
        self.flight: SingleFlight | None = None
        self.may_release_early = False
        self.created: Entry | None = None
        self.start = time.perf_counter()


# Plain dicts, by process and thread: no lock is inherited across a fork, or made before gevent
# patches the threading module.
_flights: dict[tuple[int, EntryKey], SingleFlight] = {}
_holds: dict[tuple[int, int, EntryKey], _Hold] = {}


class CreationLock(SynchronizerImpl):
    """The lock under which a cached value is created, with the API of Beaker's synchronizers.

    It has one writer or any number of readers, across threads and processes, and is reentrant for
    each thread. A wait ends after four times ``store.lockLease``, and after one and a half times if
    the owner does not extend its lease.

    Beaker's ``Value`` reads an entry, acquires the lock if the entry is absent or expired, and
    reads it again. Callers that wait here after such a read need not acquire the lock one after the
    other: as soon as a fresh value is stored, all of them return. Callers that did not read before
    wait until the lock is free.

    In each process only one thread asks the server; the other threads wait for it.

    :param entry_key: the key of the value.
    :param read_state: what the thread has read.
    """

    def __init__(self, entry_key: EntryKey, read_state: ReadState) -> None:
        super().__init__()
        self._entry_key = entry_key
        self._read_state = read_state

    @property
    def state(self) -> _Hold:  # type: ignore[override]
        """Return this thread's hold on the lock; all objects for one entry key share it."""
        hold = _hold_of(self._entry_key)
        if hold is None:
            hold = _holds[_slot(self._entry_key)] = _Hold()
        return hold

    def acquire_write_lock(self, wait: bool = True) -> bool:
        """Acquire the lock.

        :param wait: whether to wait while others hold it.
        :returns: whether the lock was acquired, or is no longer needed.
        :raises LockTimeout: others held the lock until the wait limit.
        :raises StoreError: the database does not carry out a command.
        """
        try:
            return bool(super().acquire_write_lock(wait))
        finally:
            self._tidy()

    def acquire_read_lock(self, wait: bool = True) -> bool:
        """Acquire the lock together with other readers; otherwise as :meth:`acquire_write_lock`."""
        try:
            return bool(super().acquire_read_lock(wait))
        finally:
            self._tidy()

    def release_write_lock(self) -> None:
        """Release the lock, once for each time that it was acquired.

        :raises LockError: the lock is not held.
        """
        try:
            super().release_write_lock()
        finally:
            self._tidy()

    def release_read_lock(self) -> None:
        """Release the reader's lock, once for each time that it was acquired.

        :raises LockError: the lock is not held.
        """
        try:
            super().release_read_lock()
        finally:
            self._tidy()

    acquire = acquire_write_lock
    release = release_write_lock

    def do_acquire_read_lock(self, wait: bool) -> bool:
        """Acquire a shared lease."""
        lease = self._new_lease(shared=True)
        acquired = lease.acquire(wait)
        self.state.lease = lease
        return acquired

    def do_release_read_lock(self) -> None:
        """Release the shared lease."""
        lease = self.state.lease
        assert lease is not None
        lease.release()

    def do_acquire_write_lock(self, wait: bool) -> bool:
        """Lead the creation in this process, or wait for the thread that leads it."""
        start = time.perf_counter()
        deadline = time.monotonic() + self._entry_key.store.lease_seconds * LEASES_TO_WAIT
        slot = (os.getpid(), self._entry_key)
        while True:
            if self._is_outage:
                # Without the database there is nothing to wait for, and nothing to share.
                return True
            mine = SingleFlight()
            other = _flights.setdefault(slot, mine)
            if other is mine:
                return self._lead(mine, wait, start, deadline)
            if not other.is_running:
                self._drop(other)
                continue
            if not wait:
                return False
            try:
                entry = other.wait(deadline)
            except (TimeoutError, LockTimeout):
                raise lock_timeout(time.perf_counter() - start) from None
            if self._read_state.is_answered_by(entry):
                self._read_state.prefetch(entry)
                self._report("cache.waited", start)
                return True

    def do_release_write_lock(self) -> None:
        """Release the lease, if this thread led, and wake the waiters of this process."""
        hold = self.state
        self._read_state.take_prefetched()
        if hold.flight is not None:
            assert hold.lease is not None
            try:
                # During an outage a release would only wait, and the lease runs out by itself.
                _ = hold.lease.forget() if self._is_outage else hold.lease.release()
            finally:
                self._end(hold.flight, hold.created)

    def _lead(self, mine: SingleFlight, wait: bool, start: float, deadline: float) -> bool:
        try:
            lease, entry, has_waited = self._ask(wait, deadline)
        except StoreUnavailable:
            self._end(mine, None)
            if not self._entry_key.store.creates_in_outages:
                raise
            self._entry_key.store.outages.begin()
            return True
        except BaseException:
            self._end(mine, None)
            raise
        if has_waited and (lease is not None or self._read_state.is_answered_by(entry)):
            self._report("cache.waited", start)
        if lease is not None:
            hold = self.state
            hold.lease, hold.flight, hold.may_release_early = lease, mine, self._read_state.reads
            if self._read_state.reads:
                self._read_state.prefetch(entry)
            return True
        if self._read_state.is_answered_by(entry):
            self._end(mine, entry)
            self._read_state.prefetch(entry)
            return True
        if not wait:
            self._end(mine, entry)
            return False
        error = lock_timeout(time.perf_counter() - start)
        self._drop(mine)
        mine.give_up(error)
        raise error

    def _ask(self, wait: bool, deadline: float) -> tuple[Lease | None, Entry | None, bool]:
        """Ask the server for the lease.

        :returns: the lease if it was acquired, the entry that was found, and whether others held
            the lease at first.
        """
        lease = self._new_lease()
        lease.begin(self._read_state.known)
        patience_seconds = lease.lease_seconds * _LEASES_WITHOUT_A_SIGN
        entry, sign, since = None, None, time.monotonic()
        number = 1
        for number in attempts(deadline - since):
            acquired, entry = self._attempt(lease, wait)
            if acquired:
                return lease, entry, number > 1
            if not wait or self._read_state.is_answered_by(entry):
                break
            latest = lease.owner_and_end
            if latest != sign:
                sign, since = latest, time.monotonic()
            elif time.monotonic() - since > patience_seconds:
                break
        lease.give_up()
        return None, entry, number > 1

    def _attempt(self, lease: EntryLease, wait: bool) -> tuple[bool, Entry | None]:
        store, state = self._entry_key.store, self._read_state
        if state.reads:
            lease.acquire_unless_newer(state.version)
        acquired = lease.attempt(claim=wait)
        entry = store.entry_of(lease)
        if acquired or entry is None or not state.reads:
            return acquired, entry
        if entry.version == state.version or entry.is_fresh:
            return False, entry
        # A newer value, which has expired as well: that is now what was read.
        state.version = entry.version
        lease.acquire_unless_newer(state.version)
        return lease.attempt(claim=wait), store.entry_of(lease)

    def _new_lease(self, *, shared: bool = False) -> EntryLease:
        store, namespace, key = self._entry_key
        return store.lease(namespace, key, shared=shared)

    def _report(self, event: str, start: float) -> None:
        if listeners:
            emit(event, self._entry_key.store.collection_name, start=start)

    def _end(self, mine: SingleFlight, entry: Entry | None) -> None:
        self._drop(mine)
        mine.end(entry)

    @property
    def _is_outage(self) -> bool:
        store = self._entry_key.store
        return store.creates_in_outages and store.outages.lasts

    def _drop(self, ended: SingleFlight) -> None:
        slot = (os.getpid(), self._entry_key)
        if _flights.get(slot) is ended:
            _flights.pop(slot, None)

    def _tidy(self) -> None:
        slot = _slot(self._entry_key)
        # Each call that comes here has looked at the state, which makes a hold.
        if not _holds[slot].reentrantcount:
            del _holds[slot]


def lease_to_release(entry_key: EntryKey) -> Lease | None:
    """Return this thread's lease of a value, if storing the value may release it.

    Beaker's ``Value`` releases the lock right after it has stored the value. One command does both.

    :param entry_key: the key of the value.
    """
    hold = _hold_of(entry_key)
    if hold is None or hold.lease is None:
        return None
    may_release = hold.may_release_early and hold.reentrantcount == 1 and hold.lease.held
    return hold.lease if may_release else None


def is_creating(entry_key: EntryKey) -> bool:
    """Tell whether this thread holds the lock under which a value is created.

    :param entry_key: the key of the value.
    """
    return _hold_of(entry_key) is not None


def note_created(entry_key: EntryKey, entry: Entry) -> None:
    """Note the entry that was created under this thread's lock, for the waiters of this process.

    :param entry_key: the key of the value.
    :param entry: the entry.
    """
    hold = _hold_of(entry_key)
    if hold is not None:
        hold.created = entry
        if listeners:
            emit("cache.created", entry_key.store.collection_name, start=hold.start)


def _slot(entry_key: EntryKey) -> tuple[int, int, EntryKey]:
    return os.getpid(), threading.get_ident(), entry_key


def _hold_of(entry_key: EntryKey) -> _Hold | None:
    hold = _holds.get(_slot(entry_key))
    # The ids of threads are reused.
    return hold if hold is not None and hold.thread is threading.current_thread() else None
