"""Outages in the log: a line a minute, however many requests they touch."""

import logging
import time

_PAUSE_SECONDS = 60.0


class OutageLog:
    """Report that the database does not answer, at most once a minute.

    :param logger: where to.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._next = float("-inf")

    def report(self, error: Exception) -> None:
        """Log an error, unless one was logged within the last minute.

        :param error: what a request met.
        """
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PAUSE_SECONDS
            self._logger.warning("Requests go on without their sessions. %s", error)
