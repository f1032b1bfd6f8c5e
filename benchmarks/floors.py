"""PyMongo alone, as a lower limit for the cost of sessions in MongoDB."""

import time
from datetime import UTC, datetime
from typing import Any

from pymongo.collection import Collection

from benchmarks.visits import TIMEOUT_SECONDS, Site, session_id

Documents = Collection[dict[str, Any]]


class Floor:
    """Read and write the session documents of this package with PyMongo.

    A cookie is a session id without a signature.

    :param sessions: the collection.
    """

    def __init__(self, sessions: Documents) -> None:
        self._sessions = sessions

    def read(self, cookie: str) -> object:
        """Find the document."""
        return _found(self._sessions.find_one({"_id": cookie}))

    def change(self, cookie: str, number: int) -> object:
        """Find the document, and set one number."""
        document = _found(self._sessions.find_one({"_id": cookie}))
        self._sessions.update_one({"_id": cookie}, {"$set": {"session.visits": number}})
        return document

    def log_in(self, cookie: str) -> str:
        """Raise an error: there is no login without sessions."""
        raise NotImplementedError

    def log_out(self, cookie: str) -> object:
        """Raise an error: there is no logout without sessions."""
        raise NotImplementedError


class TouchingFloor(Floor):
    """Read with two commands: one finds the document, another one moves its times."""

    def read(self, cookie: str) -> object:
        """Find the document, and move its times."""
        document = _found(self._sessions.find_one({"_id": cookie}))
        self._sessions.update_one({"_id": cookie}, {"$max": _times()})
        return document


class FloorSite:
    """A floor with the sessions of a site of this package.

    :param site: the site, which saves the sessions.
    :param floor: the floor, which reads and changes them.
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
    """A request that uses a floor, and then Beaker without a store.

    Together they cost more than separately: while the process waits for the server, other processes
    use the processor's caches, and the code after the wait is slower.

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
        """Read with the floor, and serve a request that reads its session."""
        return self._floor.read(cookie), self._beaker.read(self._cookie)

    def change(self, cookie: str, number: int) -> object:
        """Change with the floor, and serve a request that changes its session."""
        return self._floor.change(cookie, number), self._beaker.change(self._cookie, number)


def _times() -> dict[str, Any]:
    seconds = time.time()
    expires = datetime.fromtimestamp(seconds + TIMEOUT_SECONDS, UTC)
    return {"session._accessed_time": seconds, "expires": expires}


def _found(document: Any) -> Any:
    if document is None:
        raise AssertionError("the loaded session is not the saved one")
    return document
