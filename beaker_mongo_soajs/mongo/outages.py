"""Outages: one line a minute in the log, and how a process notices that one is over."""

import logging
import os
import threading
import time
from collections.abc import Callable, Hashable

from beaker_mongo_soajs.exceptions import BeakerMongoError, StoreUnavailable
from beaker_mongo_soajs.log_records import warn

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0


class OutageLog:
    """Log that the database does not answer, at most once a minute.

    :param logger: the logger.
    :param consequence: what the outage means, as a sentence.
    """

    def __init__(self, logger: logging.Logger, consequence: str) -> None:
        self._logger = logger
        self._consequence = consequence

    def report(self, error: Exception) -> None:
        """Log an error, at most once a minute.

        :param error: the error of a command.
        """
        warn(self._logger, f"{self._consequence} %s", error, event="store.unavailable")


class Outages:
    """Remember that the database does not answer, until it does.

    While an outage lasts, a thread asks again, so that no request has to wait in order to find out.

    :param probe: sends a command; raises :class:`~beaker_mongo_soajs.StoreUnavailable` if the
        database does not answer.
    """

    def __init__(self, probe: Callable[[], object]) -> None:
        self._probe = probe
        # By process: a forked child inherits no thread.
        self._lasting: dict[int, object] = {}

    @property
    def lasts(self) -> bool:
        """Tell whether an outage lasts."""
        return bool(self._lasting) and os.getpid() in self._lasting

    def begin(self) -> None:
        """Note that the database did not answer."""
        claim = object()
        # setdefault is atomic: of the threads that come together, one starts the other thread.
        if self._lasting.setdefault(os.getpid(), claim) is not claim:
            return
        thread = threading.Thread(target=self._run, name="beaker_mongo_soajs-outage", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # At the end of an interpreter, or at a limit of the system: requests find out.
            self._lasting.pop(os.getpid(), None)

    def _run(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            time.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            try:
                self._probe()
            except StoreUnavailable:
                continue
            except BeakerMongoError:
                # The database answers, whatever it says.
                pass
            self._lasting.pop(os.getpid(), None)
            return


_outages: dict[Hashable, Outages] = {}


def outages_of(connection: Hashable, probe: Callable[[], object]) -> Outages:
    """Return what is known of the outages of one connection.

    :param connection: the connection.
    :param probe: as for :class:`Outages`; only the first one is used.
    """
    found = _outages.get(connection)
    return found if found is not None else _outages.setdefault(connection, Outages(probe))
