"""Fixtures for the tests of the demo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.demo.app import Demo
from examples.demo.database import GivenDatabase
from tests.demo.support import Visit


@pytest.fixture
def demo(mongo_url: str, database_name: str) -> Iterator[Demo]:
    """Make the application, with a database of the test's own."""
    demo = Demo(GivenDatabase(mongo_url), database_name)
    yield demo
    demo.close()


@pytest.fixture
def visit(demo: Demo) -> Visit:
    """Open the page in a browser."""
    return Visit(demo)
