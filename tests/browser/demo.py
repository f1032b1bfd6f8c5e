"""The actions of a visitor on the page of the demo."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.visitor import press


def log_in(tab: Page, name: str) -> None:
    """Log in on the open page."""
    tab.get_by_label("Your name").fill(name)
    press(tab, "#login")


def expect_visits(tab: Page, number: int) -> None:
    """Expect a number of visits on the page."""
    words = "visit to this page" if number == 1 else "visits to this page"
    expect(tab.locator(".visits")).to_have_text(f"{number} {words}")
