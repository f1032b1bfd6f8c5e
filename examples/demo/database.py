"""The MongoDB servers of the demo: one that is running already, or its own, which it can stop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from beaker_mongo_soajs.testing import MongoServer, ReplicaSet, ServerError

_MOST_MEMBERS = 7


class Database(Protocol):
    """The servers.

    For the page: the labels of the switch, and the message after it stopped a server.
    """

    url: str
    stop_label: str
    start_label: str
    stopped: str

    @property
    def can_stop(self) -> bool:
        """Whether the demo may stop a server."""

    @property
    def is_whole(self) -> bool:
        """Whether all servers run."""

    def stop(self) -> None:
        """Stop the server; of a replica set, kill the primary."""

    def start(self) -> None:
        """Start what was stopped."""


class GivenDatabase:
    """The server at ``MONGODB_URL``, which is never stopped."""

    stop_label = start_label = stopped = ""
    can_stop = False
    is_whole = True

    def __init__(self, url: str) -> None:
        self.url = url

    def stop(self) -> None:
        """Do nothing."""

    def start(self) -> None:
        """Do nothing."""


class OwnDatabase:
    """A server of the demo's own."""

    stop_label, start_label = "Stop MongoDB", "Start MongoDB"
    stopped = "The server has stopped. This page still answers."
    can_stop = True

    def __init__(self, server: MongoServer) -> None:
        self._server = server
        self.url = server.url

    @property
    def is_whole(self) -> bool:
        """Whether the server runs."""
        return self._server.running

    def stop(self) -> None:
        """Stop the server. Its data are kept."""
        self._server.stop()

    def start(self) -> None:
        """Start the server on the same port."""
        if not self._server.running:
            self._server.start()


class OwnReplicaSet:
    """A replica set of the demo's own."""

    stop_label, start_label = "Kill the primary", "Start the killed member"
    stopped = (
        "The primary is killed. The other members elect a new one, and this page still answers."
    )
    can_stop = True

    def __init__(self, replica_set: ReplicaSet) -> None:
        self._set = replica_set
        self.url = replica_set.url

    @property
    def is_whole(self) -> bool:
        """Whether all members run."""
        return all(member.running for member in self._set.members)

    def stop(self) -> None:
        """Kill the primary. The other members elect a new one."""
        if self.is_whole:
            self._set.primary.kill()

    def start(self) -> None:
        """Start the killed member again."""
        for member in self._set.members:
            if not member.running:
                member.start()


@contextmanager
def open_database() -> Iterator[Database]:
    """Provide the server at ``MONGODB_URL``, or own ones: ``REPLICAS`` members, by default one.

    :raises ServerError: a server cannot be started, or ``REPLICAS`` is not valid.
    """
    url, text = os.environ.get("MONGODB_URL"), os.environ.get("REPLICAS", "1")
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_MEMBERS:
        raise ServerError(
            f"REPLICAS cannot be {text!r}. Set it to a number from 1 to {_MOST_MEMBERS}."
        )
    if url:
        yield GivenDatabase(url)
    elif int(text) == 1:
        with MongoServer() as server:
            yield OwnDatabase(server)
    else:
        with ReplicaSet(int(text)) as replica_set:
            yield OwnReplicaSet(replica_set)
