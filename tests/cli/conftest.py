"""Fixtures of the tests of the command line."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from beaker_mongo_soajs import SessionStore
from tests.cli.support import run
from tests.conftest import Options

Run = Callable[..., Result]

DAY = 86400.0


@pytest.fixture
def url(store_url: str, database_name: str) -> str:
    """Return a connection string with this test's database."""
    return store_url.replace("/?", f"/{database_name}?")


@pytest.fixture
def command(url: str) -> Run:
    """Return a function that runs ``beaker-mongo`` on this test's database."""

    def run_here(*arguments: str, **more: Any) -> Result:
        return run(*arguments, url=url, **more)

    return run_here


@pytest.fixture
def store(options: Options) -> SessionStore:
    """Return a store with four sessions: two of Ann's, one of Bob's, one without a user."""
    store = SessionStore(options | {"store": {"createIndexes": False}})
    now = time.time()
    for id_, values, began, used in (
        ("ann at her desk, 0001", {"user": "ann", "device": "desk"}, 40 * DAY, 2 * DAY),
        ("ann on the phone 0002", {"user": "ann", "device": "phone", "n": 5}, DAY, 60.0),
        ("bob on the phone 0003", {"user": "bob", "device": "phone"}, 3 * DAY, 7200.0),
        ("a visitor, id no 0004", {"cart": ["tea"], "n": "5"}, 600.0, 0.0),
    ):
        times = {"_creation_time": now - began, "_accessed_time": now - used}
        store.set(id_, values | times)
    return store


def store_as_text(store: SessionStore, options: Options) -> None:
    """Store all sessions again, as JSON text.

    :param store: the store.
    :param options: its options.
    """
    text = SessionStore(options | {"stringify": True, "store": {"createIndexes": False}})
    for id_ in list(store.ids()):
        session = store.get(id_) or {}
        store.destroy(id_)
        text.set(id_, session)


@pytest.fixture
def command_of_form(
    stringify: bool, options: Options, store: SessionStore, command: Run, tmp_path: Path
) -> Run:
    """Return ``command`` for the sessions of ``store`` in each storage form."""
    if not stringify:
        return command
    store_as_text(store, options)
    path = tmp_path / "text.json"
    path.write_text(json.dumps(options | {"stringify": True}))
    return lambda *arguments, **more: run("-c", str(path), *arguments, **more)
