"""Fixtures: a server for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from beaker_mongo_soajs.testing import MongoServer


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make temporary folders in a folder of the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def server(temporary: Path) -> Iterator[MongoServer]:
    """Start a server for one test."""
    with MongoServer(for_tests=True) as server:
        yield server
