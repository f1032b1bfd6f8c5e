"""One namespace of a Beaker cache, as Beaker's ``Value`` and other callers use it."""

import logging
import threading
from datetime import UTC, datetime
from typing import Any

from beaker_mongo_soajs.backend.creation_lock import (
    CreationLock,
    is_creating,
    lease_to_release,
    note_created,
)
from beaker_mongo_soajs.backend.single_flight import EntryKey, ReadState
from beaker_mongo_soajs.caches.entry import Entry
from beaker_mongo_soajs.caches.store import CacheStore, Key, StoredKey, shortened, stored_key
from beaker_mongo_soajs.exceptions import SerializationError, StoreUnavailable
from beaker_mongo_soajs.log_records import warn
from beaker_mongo_soajs.metrics import emit, listeners
from beaker_mongo_soajs.mongo.outages import OutageLog

logger = logging.getLogger(__name__)

_UNREADABLE = "cache.unreadable"

_outage_log = OutageLog(logger, "Values are created without the cache.")


class _Memory(threading.local):
    """The state of one thread in a namespace.

    :param depth: how many of the namespace's locks the thread holds.
    :param asked: the key and the entry of its last read, to be used once more.
    :param found: the key and the entry of its last read, without the value.
    :param read_state: the key of its last creation lock, and what it had read by then.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.asked: tuple[StoredKey, Entry | None] | None = None
        self.found: tuple[StoredKey, Entry | None] | None = None
        self.read_state: tuple[StoredKey, ReadState] | None = None


class CacheSide:
    """The values of one namespace.

    Beaker's ``Value`` holds the namespace's read or write lock during all its calls (:meth:`enter`
    and :meth:`leave`), and stores ``(stored, expires after, value)``. It compares the times itself,
    and returns an expired value while another caller creates a new one. So ``Value`` finds values
    for one ``store.lockLease`` after they expired, and while a new one is created. It asks whether
    there is a value, and then for the value: the entry of the first question is used for the
    second, and dropped when the lock is released.

    Callers without these locks get what is stored at that moment, and nothing that has expired.

    :param store: the store of the values.
    :param name: the name of the namespace.
    """

    def __init__(self, store: CacheStore, name: str) -> None:
        self._store = store
        self._name = name
        self._memory = _Memory()
        store.warn_of_pickles()

    def enter(self) -> None:
        """Begin a read or a write of ``Value``."""
        self._memory.depth += 1

    def leave(self) -> None:
        """End a read or a write of ``Value``."""
        memory = self._memory
        memory.depth = max(0, memory.depth - 1)
        if not memory.depth:
            memory.asked = None

    def creation_lock(self, key: Key) -> CreationLock:
        """Return the lock under which a value is created.

        :param key: the value's key.
        """
        key = stored_key(key)
        memory = self._memory
        read_state = ReadState()
        if memory.found is not None and memory.found[0] == key:
            entry = memory.found[1]
            if entry is None:
                read_state = ReadState(reads=True)
            elif not entry.is_fresh:
                read_state = ReadState(True, entry.version, {"expires": entry.expires})
        memory.found = None
        memory.read_state = key, read_state
        return CreationLock(self._entry_key(key), read_state)

    def contains(self, key: Key) -> bool:
        """Tell whether there is a value.

        :param key: the value's key.
        """
        key = stored_key(key)
        memory = self._memory
        if not memory.depth:
            return self._store.contains(self._name, key)
        entry = self._ask(key)
        memory.asked = key, entry
        return entry is not None and entry.is_there

    def get(self, key: Key) -> Any:
        """Return a value.

        :param key: the value's key.
        :raises KeyError: there is no value, or it has expired. For ``Value`` also if it cannot be
            loaded, so that a new one is created.
        :raises SerializationError: the value cannot be loaded.
        """
        key = stored_key(key)
        memory = self._memory
        if not memory.depth:
            return self._store.get(self._name, key)
        if memory.asked is not None and memory.asked[0] == key:
            entry, memory.asked = memory.asked[1], None
        else:
            entry = self._ask(key)
        if entry is None or not entry.is_there:
            raise KeyError(key)
        try:
            value = self._store.load(self._name, key, entry)
        except SerializationError as error:
            self._report_unreadable(key)
            warn(
                logger,
                "A cached value counts as absent. %s",
                error,
                event=_UNREADABLE,
                collection=self._store.collection_name,
            )
            raise KeyError(key) from error
        if not _is_of_value(value):
            self._report_unreadable(key)
            warn(
                logger,
                "The cached value of %s counts as absent: no Beaker cache has stored it. Remove it "
                "from the cache, and find out what wrote it.",
                shortened(key),
                event=_UNREADABLE,
                collection=self._store.collection_name,
            )
            raise KeyError(key)
        return value

    def set(self, key: Key, value: Any, expire_seconds: float | None) -> None:
        """Store a value.

        :param key: the value's key.
        :param value: the value.
        :param expire_seconds: its lifetime; ``None`` for ever.
        :raises SerializationError: the value cannot be pickled, or is too large.
        """
        key = stored_key(key)
        memory = self._memory
        memory.asked = None
        if not memory.depth:
            self._store.set(self._name, key, value, expire_seconds)
            return
        entry_key = self._entry_key(key)
        store = self._store
        may_lose = store.creates_in_outages and is_creating(entry_key)
        if may_lose and store.outages.lasts:
            return
        try:
            entry = store.set(
                self._name,
                key,
                value,
                expire_seconds,
                stored=_stored_time(value),
                grace_seconds=store.lease_seconds,
                lease=lease_to_release(entry_key),
            )
        except StoreUnavailable as error:
            if not may_lose:
                raise
            self._note_outage(error)
            return
        note_created(entry_key, entry)

    def delete(self, key: Key) -> int:
        """Delete a value; return the number of deleted values, 1 or 0.

        :param key: the value's key.
        """
        key = stored_key(key)
        self._memory.asked = None
        return self._store.delete(self._name, key)

    def clear(self) -> None:
        """Delete all values."""
        self._memory.asked = None
        self._store.clear(self._name)

    def keys(self) -> list[StoredKey]:
        """Return the keys of the values that have not expired."""
        return self._store.keys(self._name)

    def _ask(self, key: StoredKey) -> Entry | None:
        memory = self._memory
        if memory.read_state is not None and memory.read_state[0] == key:
            read_state = memory.read_state[1]
            if read_state.has_prefetched:
                return read_state.take_prefetched()
        entry = self._find(key)
        # Without the value, which would stay in memory while the thread lives.
        memory.found = key, entry._replace(payload=b"") if entry is not None else None
        return entry

    def _find(self, key: StoredKey) -> Entry | None:
        store = self._store
        if not store.creates_in_outages:
            return store.find(self._name, key)
        if store.outages.lasts:
            return None
        try:
            return store.find(self._name, key)
        except StoreUnavailable as error:
            self._note_outage(error)
            return None

    def _note_outage(self, error: StoreUnavailable) -> None:
        self._store.outages.begin()
        _outage_log.report(error)

    def _report_unreadable(self, key: StoredKey) -> None:
        # Value reads again when it holds the lock. That is the same event.
        if listeners and not is_creating(self._entry_key(key)):
            emit(_UNREADABLE, self._store.collection_name)

    def _entry_key(self, key: StoredKey) -> EntryKey:
        return EntryKey(self._store, self._name, key)


def _is_of_value(item: Any) -> bool:
    """Tell whether an item has the form in which ``Value`` stores values."""
    if not isinstance(item, tuple) or not 2 <= len(item) <= 3:
        return False
    numbers = item[:2] if len(item) == 3 and item[1] is not None else item[:1]
    return all(isinstance(number, int | float) for number in numbers)


def _stored_time(value: Any) -> datetime | None:
    """Return the time that ``Value`` stores with a value; its age counts from then."""
    stored = value[0] if isinstance(value, tuple) and len(value) == 3 else None
    if not isinstance(stored, int | float):
        return None
    try:
        return datetime.fromtimestamp(stored, UTC).replace(tzinfo=None)
    except (OverflowError, OSError, ValueError):
        return None
