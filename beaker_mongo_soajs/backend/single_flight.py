"""What threads know of a value that is being created, and how they wait for each other."""

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
"""So often those who wait for a thread look whether it still lives."""


class EntryKey(NamedTuple):
    """A value to create.

    :param store: where its cache is.
    :param namespace: the cache's namespace.
    :param key: the key in it.
    """

    store: CacheStore
    namespace: str
    key: StoredKey

    def __repr__(self) -> str:
        # Keys may tell of whom they are about.
        return f"<{type(self).__name__}>"


@dataclass(repr=False)
class ReadState:
    """What a thread knows of a value that it may have to create.

    :param reads: whether it has just read the entry, as Beaker's ``Value`` does, and found it
        absent or expired.
    :param version: the version of the entry that it read; ``None`` if there was none.
    :param known: fields of the document that it read.
    :param prefetched: the entry that acquiring the lock brought along, to be read next.
    :param has_prefetched: whether there is one; that entry itself may be ``None``, for absent.
    """

    reads: bool = False
    version: Any = None
    known: Document = field(default_factory=dict)
    prefetched: Entry | None = None
    has_prefetched: bool = False

    def prefetch(self, entry: Entry | None) -> None:
        """Have an entry read without another command."""
        self.prefetched, self.has_prefetched = entry, True

    def take_prefetched(self) -> Entry | None:
        """Read the entry that was brought along."""
        entry, self.prefetched, self.has_prefetched = self.prefetched, None, False
        return entry

    def is_answered_by(self, entry: Entry | None) -> bool:
        """Tell whether an entry is what would be created: newer than what was read, and fresh."""
        return self.reads and entry is not None and entry.version != self.version and entry.is_fresh


class SingleFlight:
    """The creation of a value in this process, from the first who wants the lock to its release."""

    def __init__(self) -> None:
        self._leader = threading.current_thread()
        self._outcome: Future[Entry | None] = Future()

    def end(self, entry: Entry | None) -> None:
        """Let those who wait go on, with what was created, if it was."""
        self._outcome.set_result(entry)

    def give_up(self, error: LockTimeout) -> None:
        """Fail all waiters: the lock cannot be acquired.

        :param error: for each of them.
        """
        self._outcome.set_exception(error)

    @property
    def is_running(self) -> bool:
        """Tell whether its thread can still end it."""
        return self._outcome.done() or self._leader.is_alive()

    def wait(self, deadline: float) -> Entry | None:
        """Wait until it ends or cannot end any more; return what was created, if it was.

        :raises TimeoutError: neither came about until the deadline.
        """
        while self.is_running:
            left = deadline - time.monotonic()
            try:
                return self._outcome.result(max(0, min(left, _LOOK_SECONDS)))
            except TimeoutError:
                if left <= 0:
                    raise
        return None
