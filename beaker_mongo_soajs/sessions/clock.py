"""The clock by which sessions count, and access times by other clocks."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME

_CLOCK_STEP_SECONDS = 1.0
"""A session that is just about to end does not end while it is loaded."""

_MOST_AHEAD_SECONDS = 60.0
"""By how much the clocks of two machines may differ, if one of them cannot be corrected."""


class Clock:
    """The server's clock, read from the clock of this machine.

    :param ahead: returns by how many seconds the clock of this machine is ahead; usually 0.
    """

    __slots__ = ("ahead",)

    def __init__(self, ahead: Callable[[], float] = float) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        """Return the time, in naive UTC."""
        ahead = self.ahead()
        return utc_now() - timedelta(seconds=ahead) if ahead else utc_now()

    def now_seconds(self) -> float:
        """Return the time, in seconds since 1970."""
        return time.time() - self.ahead()

    def stored(self, session: dict[Any, Any]) -> dict[Any, Any]:
        """Return a session with its access time by this clock; the session itself if it has that.

        :param session: a session with its access time by the clock of this machine.
        """
        ahead = self.ahead()
        return _shifted(session, -ahead) if ahead else session

    def local(self, session: dict[Any, Any]) -> dict[Any, Any]:
        """Return a session with its access time by the clock of this machine.

        :param session: a session as it is stored. If it has to be changed, a copy is.
        """
        ahead = self.ahead()
        return _shifted(session, ahead) if ahead else session

    def set_local_time(
        self, session: dict[Any, Any], timeout: float | None, late_seconds: float
    ) -> None:
        """Set the access time of a loaded session to one by the clock of this machine.

        If the session would seem to have ended only because its stored time is late, it is set to a
        time that it may have had.

        :param session: a session as it is stored.
        :param timeout: the idle timeout, if there is one.
        :param late_seconds: how late the stored time may be.
        """
        now = time.time()
        accessed_time = session[ACCESSED_TIME] + self.ahead()
        if lies_ahead(accessed_time, now):
            accessed_time = now
        if timeout is not None:
            earliest = now - timeout
            if accessed_time < earliest <= accessed_time + late_seconds:
                accessed_time = earliest + _CLOCK_STEP_SECONDS
        session[ACCESSED_TIME] = accessed_time


def lies_ahead(accessed_time: float, now: float) -> bool:
    """Check whether an access time lies in the future, because another clock was wrong.

    :param accessed_time: seconds since 1970.
    :param now: likewise.
    """
    return accessed_time > now + _MOST_AHEAD_SECONDS


def later_time(accessed_time: float, stored_time: float | None, now: float) -> float:
    """Return the later one of two access times; a stored one that lies ahead does not count.

    :param accessed_time: that of this request, in seconds since 1970.
    :param stored_time: the stored one.
    :param now: the time.
    """
    if stored_time is None or lies_ahead(stored_time, now):
        return accessed_time
    return max(accessed_time, stored_time)


def _shifted(session: dict[Any, Any], seconds: float) -> dict[Any, Any]:
    accessed_time = session.get(ACCESSED_TIME)
    if not isinstance(accessed_time, int | float):
        return session
    return session | {ACCESSED_TIME: accessed_time + seconds}
