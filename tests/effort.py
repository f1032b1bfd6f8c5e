"""How hard the tests try: ``TEST_EFFORT``, ``full`` if it is not set, or ``tenth``.

Where only a version differs from an environment that made the full effort, as in most of the test
matrix, a tenth of the examples and rounds shows what the version changes.
"""

import os

_PARTS = {"full": 1, "tenth": 10}


def effort() -> str:
    """Return the effort to make: ``full`` or ``tenth``."""
    named = os.environ.get("TEST_EFFORT") or "full"
    assert named in _PARTS, f"TEST_EFFORT={named}: {' or '.join(_PARTS)}"
    return named


def times(full: int) -> int:
    """Return how often to try something.

    :param full: how often the full effort is.
    """
    return full // _PARTS[effort()]
