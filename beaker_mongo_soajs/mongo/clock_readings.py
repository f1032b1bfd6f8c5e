"""What the clocks of servers showed. PyMongo asks for it by itself: it monitors each server."""

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


class ClockReading:
    """What the clock of the server that takes writes showed last. It counts for a minute."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        # What the server showed, and when that was by the monotonic clock, which all processes of a
        # machine share. Both are set at once, as other threads read them.
        self._last: tuple[float, float] | None = None

    def set(self, shown: datetime) -> None:
        """Keep what the server's clock shows now.

        :param shown: the time, in naive UTC.
        """
        self._last = (shown.replace(tzinfo=UTC).timestamp(), time.monotonic())

    def seconds(self) -> float | None:
        """Return the server's time in seconds since 1970; ``None`` if it was not read lately.

        The time that passed here since it was read is added.
        """
        if self._last is None:
            return None
        shown_seconds, read_at = self._last
        age_seconds = time.monotonic() - read_at
        return shown_seconds + age_seconds if age_seconds <= _COUNTS_SECONDS else None


_readings: dict[Hashable, ClockReading] = {}


def reading_of(connection_key: Hashable) -> ClockReading:
    """Return the reading of a server.

    :param connection_key: of the configuration.
    """
    return _readings.setdefault(connection_key, ClockReading())


class HeartbeatClock(ServerHeartbeatListener):
    """Read the clock of the server that takes writes, whenever PyMongo checks that server.

    :param reading: keeps what is read.
    """

    def __init__(self, reading: ClockReading) -> None:
        self._reading = reading

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Keep what the server's clock shows."""
        shown = event.reply.document.get("localTime")
        if event.reply.is_writable and isinstance(shown, datetime):
            self._reading.set(shown)

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Do nothing: no clock was read."""

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """Do nothing: no clock was read."""
