"""A check of the server, the user, the collection and the clock that a configuration names.

It writes nothing. For the rights and the write concern, it sends an update that no document
matches.
"""

import errno
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pymongo
from pymongo import MongoClient, ReadPreference
from pymongo.errors import OperationFailure

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.start_warnings import find_start_warnings
from beaker_mongo_soajs.exceptions import BeakerMongoError, ConfigError
from beaker_mongo_soajs.mongo.client import temporary_client
from beaker_mongo_soajs.mongo.collection_check import check_collection
from beaker_mongo_soajs.mongo.documents import CODEC_OPTIONS, Document, utc_now
from beaker_mongo_soajs.mongo.errors import DRIVER_ERRORS, translated
from beaker_mongo_soajs.mongo.findings import Finding, failed, ok, problem, warning
from beaker_mongo_soajs.mongo.login import UNAUTHORIZED, find_rights_hint, is_login_refused

_OLDEST_VERSION = (4, 4)
_CLOCK_SECONDS = 2.0
_WRONG_CLOCK_SECONDS = 60.0
_LOOPBACK = ("127.", "localhost", "[::1]", "::1", "/")
_ACTIONS = ("find", "insert", "update", "remove")

Client = MongoClient[Document]


def check_setup(config: DbConfig, wait_seconds: float) -> Iterator[Finding]:
    """Check the set-up that a configuration describes, one thing after the other.

    :param config: the configuration.
    :param wait_seconds: how long to wait for each answer.
    :returns: what was found, as it is found. After a failure without which nothing else can be
        checked, there are no more findings.
    """
    where = config.explain().splitlines()[0]
    yield ok("configuration", where)
    for text in find_start_warnings(config):
        sentence, _, remedy = text.partition(". ")
        yield warning("configuration", f"{sentence}.", remedy)
    try:
        with temporary_client(config) as client:
            yield from _Check(config, client, wait_seconds).run()
    except ConfigError as error:
        yield failed("configuration", error)


class _Stop(Exception):
    """Nothing else can be checked."""


