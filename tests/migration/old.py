"""Old backends with their servers, filled by Beaker's own Session."""

import itertools
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import memcache
import pytest
import redis
import sqlalchemy
from beaker.ext.database import DatabaseNamespaceManager
from beaker.ext.memcached import MemcachedNamespaceManager
from beaker.ext.mongodb import MongoNamespaceManager
from beaker.ext.redisnm import RedisNamespaceManager
from pymongo import MongoClient

from beaker_mongo_soajs.testing.process import free_port
from tests.application import Site
from tests.conftest import Options
from tests.waiting import wait_until

TYPES = ("ext:database", "file", "dbm", "ext:mongodb", "ext:redis", "ext:memcached")
LISTED = tuple(kind for kind in TYPES if kind != "ext:memcached")
_numbers = itertools.count()


class Old(NamedTuple):
    """An old backend.

    :param options: Beaker's options for it.
    :param source: the same as ``store.migrateFrom``.
    :param number: returns the number of its sessions.
    """

    options: Options
    source: Options
    number: Callable[[], int]

    def site(self, **more: Any) -> Site:
        """Return the old application."""
        return Site(self.options | more)

    def cookie(self, values: dict[str, Any], **more: Any) -> str:
        """Store a session in the old backend; return its cookie."""
        visitor = self.site(**more).visitor()
        visitor.save_items(values)
        assert visitor.cookie is not None
        return visitor.cookie


@contextmanager
def program(name: str, *arguments: str, port: int) -> Iterator[None]:
    """Run a server on a port of 127.0.0.1, or skip the test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}: install it from the packages of the system")

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with subprocess.Popen([path, *arguments], stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(listens, 20)
            yield
        finally:
            process.kill()


class OldServers:
    """The servers of old backends, each started when it is needed first."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._ports: dict[str, int] = {}
        self._memcached = stack.enter_context(ExitStack())

    def port(self, name: str) -> int:
        """Return the port of a server."""
        if name == "memcached":
            # It counts entries that were flushed, so each test gets a new one.
            self._memcached.close()
            port = free_port()
            arguments = ("-p", str(port), "-l", "127.0.0.1", "-u", "nobody")
            self._memcached.enter_context(program(name, *arguments, port=port))
            return port
        if name not in self._ports:
            port = free_port()
            arguments = ("--port", str(port), "--save", "", "--bind", "127.0.0.1")
            self._stack.enter_context(program(name, *arguments, port=port))
            self._ports[name] = port
        return self._ports[name]


def open_old(kind: str, folder: Path, mongo_url: str, servers: OldServers) -> Old:
    """Return an empty old backend.

    :param kind: Beaker's type of it.
    :param folder: an empty folder.
    :param mongo_url: the URL of a MongoDB server.
    :param servers: starts other servers.
    """
    number = next(_numbers)
    if kind == "ext:database":
        url = f"sqlite:///{folder}/old.db"
        options: Options = {"type": kind, "url": url, "lock_dir": str(folder)}
        return Old(options, {"type": kind, "url": url}, lambda: _count_rows(url))
    if kind in ("file", "dbm"):
        options = {"type": kind, "data_dir": str(folder)}
        inner = folder / f"container_{kind}"
        return Old(
            options,
            {"type": kind, "dataDir": str(folder)},
            lambda: len({path.name.partition(".")[0] for path in inner.rglob("*.*")}),
        )
    if kind == "ext:mongodb":
        url = f"{mongo_url.partition('?')[0]}old_{number}_{free_port()}?directConnection=true"
        return Old({"type": kind, "url": url}, {"type": kind, "url": url}, lambda: _count_old(url))
    if kind == "ext:redis":
        url = f"redis://127.0.0.1:{servers.port('redis-server')}/{number % 16}"
        with redis.Redis.from_url(url) as keys:
            keys.flushdb()
        return Old({"type": kind, "url": url}, {"type": kind, "url": url}, lambda: _count_keys(url))
    url = f"127.0.0.1:{servers.port('memcached')}"
    options = {"type": kind, "url": url, "lock_dir": str(folder)}
    return Old(options, {"type": kind, "url": url}, lambda: _count_items(url))


def _count_keys(url: str) -> int:
    with redis.Redis.from_url(url) as keys:
        return int(keys.dbsize())


def _count_items(url: str) -> int:
    client = memcache.Client([url])
    stats = client.get_stats()
    client.disconnect_all()
    return int(stats[0][1]["curr_items"])


def forget_beaker_clients() -> None:
    """Close the connections that Beaker's backends keep for ever."""
    for client in [
        *RedisNamespaceManager.clients.dict.values(),
        *MongoNamespaceManager.clients.dict.values(),
    ]:
        client.close()
    for client in MemcachedNamespaceManager.clients.dict.values():
        client.disconnect_all()
    for engine in DatabaseNamespaceManager.binds.dict.values():
        engine.dispose()
    for clients in (
        RedisNamespaceManager.clients,
        MongoNamespaceManager.clients,
        MemcachedNamespaceManager.clients,
        DatabaseNamespaceManager.binds,
        DatabaseNamespaceManager.tables,
    ):
        clients.clear()


def _count_rows(url: str) -> int:
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        count: int = connection.execute(
            sqlalchemy.text("SELECT COUNT(*) FROM beaker_cache")
        ).scalar_one()
    engine.dispose()
    return count


def _count_old(url: str) -> int:
    with MongoClient[dict[str, Any]](url) as client:
        return client.get_default_database().backer_cache.count_documents({})
