"""Fixtures of all tests: a real server, a fresh database, its commands, faults."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
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
from beaker_mongo_soajs import MongoSession, SessionStore
from beaker_mongo_soajs.testing import MongodNotFound, MongoServer, ReplicaSet, find_mongod
from tests.effort import effort
from tests.faults import fail_point as open_fail_point
from tests.forks import Fork
from tests.leak_check import CHECK
from tests.passwords import PASSWORD
from tests.plain_server import PlainServer
from tests.proxy import TcpProxy
from tests.recorder import Commands, Recorder
from tests.waiting import wait_for_indexes

pytest_plugins = [
    "tests.fast",
    "tests.interleavings.report",
    "tests.leaks",
    "tests.promises",
    "tests.run_record",
]

# A shell ignores Ctrl-C in what it starts in the background, and other programs inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A deadline for each example would measure the load of the machine.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")

# Other processes import the same package as this one, installed or not, and the tests from this
# folder. The current folder may contain another version of the package.
IMPORTS = {
    "PYTHONPATH": os.pathsep.join(
        str(Path(path).resolve().parent.parent) for path in (beaker_mongo_soajs.__file__, __file__)
    ),
    "PYTHONSAFEPATH": "1",
}
_PYTHON_SECONDS = 60.0

Client = MongoClient[dict[str, Any]]
Db = Database[dict[str, Any]]
Options = dict[str, Any]
StartPython = Callable[..., subprocess.Popen[str]]
RunPython = Callable[..., subprocess.CompletedProcess[str]]
FailPoint = Callable[..., AbstractContextManager[None]]
ForkPython = Callable[..., Fork]


def pytest_report_header() -> str:
    """Return the tested versions, for the log of each run."""
    server: object = "the server of MONGODB_URL"
    if not os.environ.get("MONGODB_URL"):
        try:
            server = find_mongod()
        except MongodNotFound:
            server = "no mongod"
    return f"beaker {version('beaker')}, pymongo {pymongo.version}, {server}, {effort()} effort"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while the tests are collected: it takes seconds, and finds little."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest tests come first, so that no worker waits for them at the end."""
    items.sort(key=lambda item: item.path.name != "test_packaging.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of worker processes for ``-n auto``: three for two cores.

    Many tests wait: for a process, a server or a timeout. Meanwhile another worker uses the core.
    Fail points are settings of a whole server, so a server that workers would share has no workers.
    """
    cores = os.cpu_count() or 1
    return 0 if os.environ.get("MONGODB_URL") else cores + cores // 2


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[MongoServer]:
    """Start one server for all tests of this process, which may be paused and restarted."""
    if os.environ.get("MONGODB_URL"):
        pytest.skip("needs a server of its own, but MONGODB_URL is set")
    # Expired documents stay, so that a test can look at them: see ttl_monitor.
    with MongoServer(args=["--setParameter", "ttlMonitorEnabled=false"], for_tests=True) as server:
        yield server


@pytest.fixture(scope="session")
def mongo_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of the server under test: MONGODB_URL, or that of ``mongo_server``."""
    named = os.environ.get("MONGODB_URL")
    if named:
        return named
    server: MongoServer = request.getfixturevalue("mongo_server")
    return server.url


@pytest.fixture(scope="session")
def mongo_client(mongo_url: str) -> Iterator[Client]:
    """Return the client of the tests, whose commands are never recorded."""
    with Client(mongo_url, serverSelectionTimeoutMS=10_000) as client:
        yield client


@pytest.fixture
def database_name(mongo_client: Client) -> Iterator[str]:
    """Return the name of a database for this test, and drop the database afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    yield name
    # An index that is made after the drop would make the database again.
    wait_for_indexes()
    mongo_client.drop_database(name)


@pytest.fixture
def database(mongo_client: Client, database_name: str) -> Db:
    """Return this test's database, to insert and to read documents."""
    return mongo_client[database_name]


@pytest.fixture(scope="session")
def store_url(mongo_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Name the URL that the package connects to.

    With PLAIN_SERVER set it leads through a server that lacks MongoDB's later features.
    """
    if not os.environ.get("PLAIN_SERVER"):
        yield mongo_url
        return
    server: MongoServer = request.getfixturevalue("mongo_server")
    with PlainServer(server.port) as plain:
        # The first command finds out that the server knows no collations, and is sent again.
        with SessionStore({"url": plain.url, "name": "plain"}) as store:
            store.get("id")
        yield plain.url


@pytest.fixture
def options(store_url: str, database_name: str) -> Options:
    """Return options, without Beaker's prefix, for sessions in this test's database."""
    return {"url": store_url, "name": database_name}


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
def kind_options(options: Options, kind: type[Session]) -> Options:
    """Return options for each kind of session in this test's database."""
    return options if kind is Session else options | {"session_class": kind}


@pytest.fixture(scope="session")
def _recorder(mongo_client: Client) -> Recorder:
    # It sees only clients that are made later, so not mongo_client.
    recorder = Recorder()
    monitoring.register(recorder)
    return recorder


@pytest.fixture
def commands(_recorder: Recorder, database_name: str) -> Iterator[Commands]:
    """Record the commands of applications to this test's database.

    Only clients that are made after this fixture are recorded.
    """
    _recorder.commands = Commands(database_name)
    yield _recorder.commands
    _recorder.commands = None


@pytest.fixture
def fail_point(mongo_client: Client) -> FailPoint:
    """Return :func:`tests.faults.fail_point` for the server under test."""
    parameters = mongo_client.admin.command("getParameter", "*")
    if not parameters.get("enableTestCommands"):
        pytest.skip("needs a server with enableTestCommands=1")
    return partial(open_fail_point, mongo_client)


@pytest.fixture
def ttl_monitor(mongo_client: Client) -> Iterator[None]:
    """Let the server remove expired documents during this test: each second, or each minute.

    Servers that the tests start look each second, that of ``MONGODB_URL`` probably each minute.
    """
    admin = mongo_client.admin
    enabled = admin.command("getParameter", 1, ttlMonitorEnabled=1)["ttlMonitorEnabled"]
    admin.command("setParameter", 1, ttlMonitorEnabled=True)
    yield
    admin.command("setParameter", 1, ttlMonitorEnabled=enabled)


@pytest.fixture
def proxy(mongo_server: MongoServer) -> Iterator[TcpProxy]:
    """Start a proxy to the server; connect to its :attr:`TcpProxy.url`."""
    with TcpProxy(mongo_server.port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def auth_server() -> Iterator[MongoServer]:
    """Start a server that requires a login, with users of several databases and rights.

    The database of a user is the one in which the user was created.
    """
    with MongoServer(args=["--auth"], for_tests=True) as server:
        with Client(server.url) as client:
            client.admin.command("createUser", "root", pwd=PASSWORD, roles=["root"])
        with Client(server.url, username="root", password=PASSWORD) as client:
            documents: dict[str, Any] = {
                "resource": {"db": "bad_input", "collection": ""},
                "actions": ["find", "insert", "update", "remove"],
            }
            client.admin.command("createRole", "documents", privileges=[documents], roles=[])
            own = {"role": "readWrite", "db": "shop"}
            for database, user, roles in (
                ("admin", "writer", ["documents"]),
                ("admin", "nobody", []),
                ("users", "ann", [own]),
                ("shop", "ann", [own]),
                ("shop", "reader", ["read"]),
            ):
                client[database].command("createUser", user, pwd=PASSWORD, roles=roles)
        yield server


@pytest.fixture(scope="session")
def replica_set_of_one() -> Iterator[ReplicaSet]:
    """Start a replica set of one member, where writes can be retried."""
    with ReplicaSet(members=1, for_tests=True) as replica_set:
        yield replica_set


@pytest.fixture
def start_python() -> Iterator[StartPython]:
    """Return a function that starts Python code in another process, which ends with the test.

    Its arguments are the code, indented as in the test, and additional environment variables. The
    code can import this package and the tests. Standard input, output and error are text pipes.
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
def fork_python() -> Iterator[ForkPython]:
    """Return a function that runs code in a fork of a process that has imported the package.

    It starts sooner than ``start_python``, and ends with the test, too. Its arguments are the same.
    """
    with ExitStack() as forks:

        def fork(code: str, env: Mapping[str, str] | None = None) -> Fork:
            made = Fork(code, env or {})
            forks.callback(made.end)
            return made

        yield fork


@pytest.fixture
def run_python(start_python: StartPython) -> RunPython:
    """Return a function that runs Python code in another process, and returns its output.

    It works like ``start_python``, but waits for the end of the process, and fails if its exit
    status is not 0. ``check=False`` turns this check off.
    """

    def run(
        code: str, env: Mapping[str, str] | None = None, *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        process = start_python(code, env)
        output, errors = process.communicate(timeout=_PYTHON_SECONDS)
        CHECK.see("A process", output + errors)
        assert not check or process.returncode == 0, f"exit {process.returncode}\n{errors}"
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    return run


@pytest.fixture(autouse=True)
def _close_clients() -> Iterator[None]:
    """Close the clients of the package after each test, so that the next one makes its own.

    Likewise, the next test sees all warnings, even those that are logged once a minute only.
    """
    yield
    module = sys.modules.get("beaker_mongo_soajs.mongo.client")
    if module is not None:
        module.close_clients()
    module = sys.modules.get("beaker_mongo_soajs.log_records")
    if module is not None:
        module.forget_warnings()
