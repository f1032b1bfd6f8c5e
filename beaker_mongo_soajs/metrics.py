"""Events of sessions, locks and caches, for metrics.

A listener gets each event in the thread that caused it, after the command that caused it::

    from beaker_mongo_soajs.metrics import on_event

    remove = on_event(lambda event: print(event.name, event.seconds))

No event contains a session id, a cache key or data. If there is no listener, the cost is the test
of one list for each event.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from beaker_mongo_soajs.handles import short_handle
from beaker_mongo_soajs.log_records import warn

logger = logging.getLogger(__name__)

NAMES: dict[str, str] = {
    "session.created": "A session was stored for the first time.",
    "session.loaded": "A request loaded a session.",
    "session.missed": "A request brought an id that has no session.",
    "session.expired": "A request brought the id of a session that had expired.",
    "session.saved": "A request saved changes of a session.",
    "session.merged": "A save found changes of another request, and kept both.",
    "session.dropped": "A save was dropped, because another request had destroyed the session.",
    "session.destroyed": "Sessions were deleted, by a logout or by an administrator.",
    "session.id_changed": "A session got a new id.",
    "session.unreadable": "A document could not be read as a session.",
    "session.migrated": "A session was moved here from an old backend.",
    "lock.waited": "A request acquired a lock that others had held.",
    "lock.timed_out": "A request gave up waiting for a lock.",
    "lock.lost": "A lock was lost, because its lease was not extended in time.",
    "store.unavailable": "The database did not answer a command.",
    "store.refused": "The server refused a command.",
    "cache.hit": "A fresh value was found in a cache.",
    "cache.miss": "A value was absent from a cache, or had expired.",
    "cache.created": "A value was created and stored in a cache.",
    "cache.waited": "A request waited while another one created a value.",
    "cache.unreadable": "A cached value could not be loaded, and counted as absent.",
}
"""The names of all events, with their meaning."""


@dataclass(frozen=True, slots=True)
class Event:
    """Describe one event.

    :param name: one of :data:`NAMES`.
    :param collection: ``database.collection``; empty if it is not known.
    :param handle: the first characters of the session's handle, if the event concerns one session.
    :param seconds: how long it took, with the commands to the server; ``None`` if not measured.
    :param count: how many sessions the event concerns.
    :param code: the server's error code, if it returned one.
    """

    name: str
    collection: str = ""
    handle: str | None = None
    seconds: float | None = None
    count: int = 1
    code: int | None = None


Listener = Callable[[Event], object]

listeners: list[Listener] = []
"""The listeners. The places that raise events test this list first; it is empty by default."""


def on_event(listener: Listener) -> Callable[[], None]:
    """Call a function for each event from now on, in all threads of this process.

    It delays the request that caused the event, so it should be fast and must not use a session.
    An exception of a listener is logged, and changes nothing else. Children of a fork inherit the
    listeners.

    :param listener: the function.
    :returns: a function that removes the listener.
    """
    listeners.append(listener)

    def remove() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return remove


def emit(
    name: str,
    collection: str = "",
    stored_id: str | None = None,
    *,
    start: float = 0.0,
    count: int = 1,
    code: int | None = None,
) -> None:
    """Pass an event to all listeners. Callers test ``listeners`` first, to save the call.

    :param name: one of :data:`NAMES`.
    :param collection: as for :class:`Event`.
    :param stored_id: the ``_id`` of the session's document.
    :param start: when the operation started, by :func:`time.perf_counter`; 0 if not measured.
    :param count: as for :class:`Event`.
    :param code: as for :class:`Event`.
    """
    seconds = perf_counter() - start if start else None
    handle = None if stored_id is None else short_handle(stored_id)
    event = Event(name, collection, handle, seconds, count, code)
    for listener in tuple(listeners):
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - a listener must not fail a request
            warn(
                logger,
                "A listener of events failed (%s). Correct the function passed to on_event.",
                type(error).__name__,
                event="listener.failed",
                exc_info=error,
            )
