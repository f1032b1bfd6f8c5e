"""The measured servers: temporary ones on 127.0.0.1."""

import importlib
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beaker_mongo_soajs.testing import MongoServer
from beaker_mongo_soajs.testing.process import free_port
from beaker_mongo_soajs.testing.watchdog import Watchdog
from benchmarks.environment import Client, Environment

_REDIS_SECONDS = 20.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Servers:
    """The running servers.

    :param mongo: the ``mongod``.
    :param redis_port: the port of Redis; ``None`` without Redis.
    :param versions: the versions of the servers, by name.
    :param place: the place for sites that connect without a proxy.
    """

    mongo: MongoServer
    redis_port: int | None
    versions: dict[str, str]
    place: Environment


@contextmanager
def servers() -> Iterator[Servers]:
    """Start the servers, and stop them afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        mongo = stack.enter_context(MongoServer())
        direct = stack.enter_context(Client(mongo.url))
        versions = {"MongoDB": mongo.version}
        redis_port = direct_redis = None
        program = shutil.which("redis-server")
        if program is not None and importlib.util.find_spec("redis") is not None:
            redis_port = stack.enter_context(_redis_server(program, folder))
            direct_redis = stack.enter_context(redis_client(redis_port))
            versions["Redis"] = _redis_version(program)
        place = Environment(
            mongo_url=mongo.url,
            redis_url=redis_url(redis_port),
            direct=direct,
            direct_redis=direct_redis,
            folder=folder,
            database="",
        )
        yield Servers(mongo, redis_port, versions, place)


def redis_url(port: int | None) -> str | None:
    """Return the URL of Redis on a port of 127.0.0.1; ``None`` without a port."""
    return None if port is None else f"redis://127.0.0.1:{port}/0"


def redis_client(port: int) -> Any:
    """Return a client of Redis on a port of 127.0.0.1.

    :param port: the port.
    """
    return importlib.import_module("redis").Redis(port=port)


def grow_cache(place: Environment, gigabytes: int) -> None:
    """Increase the cache of MongoDB, which is small in a temporary server.

    :param place: the servers.
    :param gigabytes: the new size.
    """
    setting = f"cache_size={gigabytes}G"
    place.direct.admin.command("setParameter", 1, wiredTigerEngineRuntimeConfig=setting)


@contextmanager
def _redis_server(program: str, folder: Path) -> Iterator[int]:
    port = free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    # Redis writes nothing to disk.
    command += ["--save", "", "--appendonly", "no", "--logfile", os.devnull]
    # The watchdog stops the server if this process is killed.
    watchdog = Watchdog(None)
    process = subprocess.Popen(command, start_new_session=True)
    try:
        watchdog.guard(process.pid)
        _wait_for_port(port, process)
        yield port
    finally:
        process.kill()
        process.wait()
        watchdog.guard(0)
        watchdog.close()


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _REDIS_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(_POLL_SECONDS)
        else:
            return
    raise RuntimeError("redis-server does not listen on its port. Check that it can be started.")


def _redis_version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    match = re.search(r"v=(\S+)", said.stdout)
    return match[1] if match else "unknown"
