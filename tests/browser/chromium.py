"""The installed Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

# The names on Debian and Ubuntu, and on other systems.
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Use no graphics card, and connect to no other site than the pages under test.
_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
# Playwright disables the cache for going back, which people's browsers have.
_LEFT_IN = ("--disable-back-forward-cache",)
MISSING = "needs Chromium: apt-get install chromium, or name one in CHROMIUM"


def find_chromium() -> str | None:
    """Return the program named by ``CHROMIUM``, or one on ``PATH``, or ``None``."""
    named = os.environ.get("CHROMIUM")
    names = (named,) if named else _NAMES
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def open_chromium(program: str) -> Iterator[Browser]:
    """Run a Chromium without a window, with a new profile.

    :param program: its path.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=_FLAGS, ignore_default_args=_LEFT_IN
        )
        yield browser
        browser.close()
