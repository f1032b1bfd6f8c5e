"""What every test may ask for: a real server, a fresh database, its commands, faults in it."""

import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hypothesis
import pymongo
import pytest
from beaker.session import Session
from pymongo import MongoClient, monitoring
from pymongo.database import Database

import beaker_mongo_soajs
from beaker_mongo_soajs import MongoSession
from beaker_mongo_soajs.testing import MongodNotFound, MongoServer, find_mongod
from tests.effort import effort
from tests.faults import fail_point as open_fail_point
from tests.proxy import TcpProxy
from tests.recorder import Commands, Recorder
from tests.waiting import wait_for_indexes

pytest_plugins = ["pytester", "tests.leaks", "tests.promises", "tests.run_record"]

# A deadline for one example would measure the load of the machine, not the code.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")

# Other processes import the package from where it was imported here, installed or not, and the
# tests from beside this file. The current folder may hold another state of the package.
IMPORTS = {
    "PYTHONPATH": os.pathsep.join(
        str(Path(path).resolve().parent.parent) for path in (beaker_mongo_soajs.__file__, __file__)
    ),
    "PYTHONSAFEPATH": "1",
}
_PYTHON_SECONDS = 60.0

Client = MongoClient[dict[str, Any]]
StartPython = Callable[..., subprocess.Popen[str]]
RunPython = Callable[..., subprocess.CompletedProcess[str]]
FailPoint = Callable[..., AbstractContextManager[None]]


def pytest_report_header() -> str:
    """Name what is tested against, so that every log of a run tells it."""
    server: object = "the server of MONGODB_URL"
    if not os.environ.get("MONGODB_URL"):
        try:
            server = find_mongod()
        except MongodNotFound:
            server = "no mongod"
    return f"beaker {version('beaker')}, pymongo {pymongo.version}, {server}, {effort()} effort"


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[MongoServer]:
    """Start a server of our own, that may be paused and restarted, for all tests together."""
    if os.environ.get("MONGODB_URL"):
        pytest.skip("needs a server of its own, and MONGODB_URL names one that is already there")
    with MongoServer(for_tests=True) as server:
        yield server


@pytest.fixture(scope="session")
def mongo_url(request: pytest.FixtureRequest) -> str:
    """Name the URL of the server to test with: that of MONGODB_URL, or one of our own."""
    named = os.environ.get("MONGODB_URL")
    if named:
        return named
    server: MongoServer = request.getfixturevalue("mongo_server")
    return server.url


@pytest.fixture(scope="session")
def mongo_client(mongo_url: str) -> Iterator[Client]:
    """Lend the tests' own client, whose commands are never recorded."""
    with Client(mongo_url, serverSelectionTimeoutMS=10_000) as client:
        yield client


@pytest.fixture
def database_name(mongo_client: Client) -> Iterator[str]:
    """Make up the name of a database for this test alone, and drop it afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    yield name
    # An index that is made after the drop would make the database again.
    wait_for_indexes()
    mongo_client.drop_database(name)


@pytest.fixture
def database(mongo_client: Client, database_name: str) -> Database[dict[str, Any]]:
    """Lend this test's database, to plant documents in it and to look at them."""
    return mongo_client[database_name]


@pytest.fixture
def options(mongo_url: str, database_name: str) -> dict[str, Any]:
    """Return options, without Beaker's prefix, for sessions in this test's database."""
    return {"url": mongo_url, "name": database_name}


@pytest.fixture(params=[False, True], ids=["native", "text"])
def stringify(request: pytest.FixtureRequest) -> bool:
    """Return each value of the option ``stringify``."""
    value: bool = request.param
    return value


@pytest.fixture(params=[Session, MongoSession], ids=["type alone", "MongoSession"])
def kind(request: pytest.FixtureRequest) -> type[Session]:
    """Return Beaker's own Session, then MongoSession."""
    session_class: type[Session] = request.param
    return session_class


@pytest.fixture
def kind_options(options: dict[str, Any], kind: type[Session]) -> dict[str, Any]:
    """Return options for each kind of session in this test's database."""
    return options if kind is Session else options | {"session_class": kind}


@pytest.fixture(scope="session")
def _recorder(mongo_client: Client) -> Recorder:
    # Only clients made after this moment report here: mongo_client, made before, does not.
    recorder = Recorder()
    monitoring.register(recorder)
    return recorder


@pytest.fixture
def commands(_recorder: Recorder, database_name: str) -> Iterator[Commands]:
    """Record the commands that go to this test's database from all clients but the tests' own.

    A client counts if it is made after this fixture, as in the body of a test.
    """
    _recorder.commands = Commands(database_name)
    yield _recorder.commands
    _recorder.commands = None


@pytest.fixture
def fail_point(mongo_client: Client) -> FailPoint:
    """Lend :func:`tests.faults.fail_point` for the server under test."""
    parameters = mongo_client.admin.command("getParameter", "*")
    if not parameters.get("enableTestCommands"):
        pytest.skip("needs a server with enableTestCommands=1")
    return partial(open_fail_point, mongo_client)


@pytest.fixture
def proxy(mongo_server: MongoServer) -> Iterator[TcpProxy]:
    """Put a proxy before the server; :attr:`TcpProxy.url` leads through it."""
    with TcpProxy(mongo_server.port) as proxy:
        yield proxy


@pytest.fixture
def start_python() -> Iterator[StartPython]:
    """Lend a function that starts Python code in a process of its own, ended with the test.

    It takes the code, indented as it stands in the test, and environment variables to add; this
    package can be imported there. Standard input, output and error are pipes of text.
    """
    with ExitStack() as processes:

        def start(code: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(code)],
                env={**os.environ, **IMPORTS, **(env or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        yield start


@pytest.fixture
def run_python(start_python: StartPython) -> RunPython:
    """Lend a function that runs Python code in a process of its own and returns what it said.

    Like ``start_python``, but it waits for the end, which has to be a good one unless
    ``check=False`` is given.
    """

    def run(
        code: str, env: Mapping[str, str] | None = None, *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        process = start_python(code, env)
        output, errors = process.communicate(timeout=_PYTHON_SECONDS)
        assert not check or process.returncode == 0, f"exit {process.returncode}\n{errors}"
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    return run


@pytest.fixture(autouse=True)
def _close_clients() -> Iterator[None]:
    """Close the clients that the package made in a test, so that the next one makes its own."""
    yield
    module = sys.modules.get("beaker_mongo_soajs.mongo.client")
    if module is not None:
        module.close_clients()
