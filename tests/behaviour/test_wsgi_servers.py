"""Sessions under real WSGI servers with two worker processes each.

Each worker listens at an address of its own, so that a test chooses the process of each request.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import ClassVar

import pytest

from tests.frameworks.contract import LockedVisitsContract
from tests.frameworks.signed import PROCESS
from tests.frameworks.workers import Worker
from tests.waiting import wait_until

_START_SECONDS = 60.0
_ADDRESS = re.compile(r"127\.0\.0\.1:[1-9]\d*")
# The warnings of PyMongo and Python when a client is used across a fork.
_FORK_WARNING = re.compile("before fork|multi-threaded")


class ServerContract(LockedVisitsContract):
    """The promises of sessions under each server."""

    application = "tests.frameworks.signed:application"

    def test_two_processes_answer(self, workers: list[str]) -> None:
        """Each address belongs to one process, and the two processes differ."""
        answers = [[self._answering(address) for _ in range(3)] for address in workers]
        processes = [set(pids) for pids in answers]
        assert [1, 1] == [len(pids) for pids in processes]
        assert 2 == len(set.union(*processes))

    def _answering(self, address: str) -> str:
        with closing(HTTPConnection(address.removeprefix("http://"), timeout=60)) as connection:
            # This page does not exist, so no session is created.
            connection.request("GET", "/nowhere")
            pid = connection.getresponse().headers[PROCESS]
        assert pid is not None
        return pid


class TestWaitress(ServerContract):
    """Two processes of waitress, which has threads only."""


class ForkingServerContract(ServerContract):
    """The promises of sessions under a server that forks; a subclass gives the command."""

    @classmethod
    def forking_command(cls, folder: Path) -> list[str]:
        """Return the command that serves on two free ports, one for each of two workers.

        :param folder: a folder for its files.
        """
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def workers(
        cls, mongo_url: str, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[list[str]]:
        """Run the server, and yield the addresses of its workers."""
        folder = tmp_path_factory.mktemp("server")
        # gunicorn 25 and later create a socket there.
        env = {"MONGODB_URL": mongo_url, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        server = Worker(cls.forking_command(folder), env, folder / "log")
        try:
            wait_until(lambda: len(_addresses(server)) == 2, _START_SECONDS)
            yield _addresses(server)
        finally:
            server.end()
        assert None is _FORK_WARNING.search(server.log), server.log


def _addresses(server: Worker) -> list[str]:
    return [f"http://{address}" for address in dict.fromkeys(_ADDRESS.findall(server.log))]


class GunicornContract(ForkingServerContract):
    """gunicorn."""

    worker_class: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()

    # Each worker uses one of the sockets that the master opened.
    CONFIGURATION = """
def post_fork(server, worker):
    worker.sockets = [worker.sockets[worker.age % len(worker.sockets)]]
"""

    @classmethod
    def forking_command(cls, folder: Path) -> list[str]:
        """Return the command, with a configuration file."""
        configuration = folder / "gunicorn.conf.py"
        configuration.write_text(cls.CONFIGURATION)
        return [
            *(sys.executable, "-m", "gunicorn", "--config", str(configuration)),
            *("--worker-class", cls.worker_class, "--workers", "2", *cls.options),
            *("--bind", "127.0.0.1:0", "--bind", "127.0.0.1:0", cls.application),
        ]


class TestGunicornSync(GunicornContract):
    """gunicorn with workers that serve one request at a time."""

    worker_class = "sync"


class TestGunicornThreads(GunicornContract):
    """gunicorn with workers that have threads."""

    worker_class = "gthread"
    options = ("--threads", "4")


class TestGunicornGevent(GunicornContract):
    """gunicorn with workers that have greenlets."""

    worker_class = "gevent"


class TestGunicornPreload(GunicornContract):
    """gunicorn with --preload, which imports the application before it forks."""

    worker_class = "gthread"
    options = ("--threads", "4", "--preload")


class UwsgiContract(ForkingServerContract):
    """uWSGI, which imports the application before it forks."""

    options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def forking_command(cls, folder: Path) -> list[str]:
        """Return the command, which maps each socket to a worker."""
        return [
            *(sys.executable, "-c", "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])"),
            # uWSGI puts the current folder first on the path; it must not be the working tree.
            *("--chdir", str(folder), "--master", "--processes", "2", *cls.options),
            *("--http-socket", "127.0.0.1:0", "--http-socket", "127.0.0.1:0"),
            *("--map-socket", "0:1", "--map-socket", "1:2"),
            # By default, uWSGI sends no response if an application fails.
            *("--need-app", "--die-on-term", "--catch-exceptions", "--module", cls.application),
        ]


class TestUwsgi(UwsgiContract):
    """uWSGI with its defaults: no other thread runs between requests."""


class TestUwsgiThreads(UwsgiContract):
    """uWSGI with threads, as PyMongo's documentation recommends."""

    options = ("--enable-threads", "--threads", "4")
