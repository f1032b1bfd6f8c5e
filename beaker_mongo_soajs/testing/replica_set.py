"""A throw-away replica set."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure

from beaker_mongo_soajs.testing.errors import ServerError
from beaker_mongo_soajs.testing.server import MongoServer

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
_ELECTION_TIMEOUT_MS = 2000


class ReplicaSet:
    """Several real ``mongod`` on 127.0.0.1 that replicate to each other.

    Use it as a context manager, or call :meth:`start` and :meth:`close`::

        with ReplicaSet(members=3) as replica_set:
            client = MongoClient(replica_set.url)
            replica_set.primary.kill()
    """

    def __init__(
        self,
        members: int = 3,
        *,
        name: str = "rs0",
        tags: Sequence[Mapping[str, str]] = (),
        args: Sequence[str] = (),
        binary: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        for_tests: bool = False,
    ) -> None:
        """Describe a replica set; nothing starts yet.

        :param members: how many servers, all of them with data and a vote.
        :param tags: the tags of the first, second … member, for read preferences; members without
            an entry have none.
        :param args: like ``binary``, ``env`` and ``for_tests`` as in :class:`MongoServer`, for
            each member.
        """
        if len(tags) > members:
            raise ValueError(f"tags for {len(tags)} members, but there are {members}")
        self._name = name
        self._tags = [*tags, *({} for _ in range(members - len(tags)))]
        self._stack = ExitStack()
        self.members = [
            MongoServer(args=args, binary=binary, env=env, replica_set=name, for_tests=for_tests)
            for _ in range(members)
        ]

    def __enter__(self) -> Self:
        """Start the replica set."""
        return self.start()

    def __exit__(self, *exception: object) -> None:
        """End all members and remove their folders."""
        self.close()

    @property
    def url(self) -> str:
        """The URL to connect with: to the whole set."""
        hosts = ",".join(_address(member) for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={self._name}"

    @property
    def primary(self) -> MongoServer:
        """The member that takes writes now, after waiting for an election where one is due.

        :raises ServerError: there is none within a minute.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            for member in self.members:
                if _hello(member).get("isWritablePrimary"):
                    return member
            time.sleep(_POLL_SECONDS)
        raise ServerError(f"the replica set has no primary after {_READY_SECONDS:g} s")

    def start(self) -> Self:
        """Start the members, and wait until one is primary and the others are secondaries.

        :returns: this replica set.
        :raises ServerError: a member does not start, or the set is not ready within a minute.
        """
        try:
            for member in self.members:
                self._stack.enter_context(member)
            self._initiate()
            self._wait_for_members()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End all members and remove their folders; a second call does nothing."""
        self._stack.close()

    def _initiate(self) -> None:
        members = [
            {"_id": number, "host": _address(member), "tags": dict(tags)}
            for number, (member, tags) in enumerate(zip(self.members, self._tags, strict=True))
        ]
        settings = {"electionTimeoutMillis": _ELECTION_TIMEOUT_MS}
        config = {"_id": self._name, "members": members, "settings": settings}
        with MongoClient[dict[str, Any]](self.members[0].url) as client:
            client.admin.command("replSetInitiate", config)

    def _wait_for_members(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            answers = [_hello(member) for member in self.members]
            ready = [answer.get("secondary", False) for answer in answers].count(True)
            if ready == len(answers) - 1 and any(a.get("isWritablePrimary") for a in answers):
                return
            time.sleep(_POLL_SECONDS)
        raise ServerError(f"the replica set is not ready after {_READY_SECONDS:g} s")


def _address(member: MongoServer) -> str:
    return f"127.0.0.1:{member.port}"


def _hello(member: MongoServer) -> dict[str, Any]:
    """Ask a member what it is.

    :returns: its answer; an empty one if it does not give any.
    """
    url = member.url
    try:
        with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=1000) as client:
            return client.admin.command("hello")
    except ConnectionFailure:
        return {}
