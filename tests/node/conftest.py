"""Fixtures: a process of Node, its stores, and both sides of a fleet."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from beaker_mongo_soajs.testing import MongoServer
from tests.conftest import Client, Db
from tests.node import packages
from tests.node.express import SECRET, Express, Jar, Node
from tests.node.python_side import MiddlewareSide, Side, TypeSide

KINDS: dict[str, Callable[[dict[str, Any]], Side]] = {
    "MongoSession": MiddlewareSide,
    "type alone": TypeSide,
}


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """Start Node, with the packages of ``package-lock.json``."""
    reason = packages.missing()
    if reason is not None:
        pytest.skip(reason)
    with Node(packages.install()) as process:
        yield process


@pytest.fixture(scope="session")
def old_server() -> Iterator[MongoServer]:
    """Start MongoDB 4.4: the driver of connect-mongo-soajs cannot connect to 5.1 or later."""
    with MongoServer(binary=packages.install_server("4.4")) as server:
        yield server


@dataclass
class Fleet:
    """Applications of both sides that share one database.

    :param store: the store of the Express side.
    """

    node: Node
    url: str
    store: str
    stringify: bool
    database: Db

    def __post_init__(self) -> None:
        self._open: list[Express] = []

    def express(self, kind: str | None = None, session: Any = None, **options: Any) -> Express:
        """Make an Express application.

        :param kind: the store, if it is another one.
        :param session: options of express-session.
        :param options: options of the store.
        """
        wish = {
            "kind": kind or self.store,
            "url": self.url,
            "name": self.database.name,
            "session": {"secret": SECRET, **(session or {})},
            "options": {"stringify": self.stringify, **options},
        }
        self._open.append(Express(self.node, wish))
        return self._open[-1]

    def python(self, kind: str = "MongoSession", **options: Any) -> Side:
        """Make a Python application.

        :param kind: the kind of session.
        :param options: session options.
        """
        given = {"url": self.url, "name": self.database.name, "stringify": self.stringify}
        return KINDS[kind](given | options)

    def document(self) -> dict[str, Any]:
        """Return the only live session's document."""
        (document,) = self.database.sessions.find({"moved_to": {"$exists": False}})
        return document

    def close(self) -> None:
        """Close all applications of Express, and drop the database."""
        for application in self._open:
            application.close()
        self.database.client.drop_database(self.database.name)


@pytest.fixture(scope="session")
def old_client(old_server: MongoServer) -> Iterator[Client]:
    """Connect to MongoDB 4.4."""
    with Client(old_server.url) as client:
        yield client


def make_fleet(request: pytest.FixtureRequest, store: str, *, stringify: bool) -> Iterator[Fleet]:
    """Make a fleet for one test."""
    node: Node = request.getfixturevalue("node")
    if store == "soajs":
        url = request.getfixturevalue("old_server").url
        client = request.getfixturevalue("old_client")
    else:
        url = request.getfixturevalue("mongo_url")
        client = request.getfixturevalue("mongo_client")
    fleet = Fleet(node, url, store, stringify, client[f"node_{uuid.uuid4().hex}"])
    yield fleet
    fleet.close()


@pytest.fixture(params=["connect-mongo", "soajs"])
def store(request: pytest.FixtureRequest) -> str:
    """Return the name of each store of Node."""
    name: str = request.param
    return name


@pytest.fixture
def fleet(request: pytest.FixtureRequest, store: str, *, stringify: bool) -> Iterator[Fleet]:
    """Return a fleet with each store and each form."""
    yield from make_fleet(request, store, stringify=stringify)


@pytest.fixture
def native_fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Return a fleet with connect-mongo and sub-documents."""
    yield from make_fleet(request, "connect-mongo", stringify=False)


@pytest.fixture(params=list(KINDS))
def python(request: pytest.FixtureRequest, fleet: Fleet) -> Side:
    """Return the Python side with each kind of session."""
    return fleet.python(request.param)


@pytest.fixture
def express(fleet: Fleet) -> Express:
    """Return the Express side."""
    return fleet.express()


@pytest.fixture
def jar() -> Jar:
    """Return the cookies of a new visitor."""
    return Jar()
