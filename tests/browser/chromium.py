"""The Chromium of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

# As Debian and Ubuntu call it, and others.
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the pages under test: no graphics card, and no talk with anybody else.
_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
# What Playwright leaves out and people have: a page that they leave is kept for the way back.
_LEFT_IN = ("--disable-back-forward-cache",)
MISSING = "needs Chromium: apt-get install chromium, or name one in CHROMIUM"


def find_chromium() -> str | None:
    """Return the program that ``CHROMIUM`` names, otherwise one on ``PATH``, if there is one."""
    named = os.environ.get("CHROMIUM")
    names = (named,) if named else _NAMES
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def open_chromium(program: str) -> Iterator[Browser]:
    """Run a Chromium without a window, with a fresh profile.

    :param program: its path.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=_FLAGS, ignore_default_args=_LEFT_IN
        )
        yield browser
        browser.close()