class _Check:
    def __init__(self, config: DbConfig, client: Client, wait_seconds: float) -> None:
        self._config = config
        self._client = client
        self._wait_seconds = wait_seconds
        self._namespace = f"{config.database}.{config.collection}"
        self._hello: Document = {}
        self._clock = timedelta()

    def run(self) -> Iterator[Finding]:
        """Yield what each step finds."""
        steps = (self._connection, self._version, self._login, self._rights, self._members)
        try:
            for step in steps:
                yield from step()
            yield from self._run("collection", lambda: check_collection(self._config, self._client))
            yield self._clock_finding()
        except _Stop:
            return

    def _run(self, topic: str, check: Callable[[], list[Finding]]) -> list[Finding]:
        """Return the findings of a check, or its failure."""
        try:
            with pymongo.timeout(self._wait_seconds):
                return check()
        except DRIVER_ERRORS as error:
            return [failed(topic, self._translated(error))]

    def _ask(self, name: str, **more: Any) -> Document:
        with pymongo.timeout(self._wait_seconds):
            return self._client.admin.command(
                {name: 1, **more},
                codec_options=CODEC_OPTIONS,
                read_preference=ReadPreference.NEAREST,
            )

    def _translated(self, error: Exception) -> BeakerMongoError:
        return translated(error, self._namespace, reads=True, config=self._config)

    def _connection(self) -> Iterator[Finding]:
        try:
            self._ask("hello")
            start = time.monotonic()
            before = utc_now()
            self._hello = self._ask("hello")
            seconds = time.monotonic() - start
        except DRIVER_ERRORS as error:
            if is_login_refused(error):
                yield ok("connection", f"{self._servers()} answers")
                yield failed("authentication", self._translated(error))
            else:
                yield self._unreachable(error)
            raise _Stop from None
        self._clock = self._hello["localTime"] - (before + timedelta(seconds=seconds / 2))
        yield ok("connection", f"{self._servers()} answers in {seconds * 1000:.0f} ms")

    def _unreachable(self, error: Exception) -> Finding:
        wanted = self._config.keywords.get("replicaSet")
        found = self._find_set_name() if wanted else None
        if found is not None and found != wanted:
            name = f"the replica set {found}" if found else "no replica set"
            return problem(
                "connection",
                f"URLParam.replicaSet is {wanted}, but the server belongs to {name}.",
                f"Set URLParam.replicaSet to {found}." if found else "Remove URLParam.replicaSet.",
            )
        finding = failed("connection", self._translated(error))
        remedy = self._find_remedy(str(error))
        return finding._replace(remedy=remedy) if remedy else finding

    def _find_remedy(self, reason: str) -> str | None:
        """Return what to do about a server that cannot be reached, if the reason says that."""
        option = "servers" if self._config.url is None else "url"
        if self._config.client is not None:
            option = "the servers of the client"
        if f"[Errno {errno.ECONNREFUSED}]" in reason:
            return f"Start mongod, or correct {option}."
        if f"[Errno {socket.EAI_NONAME}]" in reason:
            return f"Correct the host in {option}."
        return None

    def _find_set_name(self) -> str | None:
        """Return the name of the first server's replica set; ``None`` if it does not answer."""
        if not self._config.servers or self._config.keywords.get("tls"):
            return None
        host, port = self._config.servers[0]
        try:
            with (
                pymongo.timeout(self._wait_seconds),
                Client(host, port, directConnection=True) as client,
            ):
                return str(client.admin.command("hello").get("setName", ""))
        except DRIVER_ERRORS:
            return None

    def _servers(self) -> str:
        return ", ".join(
            host if port is None else f"{host}:{port}" for host, port in self._config.servers
        ) or ("the server" if self._config.client is None else "the client's server")

    def _version(self) -> Iterator[Finding]:
        try:
            info = self._ask("buildInfo")
        except DRIVER_ERRORS as error:
            yield failed("version", self._translated(error))
            return
        version = f"MongoDB {info['version']}"
        if tuple(info.get("versionArray", _OLDEST_VERSION))[:2] < _OLDEST_VERSION:
            yield warning(
                "version",
                f"{version} was never tested.",
                "Use MongoDB 4.4 or later.",
            )
        else:
            yield ok("version", version)

    def _login(self) -> Iterator[Finding]:
        try:
            with pymongo.timeout(self._wait_seconds):
                self._sessions(ReadPreference.NEAREST).find_one({"_id": ""})
        except DRIVER_ERRORS as error:
            code = error.code if isinstance(error, OperationFailure) else None
            if code == UNAUTHORIZED and self._config.credentials is None:
                yield problem(
                    "authentication",
                    "The server requires a login, and no credentials are configured.",
                    find_rights_hint(self._config).removeprefix("No credentials are configured: "),
                )
                raise _Stop from None
        if self._config.credentials is not None or "authMechanism" in self._config.keywords:
            source = self._config.auth_source
            yield ok("authentication", f"logged in by {source}" if source else "logged in")
        elif all(host.startswith(_LOOPBACK) for host, _ in self._config.servers):
            yield ok("authentication", "none; the server is on this machine")
        else:
            yield warning(
                "authentication",
                "The server requires no login: everybody who reaches it can read all sessions.",
                "Turn on its access control, and set credentials.",
            )

    def _rights(self) -> Iterator[Finding]:
        try:
            status = self._ask("connectionStatus", showPrivileges=True)["authInfo"]
        except (*DRIVER_ERRORS, KeyError):
            return
        if not status.get("authenticatedUsers"):
            yield ok("rights", "all, without a login")
            return
        wanted = [*_ACTIONS, *(["createIndex"] if self._config.store.create_indexes else [])]
        granted = _granted(
            status.get("authenticatedUserPrivileges", []),
            self._config.database,
            self._config.collection,
        )
        missing = [action for action in wanted if action not in granted]
        if missing:
            yield problem(
                "rights",
                f"The user must not {', '.join(missing)} on {self._namespace}.",
                find_rights_hint(self._config),
            )
        else:
            yield ok("rights", ", ".join(wanted))

    def _members(self) -> Iterator[Finding]:
        concern = self._client.write_concern.document
        w = concern.get("w", "the default")
        try:
            with pymongo.timeout(self._wait_seconds):
                self._sessions(ReadPreference.PRIMARY).update_one(
                    {"_id": ""}, {"$set": {"session": {}}}
                )
        except DRIVER_ERRORS as error:
            if isinstance(error, OperationFailure) and error.code == UNAUTHORIZED:
                # The check of the rights has found that.
                return
            name = self._hello.get("setName")
            if name and not isinstance(error, OperationFailure):
                yield problem(
                    "replica set",
                    f"The replica set {name} has no primary, so no session can be saved.",
                    "Look at rs.status(): more than half of the members have to be running.",
                )
                raise _Stop from None
            yield failed("write concern", self._translated(error))
            return
        yield from self._describe_members(w)

    def _describe_members(self, w: object) -> Iterator[Finding]:
        name = self._hello.get("setName")
        members = len(self._hello.get("hosts", []))
        if self._hello.get("msg") == "isdbgrid":
            yield ok("replica set", "a sharded cluster")
        elif name is None:
            yield warning(
                "replica set",
                "The server is standalone: while it is down, no session can be used.",
                "Use a replica set in production.",
            )
            return
        elif members < 3:
            yield warning(
                "replica set",
                f"{name} has {members} of the three members that survive the loss of one.",
                "Use three members or more in production.",
            )
        else:
            yield ok("replica set", f"{name}, {members} members, one is primary")
        if w == 1:
            yield warning(
                "write concern",
                "w is 1: a failover can undo saves that were confirmed.",
                "Set URLParam.w to majority.",
            )
        else:
            yield ok("write concern", f"w is {w}")

    def _clock_finding(self) -> Finding:
        seconds = abs(self._clock.total_seconds())
        text = f"{seconds:.1f} s between this machine and the server"
        remedy = "Synchronize the clocks of both with NTP."
        if seconds <= _CLOCK_SECONDS:
            return ok("clock", text)
        if seconds <= _WRONG_CLOCK_SECONDS:
            return warning("clock", text, remedy)
        return problem("clock", f"{text}: cookies and other programs use a wrong time.", remedy)

    def _sessions(self, read_preference: Any) -> pymongo.collection.Collection[Document]:
        return self._client[self._config.database].get_collection(
            self._config.collection, read_preference=read_preference
        )


def _granted(privileges: list[Document], database: str, collection: str) -> set[str]:
    """Return the actions that privileges allow on a collection."""
    actions: set[str] = set()
    for privilege in privileges:
        resource = privilege.get("resource", {})
        fits = resource.get("anyResource") or (
            resource.get("db") in ("", database) and resource.get("collection") in ("", collection)
        )
        if fits:
            actions.update(privilege.get("actions", []))
    return actions
