"""Creating a value once in a process: the other threads wait for the one that does it."""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from beaker_mongo_soajs.caches.entry import Entry
from beaker_mongo_soajs.caches.store import CacheStore, StoredKey
from beaker_mongo_soajs.exceptions import LockTimeout
from beaker_mongo_soajs.mongo.documents import Document

_LOOK_SECONDS = 1.0
"""How often waiters check that the creating thread is alive."""


class EntryKey(NamedTuple):
    """The key of an entry, in all caches of this process.

    :param store: the store of the entry.
    :param namespace: the namespace.
    :param key: the key in the namespace.
    """

    store: CacheStore
    namespace: str
    key: StoredKey

    def __repr__(self) -> str:
        # Keys may contain personal data.
        return f"<{type(self).__name__}>"


@dataclass(repr=False)
class ReadState:
    """What a thread has read of a value that it may have to create.

    :param reads: whether it has just read the entry, as Beaker's ``Value`` does, and found it
        absent or expired.
    :param version: the version of the entry that it read; ``None`` if there was none.
    :param known: fields of the document that it read.
    :param prefetched: the entry that was read when the lock was acquired; the next read returns it.
    :param has_prefetched: whether there is such an entry; ``None`` means that it is absent.
    """

    reads: bool = False
    version: Any = None
    known: Document = field(default_factory=dict)
    prefetched: Entry | None = None
    has_prefetched: bool = False

    def prefetch(self, entry: Entry | None) -> None:
        """Keep an entry for the next read, which then needs no command.

        :param entry: the entry; ``None`` if it is absent.
        """
        self.prefetched, self.has_prefetched = entry, True

    def take_prefetched(self) -> Entry | None:
        """Return the prefetched entry, and drop it."""
        entry, self.prefetched, self.has_prefetched = self.prefetched, None, False
        return entry

    def is_answered_by(self, entry: Entry | None) -> bool:
        """Tell whether an entry is newer than what was read, and fresh: nothing need be created.

        :param entry: the entry; ``None`` if it is absent.
        """
        return self.reads and entry is not None and entry.version != self.version and entry.is_fresh


class SingleFlight:
    """The creation of one value in this process, led by the thread that makes this object."""

    def __init__(self) -> None:
        self._leader = threading.current_thread()
        self._outcome: Future[Entry | None] = Future()

    def end(self, entry: Entry | None) -> None:
        """Wake the waiters.

        :param entry: the entry that was created; ``None`` if none was.
        """
        self._outcome.set_result(entry)

    def give_up(self, error: LockTimeout) -> None:
        """Fail all waiters: the lock cannot be acquired.

        :param error: for each of them.
        """
        self._outcome.set_exception(error)

    @property
    def is_running(self) -> bool:
        """Tell whether it has ended, or its thread can still end it."""
        return self._outcome.done() or self._leader.is_alive()

    def wait(self, deadline: float) -> Entry | None:
        """Wait until it ends, or its thread dies; return the entry that was created, if any.

        :param deadline: how long to wait, by the monotonic clock.
        :raises TimeoutError: it did not end before the deadline.
        :raises LockTimeout: its thread gave up.
        """
        while self.is_running:
            left = deadline - time.monotonic()
            try:
                return self._outcome.result(min(left, _LOOK_SECONDS))
            except TimeoutError:
                if left <= 0:
                    raise
        return None
