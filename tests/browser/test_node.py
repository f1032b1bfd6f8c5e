"""The example of Express and Python, which share the cookie of one browser."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.visitor import press
from tests.frameworks.workers import run_workers
from tests.node import packages

_SIDES = {"Python": "/", "Express": "/express/"}


@pytest.fixture(scope="module")
def address(mongo_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run both applications of the example."""
    reason = packages.missing()
    if reason is not None:
        pytest.skip(reason)
    env = {"PORT": "0", "MONGODB_URL": mongo_url, "NODE_FOLDER": str(packages.install())}
    command = [sys.executable, "-m", "examples", "node"]
    with run_workers(command, env, tmp_path_factory.mktemp("node"), 1) as (started,):
        yield started


def expect_page(tab: Page, side: str, user: str, visits: int) -> None:
    """Expect the page of one side, with a user and a number of visits."""
    expect(tab.get_by_role("heading", level=1)).to_have_text(side)
    expect(tab.locator("#user")).to_have_text(user)
    expect(tab.locator("#visits")).to_have_text(str(visits))


@pytest.mark.parametrize(("first", "second"), [("Express", "Python"), ("Python", "Express")])
def test_one_login(chromium: Browser, address: str, first: str, second: str) -> None:
    """A login and a change on one side are seen on the other, and its logout on the first."""
    with chromium.new_context() as context:
        tab = context.new_page()
        tab.goto(address + _SIDES[first])
        expect_page(tab, first, "nobody", 1)
        tab.get_by_label("User").fill("Zoë")
        press(tab, "text=Log in")
        expect(tab.locator("#user")).to_have_text("Zoë")
        tab.goto(address + _SIDES[second])
        expect(tab.locator("#user")).to_have_text("Zoë")
        seen = int(tab.locator("#visits").inner_text())
        tab.goto(address + _SIDES[first])
        expect_page(tab, first, "Zoë", seen + 1)
        assert ["connect.sid"] == [cookie.get("name") for cookie in context.cookies()]
        tab.goto(address + _SIDES[second])
        press(tab, "text=Log out")
        expect_page(tab, second, "nobody", 1)
        tab.goto(address + _SIDES[first])
        expect(tab.locator("#user")).to_have_text("nobody")
