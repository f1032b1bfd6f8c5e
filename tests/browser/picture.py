"""Renew the picture in the README: ``python -m tests.browser.picture``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from beaker_mongo_soajs.testing import mongodb_url
from tests.browser.chromium import MISSING, find_chromium, open_chromium
from tests.browser.demo import log_in
from tests.browser.visitor import press
from tests.frameworks.workers import run_workers

_PICTURE = Path(__file__).resolve().parent.parent.parent / "docs" / "images" / "demo.png"
_VISITS_BEFORE = 8
# Sharp on high-resolution screens, and still a small file.
_PIXELS_PER_POINT = 1.25


def main() -> None:
    """Log in, fill the cart, and save the picture."""
    program = find_chromium()
    if program is None:
        sys.exit(f"The picture {MISSING}.")
    command = [sys.executable, "-m", "examples.demo"]
    with (
        tempfile.TemporaryDirectory() as logs,
        mongodb_url() as url,
        run_workers(command, {"MONGODB_URL": url, "PORT": "0"}, Path(logs), 1) as (address,),
        open_chromium(program) as browser,
    ):
        tab = browser.new_page(
            viewport={"width": 1280, "height": 800},
            device_scale_factor=_PIXELS_PER_POINT,
            reduced_motion="reduce",
        )
        tab.goto(address)
        _fill_cart(tab)
        tab.screenshot(path=_PICTURE, full_page=True)


def _fill_cart(tab: Page) -> None:
    log_in(tab, "ann")
    # The durations of the first requests include opening connections.
    for _ in range(_VISITS_BEFORE):
        tab.reload()
    for product in ("beaker", "flask", "flask"):
        press(tab, f"#add-{product}")
    tab.locator(".settings summary").click()
    # Move the pointer away from all controls.
    tab.mouse.move(0, 0)


if __name__ == "__main__":
    main()
