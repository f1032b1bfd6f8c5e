"""The driver alone: what no session in MongoDB can be faster than."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from pymongo import monitoring
from pymongo.collection import Collection

from benchmarks.place import Client
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
        update = {"$set": {"session.visits": number}, "$max": _times()}
        self._sessions.update_one({"_id": cookie}, update)
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


class OneCommandFloor(Floor):
    """One command for a read: it moves the times of the document and returns it."""

    def read(self, cookie: str) -> object:
        """Move the times of the document and return it."""
        return _found(self._sessions.find_one_and_update({"_id": cookie}, {"$max": _times()}))


class SameCommandFloor(Floor):
    """The very command with which MongoSession reads, sent by PyMongo alone.

    It is recorded from a request of a site, and sent again with the times of the moment.

    :param sessions: where the documents are.
    :param update: the update of the recorded command.
    :param recorded: when it was recorded, in seconds since 1970.
    """

    def __init__(self, sessions: Documents, update: Any, recorded: float) -> None:
        super().__init__(sessions)
        self._update = update
        self._recorded = recorded
        self._moments = list(_moments(update))

    def read(self, cookie: str) -> object:
        """Send the command for another session and a later moment."""
        self._move_times()
        return _found(self._sessions.find_one_and_update({"_id": cookie}, self._update))

    def _move_times(self) -> None:
        # With the times of old it would change nothing, which costs the server less.
        elapsed = time.time() - self._recorded
        for holder, key, seconds in self._moments:
            if isinstance(seconds, float):
                holder[key] = seconds + elapsed
            else:
                holder[key] = datetime.fromtimestamp(seconds.timestamp() + elapsed, UTC)


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


def record_read(make_site: Callable[[Client], Site], url: str) -> tuple[Any, float]:
    """Return the update of the command with which a site reads a session, and when that was.

    :param make_site: makes the site, with the client that it is to use.
    :param url: the URL of the server.
    """
    recorder = _Recorder()
    with Client(url, event_listeners=[recorder]) as client:
        site = make_site(client)
        cookie = site.begin()
        recorder.commands.clear()
        site.read(cookie)
        (command,) = recorder.commands
    assert command["query"] == {"_id": session_id(cookie)}
    return command["update"], time.time()


class _Recorder(monitoring.CommandListener):
    # Only of the client that it is given to: all others would be slower for it.
    def __init__(self) -> None:
        self.commands: list[Any] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def _moments(node: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield where in a command times stand: seconds since 1970, and aware dates in UTC."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from _moments(item)
        elif isinstance(item, float):
            yield node, key, item
        elif isinstance(item, datetime):
            yield node, key, item.replace(tzinfo=UTC)


def _times() -> dict[str, Any]:
    seconds = time.time()
    expires = datetime.fromtimestamp(seconds + TIMEOUT_SECONDS, UTC)
    return {"session._accessed_time": seconds, "expires": expires}


def _found(document: Any) -> Any:
    if document is None:
        raise AssertionError("the session is not the one that was saved")
    return document
