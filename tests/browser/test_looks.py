"""The layout and the accessibility of the demo."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from examples.demo.panels import PANELS
from tests.browser.conftest import MakeVisitor
from tests.browser.demo import log_in, run
from tests.browser.visitor import NARROW, WIDE, Site, press

_PHONE = {"is_mobile": True, "has_touch": True}
_SCREENS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": WIDE},
    "tablet": {"viewport": {"width": 820, "height": 1180}, **_PHONE},
    "narrow": {"viewport": NARROW, **_PHONE},
    # The narrowest screen in WCAG 2.2, criterion 1.4.10.
    "narrowest": {"viewport": {"width": 320, "height": 640}, **_PHONE},
}
_WIDEST_NAME = "W" * 40
# Elements that extend beyond the right edge, whether or not the page scrolls.
_OUTSIDE = """
[...document.querySelectorAll("body *")]
  .filter((element) => element.getBoundingClientRect().right > innerWidth)
  .map((element) => element.outerHTML.slice(0, 80))
"""


@pytest.fixture
def site(demo: Site) -> Site:
    """Visit the demo."""
    return demo


def open_all(make_visitor: MakeVisitor, screen: str, scheme: str) -> list[Page]:
    """Open each kind of page in a tab: new visitor, full cart, JSON text, each panel, error."""
    visitor = make_visitor(color_scheme=scheme, **_SCREENS[screen])
    new = visitor.open("/shop")
    full = visitor.open("/shop")
    log_in(full, _WIDEST_NAME)
    for product in ("beaker", "flask", "flask", "tubes", "pipette"):
        press(full, f"#add-{product}")
    text = visitor.open("/shop")
    _show_all(text)
    press(text, "#text")
    _show_all(text)
    press(text, "#native")
    panels = [visitor.open(f"/{panel}") for panel in PANELS]
    # The other experiments show their outcomes in the same way.
    run(panels[0])
    tabs = [new, full, text, *panels, visitor.open("/nothing")]
    for tab in tabs:
        _show_all(tab)
    return tabs


def _show_all(tab: Page) -> None:
    # On a phone, one view is shown at a time.
    tab.evaluate(
        "document.querySelectorAll('details').forEach((each) => { each.open = true; });"
        "document.querySelectorAll('.view').forEach((each) => { each.hidden = false; });"
    )


@pytest.mark.parametrize("screen", _SCREENS)
def test_it_fits(make_visitor: MakeVisitor, screen: str) -> None:
    """No content extends beyond the right edge of the screen."""
    for tab in open_all(make_visitor, screen, "light"):
        assert [] == tab.evaluate(_OUTSIDE)


@pytest.mark.parametrize(("screen", "scheme"), [("narrow", "light"), ("wide", "dark")])
def test_it_is_accessible(make_visitor: MakeVisitor, screen: str, scheme: str) -> None:
    """Labels, headings, roles and contrast follow the rules of axe-core."""
    for tab in open_all(make_visitor, screen, scheme):
        found = Axe().run(tab).response["violations"]
        assert [] == [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]
