"""The process of the demo."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from pymongo.collection import Collection

from beaker_mongo_soajs.testing import MongodNotFound, MongoServer, find_mongod
from examples.demo.app import DATABASE
from examples.demo.shops import SESSION_COOKIE
from tests.conftest import Client
from tests.demo.support import text_of
from tests.testing.support import alive
from tests.waiting import wait_until

_ROOT = Path(__file__).resolve().parent.parent.parent


class Process:
    """``python -m examples.demo``, with a temporary folder of its own."""

    def __init__(self, folder: Path, **env: str) -> None:
        """Start it."""
        self.folder = folder
        inherited = {key: text for key, text in os.environ.items() if key != "MONGODB_URL"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "examples.demo"],
            cwd=_ROOT,
            env={**inherited, "PORT": "0", "TMPDIR": str(folder), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""

    def address(self) -> str:
        """Wait until it prints the address of the page."""
        assert self.process.stdout is not None
        while " to end it" not in self.said:
            line = self.process.stdout.readline()
            assert line, f"it ended: {self.process.communicate()[1]}"
            self.said += line
        match = re.search(r"http://127\.0\.0\.1:\d+/", self.said)
        assert match is not None
        return match[0]

    def mongod_pids(self) -> list[int]:
        """Return the process ids of its servers, which are stored with their data."""
        locks = self.folder.rglob("mongod.lock")
        return [int(text) for lock in locks if (text := lock.read_text().strip())]

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Send a signal, and return the exit code and the whole output."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=30)
        return self.process.returncode, self.said + output, errors


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Return a function that starts the demo; it ends with the test."""
    with ExitStack() as processes:

        def start(**env: str) -> Process:
            demo = Process(tmp_path, **env)
            processes.enter_context(demo.process)
            processes.callback(demo.process.kill)
            return demo

        yield start


@pytest.fixture
def _mongod() -> None:
    try:
        find_mongod()
    except MongodNotFound as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("_mongod")
class TestEmbeddedServer:
    """The demo with a MongoDB server of its own."""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_it_starts_serves_and_leaves_nothing(
        self, start_demo: Callable[..., Process], tmp_path: Path, number: int
    ) -> None:
        """It prints its address and serves; a signal ends it and removes its server and data."""
        demo = start_demo()
        with urlopen(demo.address()) as page:
            assert "1 visit to this page" in text_of(page.read().decode())
        (mongod,) = demo.mongod_pids()
        assert alive(mongod)
        code, output, errors = demo.end(number)
        assert (0, "") == (code, errors)
        assert "The demo has ended." in output
        assert not alive(mongod)
        assert [] == list(tmp_path.iterdir())

    def test_it_can_be_ended_while_it_starts(
        self, start_demo: Callable[..., Process], tmp_path: Path
    ) -> None:
        """Ctrl-C also ends it before its server is ready."""
        demo = start_demo()
        wait_until(lambda: any(tmp_path.rglob("mongod.log")), 30)
        code, _, errors = demo.end()
        assert (0, "") == (code, errors)
        assert [] == list(tmp_path.iterdir())


class TestGivenServer:
    """The demo with a running MongoDB server."""

    @pytest.fixture
    def sessions(self, mongo_client: Client) -> Collection[dict[str, Any]]:
        """Return the collection of the demo, which may contain other sessions."""
        return mongo_client[DATABASE].sessions

    def test_it_uses_the_server_and_leaves_it_running(
        self,
        start_demo: Callable[..., Process],
        sessions: Collection[dict[str, Any]],
        mongo_url: str,
        tmp_path: Path,
    ) -> None:
        """Sessions are kept in a database of that server; no server is started or stopped."""
        demo = start_demo(MONGODB_URL=mongo_url)
        with urlopen(demo.address()) as page:
            cookies = SimpleCookie("; ".join(page.headers.get_all("Set-Cookie")))
        assert [] == list(tmp_path.iterdir())
        code, output, errors = demo.end()
        assert (0, "") == (code, errors)
        assert f"{DATABASE}.sessions" in output
        assert 1 == sessions.delete_one({"_id": cookies[SESSION_COOKIE].value[40:]}).deleted_count

    def test_the_next_free_port_is_taken(
        self, start_demo: Callable[..., Process], mongo_url: str
    ) -> None:
        """If the port is in use, a later one is used and printed."""
        with socket.create_server(("127.0.0.1", 0)) as occupied:
            port = occupied.getsockname()[1]
            demo = start_demo(MONGODB_URL=mongo_url, PORT=str(port))
            address = demo.address()
            found = int(address.rstrip("/").rpartition(":")[2])
            assert port < found <= port + 50
            with urlopen(f"{address}static/icon.svg") as page:
                assert 200 == page.status

    def test_no_password_is_printed_or_shown(
        self, start_demo: Callable[..., Process], mongo_server: MongoServer
    ) -> None:
        """Only the servers of a URL with a password are shown, even if it is refused."""
        password = secrets.token_hex(8)
        url = f"mongodb://ann:{password}@127.0.0.1:{mongo_server.port}/"
        output, errors = start_demo(MONGODB_URL=url).process.communicate(timeout=30)
        assert "MongoDB refused the user in MONGODB_URL. Check the name, the password" in errors
        assert password not in output + errors


class TestMistakes:
    """Wrong settings end the demo with one sentence."""

    @pytest.mark.parametrize(
        ("env", "sentence"),
        [
            ({"PORT": "http"}, "PORT cannot be 'http'. Set it to a number from 0 to 65535."),
            ({"PORT": "65536"}, "PORT cannot be '65536'. Set it to a number from 0 to 65535."),
            ({"MONGODB_URL": "mongodb://127.0.0.1:1/"}, "MongoDB does not answer. Check MONGODB"),
            (
                {"MONGODB_URL": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50"},
                "MongoDB does not answer. Check MONGODB",
            ),
            ({"MONGODB_URL": "http://127.0.0.1/"}, "url"),
            ({"MONGOD": "nowhere"}, "MONGOD names nowhere"),
            ({"REPLICAS": "many"}, "REPLICAS cannot be 'many'. Set it to a number from 1 to 7."),
        ],
    )
    def test_one_sentence(
        self, start_demo: Callable[..., Process], env: dict[str, str], sentence: str
    ) -> None:
        """The sentence names the variable and the remedy, and there is no traceback."""
        demo = start_demo(**env)
        output, errors = demo.process.communicate(timeout=30)
        assert 1 == demo.process.returncode
        assert "" == output
        assert sentence in errors
        assert 1 == errors.count("\n")
