"""What a visitor does on the page of the demonstration, and sees there."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.visitor import press


def log_in(tab: Page, name: str) -> None:
    """Log in on the page that is open."""
    tab.get_by_label("Your name").fill(name)
    press(tab, "#login")


def expect_visits(tab: Page, number: int) -> None:
    """Expect the page to say how many visits there were."""
    words = "visit to this page" if number == 1 else "visits to this page"
    expect(tab.locator(".visits")).to_have_text(f"{number} {words}")
