"""Renew the pictures of the demo in the documentation: ``python -m tests.browser.picture``."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, ViewportSize

from beaker_mongo_soajs.testing import mongodb_url
from tests.browser.chromium import MISSING, find_chromium, open_chromium
from tests.browser.demo import run
from tests.frameworks.workers import run_workers

_IMAGES = Path(__file__).resolve().parent.parent.parent / "docs" / "images"
# Sharp on high-resolution screens, and still a small file.
_PIXELS_PER_POINT = 1.25
_FRAMES = 36
_FRAME_MS = 150
_LAST_FRAME_MS = 3_000


def main() -> None:
    """Run the race, and save a picture and an animation of it."""
    program = find_chromium()
    if program is None:
        sys.exit(f"The pictures {MISSING}.")
    command = [sys.executable, "-m", "examples.demo"]
    with (
        tempfile.TemporaryDirectory() as logs,
        mongodb_url() as url,
        run_workers(command, {"MONGODB_URL": url, "PORT": "0"}, Path(logs), 1) as (address,),
        open_chromium(program) as browser,
    ):
        viewport = ViewportSize(width=1280, height=860)
        still = browser.new_page(
            viewport=viewport, device_scale_factor=_PIXELS_PER_POINT, reduced_motion="reduce"
        )
        _race(still, address)
        still.screenshot(path=_IMAGES / "demo.png")
        moving = browser.new_page(viewport=viewport)
        _race(moving, address)
        _animate(moving.locator(".panel"), _IMAGES / "race.webp")


def _race(tab: Page, address: str) -> None:
    tab.goto(f"{address}/race")
    # The durations of the first requests include opening connections.
    run(tab)
    run(tab)
    tab.mouse.move(0, 0)


def _animate(panel: Locator, path: Path) -> None:
    frames = []
    begin = time.monotonic()
    for number in range(_FRAMES):
        panel.page.wait_for_timeout(max(0, number * _FRAME_MS - (time.monotonic() - begin) * 1000))
        frames.append(Image.open(io.BytesIO(panel.screenshot())))
    durations = [_FRAME_MS] * (_FRAMES - 1) + [_LAST_FRAME_MS]
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=80
    )


if __name__ == "__main__":
    main()
