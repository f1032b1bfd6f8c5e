"""A temporary replica set."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    """Several ``mongod`` processes on 127.0.0.1 that form a replica set.

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
        """Describe a replica set, without starting it.

        :param members: the number of servers; each has data and a vote.
        :param name: the name of the replica set.
        :param tags: the tags of the members in order, for read preferences; the others have none.
        :param args: as for :class:`MongoServer`, for each member.
        :param binary: as for :class:`MongoServer`.
        :param env: as for :class:`MongoServer`.
        :param for_tests: as for :class:`MongoServer`.
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
        """The URL of the whole replica set."""
        hosts = ",".join(_address(member) for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={self._name}"

    @property
    def primary(self) -> MongoServer:
        """The current primary. During an election, this waits for its result.

        :raises ServerError: there is no primary within a minute.
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
                self._stack.callback(member.close)
            with ThreadPoolExecutor(len(self.members)) as threads:
                list(threads.map(MongoServer.start, self.members))
            self._initiate()
            self._wait_for_members()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End all members and remove their folders. It can be called again."""
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
    """Return a member's answer to the ``hello`` command; an empty one if it does not answer.

    :param member: the member.
    """
    url = member.url
    try:
        with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=1000) as client:
            return client.admin.command("hello")
    except ConnectionFailure:
        return {}
