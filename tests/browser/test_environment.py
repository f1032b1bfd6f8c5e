"""The version of the browser."""

import os

from playwright.sync_api import Browser


def test_it_is_the_promised_version(chromium: Browser) -> None:
    """The version is that of ``EXPECT_CHROMIUM``, as precisely as given: 156 allows 156.0.8.

    Without the variable, any version passes.
    """
    promised = os.environ.get("EXPECT_CHROMIUM", "")
    length = len(promised.split(".")) if promised else 0
    assert promised == ".".join(chromium.version.split(".")[:length])
