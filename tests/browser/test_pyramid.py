"""The example of Pyramid, with pyramid_beaker and with this package alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeVisitor
from tests.browser.visitor import Site, Visitor, press
from tests.conftest import Client
from tests.frameworks.visitor import COOKIE
from tests.frameworks.workers import run_workers


@pytest.fixture(scope="module", params=["wsgi", "hardened"])
def site(
    request: pytest.FixtureRequest,
    mongo_url: str,
    mongo_client: Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Run each variant of the example in a process of its own."""
    application = f"examples.pyramid.{request.param}:application"
    command = [sys.executable, "-m", "waitress", "--listen=127.0.0.1:0", application]
    env = {"MONGODB_URL": mongo_url}
    with run_workers(command, env, tmp_path_factory.mktemp("pyramid"), 1) as (address,):
        yield Site(address, COOKIE, mongo_client["examples"].sessions)


def log_in(tab: Page, name: str) -> None:
    """Log in on the open page."""
    tab.get_by_label("Name").fill(name)
    press(tab, "text=Log in")


def expect_page(tab: Page, visits: int, user: str | None) -> None:
    """Expect a user and a number of visits on the page."""
    heading = "Hello" if user is None else f"Hello {user}"
    expect(tab.get_by_role("heading", level=1)).to_have_text(heading)
    expect(tab.locator("#visits")).to_have_text(str(visits))


def test_log_in(visitor: Visitor) -> None:
    """After a reload the login is kept under a new session id; its message is shown once."""
    tab = visitor.open()
    expect_page(tab, 1, None)
    before = visitor.session_id
    log_in(tab, "Zoë")
    expect_page(tab, 2, "Zoë")
    expect(tab.get_by_role("status")).to_have_text("Welcome, Zoë.")
    assert before != visitor.session_id
    tab.reload()
    expect_page(tab, 3, "Zoë")
    expect(tab.get_by_role("status")).to_have_count(0)


def test_second_tab(visitor: Visitor) -> None:
    """A tab that is opened after the login shows the login."""
    first = visitor.open()
    log_in(first, "ann")
    expect_page(visitor.open(), 3, "ann")
    first.reload()
    expect_page(first, 4, "ann")


def test_log_out_in_one_tab(visitor: Visitor, site: Site) -> None:
    """After a logout in one tab, a form in another tab has no effect."""
    first = visitor.open()
    log_in(first, "ann")
    second = visitor.open()
    before = visitor.session_id
    press(first, "text=Log out")
    expect_page(first, 1, None)
    assert 0 == site.sessions.count_documents({"_id": before})
    press(second, "text=Log out")
    second.goto("/")
    expect_page(second, 2, None)
    assert 0 == site.sessions.count_documents({"_id": before})


def test_error(visitor: Visitor) -> None:
    """After a page that fails, the session continues."""
    tab = visitor.open()
    log_in(tab, "ann")
    press(tab, "text=A page that fails")
    expect(tab.get_by_text("You are still logged in as ann.")).to_be_visible()
    press(tab, "text=Back")
    expect_page(tab, 3, "ann")


def test_expired_session(visitor: Visitor) -> None:
    """An expired session is not loaded, even if its document still exists."""
    tab = visitor.open()
    log_in(tab, "ann")
    visitor.expire()
    tab.reload()
    expect_page(tab, 1, None)


def test_two_visitors(make_visitor: MakeVisitor) -> None:
    """Two browsers have separate sessions."""
    ann, bea = make_visitor(), make_visitor()
    of_ann, of_bea = ann.open(), bea.open()
    log_in(of_ann, "ann")
    of_bea.reload()
    expect_page(of_bea, 2, None)
    assert ann.session_id != bea.session_id


def test_cookie(visitor: Visitor) -> None:
    """Scripts cannot read the cookie; it is for this site only, and ends with the browser."""
    tab = visitor.open()
    assert "" == tab.evaluate("document.cookie")
    (cookie,) = visitor.cookies()
    assert (True, "Lax") == (cookie["httpOnly"], cookie["sameSite"])
    assert ("127.0.0.1", "/") == (cookie["domain"], cookie["path"])
    assert (-1, False) == (cookie["expires"], cookie["secure"])
