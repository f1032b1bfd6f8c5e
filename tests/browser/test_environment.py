"""The browser is the one that was promised."""

import os

from playwright.sync_api import Browser


def test_it_is_the_promised_version(chromium: Browser) -> None:
    """The version is that of ``EXPECT_CHROMIUM``, as far as it is given there: 156 for 156.0.8.

    Where nothing is promised, any version will do.
    """
    promised = os.environ.get("EXPECT_CHROMIUM", "")
    length = len(promised.split(".")) if promised else 0
    assert promised == ".".join(chromium.version.split(".")[:length])
