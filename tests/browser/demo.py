"""The actions of a visitor on the page of the demo."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.visitor import Site, press


def log_in(tab: Page, name: str) -> None:
    """Log in on the open page."""
    tab.get_by_label("Your name").fill(name)
    press(tab, "#login")


def expect_visits(tab: Page, number: int) -> None:
    """Expect a number of visits on the page."""
    words = "visit to this page" if number == 1 else "visits to this page"
    expect(tab.locator(".visits")).to_have_text(f"{number} {words}")


def run(tab: Page) -> None:
    """Press the button of an experiment."""
    press(tab, "#run")


def is_live(site: Site, session_id: str) -> bool:
    """Tell whether a session can be loaded; a document that points to a new id cannot."""
    query = {"_id": session_id, "moved_to": {"$exists": False}}
    return site.sessions.find_one(query) is not None
