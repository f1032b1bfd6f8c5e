"""The driver alone: what no session in MongoDB can be faster than."""

import time
from datetime import UTC, datetime
from typing import Any

from pymongo.collection import Collection

from benchmarks.visits import TIMEOUT_SECONDS, Site, session_id

Documents = Collection[dict[str, Any]]


class Floor:
    """The session documents of a site of this package, read and written by PyMongo.

    A cookie is the session's id, without a signature. There is nothing else to a visit.

    :param sessions: where the documents are.
    """

    def __init__(self, sessions: Documents) -> None:
        self._sessions = sessions

    def read(self, cookie: str) -> object:
        """Find the document."""
        return _found(self._sessions.find_one({"_id": cookie}))

    def change(self, cookie: str, number: int) -> object:
        """Find the document, and set one number in it."""
        document = _found(self._sessions.find_one({"_id": cookie}))
        self._sessions.update_one({"_id": cookie}, {"$set": {"session.visits": number}})
        return document

    def log_in(self, cookie: str) -> str:
        """Refuse: what a login is, is not the driver's business."""
        raise NotImplementedError

    def log_out(self, cookie: str) -> object:
        """Refuse: what a logout is, is not the driver's business."""
        raise NotImplementedError


class TouchingFloor(Floor):
    """Two commands for a read: one finds the document, another one moves its times."""

    def read(self, cookie: str) -> object:
        """Find the document, and move its times."""
        document = _found(self._sessions.find_one({"_id": cookie}))
        self._sessions.update_one({"_id": cookie}, {"$max": _times()})
        return document


class FloorSite:
    """A floor, whose sessions a site of this package saves.

    :param site: saves them.
    :param floor: reads and writes them.
    """

    def __init__(self, site: Site, floor: Floor) -> None:
        self._site = site
        self.read = floor.read
        self.change = floor.change
        self.log_in = floor.log_in
        self.log_out = floor.log_out

    def begin(self) -> str:
        """Save a session, and return its id."""
        return session_id(self._site.begin())


class WithBeaker:
    """A floor, and Beaker without a store, one after the other in one request.

    Both together cost more than each for itself: while a process waits for the server, others use
    the processor's caches, and what comes then is slower for it.

    :param floor: the floor.
    :param beaker: a site with Beaker's ``memory``.
    """

    def __init__(self, floor: FloorSite, beaker: Site) -> None:
        self._floor = floor
        self._beaker = beaker
        self._cookie = beaker.begin()
        self.begin = floor.begin
        self.log_in = floor.log_in
        self.log_out = floor.log_out

    def read(self, cookie: str) -> object:
        """Do what the floor does, and serve a request that looks at its session."""
        return self._floor.read(cookie), self._beaker.read(self._cookie)

    def change(self, cookie: str, number: int) -> object:
        """Do what the floor does, and serve a request that changes its session."""
        return self._floor.change(cookie, number), self._beaker.change(self._cookie, number)


def _times() -> dict[str, Any]:
    seconds = time.time()
    expires = datetime.fromtimestamp(seconds + TIMEOUT_SECONDS, UTC)
    return {"session._accessed_time": seconds, "expires": expires}


def _found(document: Any) -> Any:
    if document is None:
        raise AssertionError("the session is not the one that was saved")
    return document
