"""Fixtures for the tests with a browser."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from examples.demo.app import DATABASE
from examples.demo.shops import SESSION_COOKIE
from tests.browser.chromium import MISSING, find_chromium, open_chromium
from tests.browser.visitor import Site, Visitor
from tests.conftest import Client
from tests.frameworks.workers import run_workers

SCREENSHOTS = Path(__file__).resolve().parent.parent.parent / "screenshots"

MakeVisitor = Callable[..., Visitor]

# A long deadline, because a busy machine renders pages late.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Run one Chromium for all tests."""
    program = find_chromium()
    if program is None:
        # With CI set, a skip is a failure.
        (pytest.fail if os.environ.get("EXPECT_CHROMIUM") else pytest.skip)(MISSING)
    with open_chromium(program) as browser:
        yield browser


@pytest.fixture(scope="session")
def demo(
    mongo_url: str, mongo_client: Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Run the demo in a process of its own."""
    command = [sys.executable, "-m", "examples.demo"]
    env = {"MONGODB_URL": mongo_url, "PORT": "0"}
    with run_workers(command, env, tmp_path_factory.mktemp("demo"), 1) as (address,):
        yield Site(address, SESSION_COOKIE, mongo_client[DATABASE].sessions)


@pytest.fixture
def own_demo(mongo_client: Client, tmp_path: Path) -> Iterator[Site]:
    """Run a demo that starts a server of its own, and may stop it."""
    command = [sys.executable, "-m", "examples.demo"]
    with run_workers(command, {"MONGODB_URL": "", "PORT": "0"}, tmp_path, 1) as (address,):
        # The sessions of that server end with it.
        yield Site(address, SESSION_COOKIE, mongo_client[DATABASE].sessions)


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Empty the folder for screenshots, which are kept after the tests."""
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)
    SCREENSHOTS.mkdir()
    return SCREENSHOTS


@pytest.fixture
def make_visitor(
    chromium: Browser, site: Site, screenshots: Path, request: pytest.FixtureRequest
) -> Iterator[MakeVisitor]:
    """Return a function that makes a visitor of the fixture ``site``, which each module defines.

    At the end of the test, screenshots of all tabs are saved under its name. A script error, an
    error in the browser's console or a missing file fails the test.
    """
    visitors: list[Visitor] = []

    def make(**settings: object) -> Visitor:
        visitors.append(Visitor(chromium, site, **settings))
        return visitors[-1]

    yield make
    test = re.sub(r"[^\w-]+", "-", f"{request.path.stem}-{request.node.name}").strip("-")
    for number, visitor in enumerate(visitors, 1):
        visitor.finish(str(screenshots / f"{test}-{number}"))
    assert [] == [problem for visitor in visitors for problem in visitor.problems]


@pytest.fixture
def visitor(make_visitor: MakeVisitor) -> Visitor:
    """Return a new visitor."""
    return make_visitor()
