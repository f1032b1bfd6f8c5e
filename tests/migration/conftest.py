"""Fixtures: old backends, and applications that move sessions from them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from beaker_mongo_soajs import MongoSession
from tests.application import Site
from tests.conftest import Options
from tests.migration.old import TYPES, Old, OldServers, forget_beaker_clients, open_old

MakeSite = Callable[..., Site]


@pytest.fixture(scope="session")
def old_servers() -> Iterator[OldServers]:
    """Start servers of old backends when they are needed."""
    with ExitStack() as stack:
        yield OldServers(stack)


@pytest.fixture(autouse=True)
def _beaker_clients() -> Iterator[None]:
    """Close the connections of Beaker's backends."""
    yield
    forget_beaker_clients()


@pytest.fixture(params=TYPES)
def old(
    request: pytest.FixtureRequest, tmp_path: Path, mongo_url: str, old_servers: OldServers
) -> Old:
    """Return each old backend, empty."""
    return open_old(request.param, tmp_path, mongo_url, old_servers)


@pytest.fixture
def table(tmp_path: Path, mongo_url: str, old_servers: OldServers) -> Old:
    """Return a table as the old backend."""
    return open_old("ext:database", tmp_path, mongo_url, old_servers)


@pytest.fixture
def make_site(options: Options) -> MakeSite:
    """Return a function that makes the new application, with MongoSession."""
    return _make_site(options | {"session_class": MongoSession})


@pytest.fixture
def make_each_site(kind_options: Options) -> MakeSite:
    """Return a function that makes the new application, for each kind of session."""
    return _make_site(kind_options)


def _make_site(options: Options) -> MakeSite:
    def make(old: Old, source: Options | None = None, **more: Any) -> Site:
        migrate = {"trustPickles": True} | old.source | (source or {})
        return Site(options | {"store.migrateFrom": migrate} | more)

    return make
