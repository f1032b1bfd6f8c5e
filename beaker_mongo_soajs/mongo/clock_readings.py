"""What the clocks of servers showed. PyMongo asks for it by itself: it monitors each server."""

import os
import time
from collections.abc import Hashable
from datetime import UTC, datetime

from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

_COUNTS_SECONDS = 60.0


_readings: dict[tuple[int, Hashable], tuple[float, float]] = {}
"""The last reading, and when that was by the monotonic clock, by process and connection."""


def add_reading(connection_key: Hashable, shown: datetime) -> None:
    """Keep what a server's clock shows now.

    :param connection_key: of the configuration.
    :param shown: the time, in naive UTC.
    """
    shown_seconds = shown.replace(tzinfo=UTC).timestamp()
    _readings[os.getpid(), connection_key] = (shown_seconds, time.monotonic())


def server_seconds(connection_key: Hashable) -> float | None:
    """Return the time of the server in seconds since 1970; ``None`` without a reading.

    A reading counts for a minute. The time that passed here since then is added.

    :param connection_key: as for :func:`add_reading`.
    """
    reading = _readings.get((os.getpid(), connection_key))
    if reading is None:
        return None
    shown_seconds, read_at = reading
    age_seconds = time.monotonic() - read_at
    return shown_seconds + age_seconds if age_seconds <= _COUNTS_SECONDS else None


class HeartbeatClock(ServerHeartbeatListener):
    """Read the clock of the server that takes writes, whenever PyMongo checks that server.

    :param connection_key: as for :func:`add_reading`.
    """

    def __init__(self, connection_key: Hashable) -> None:
        self._connection_key = connection_key

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Keep what the server's clock shows."""
        shown = event.reply.document.get("localTime")
        if event.reply.is_writable and isinstance(shown, datetime):
            add_reading(self._connection_key, shown)

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Do nothing: no clock was read."""

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """Do nothing: no clock was read."""


if hasattr(os, "register_at_fork"):
    # Process ids are reused.
    os.register_at_fork(after_in_child=_readings.clear)
