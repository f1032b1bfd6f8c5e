"""The effort of the tests: the environment variable ``TEST_EFFORT``, ``full`` or ``tenth``.

Most environments of the test matrix differ from one with full effort in one version only. A tenth
of the examples and rounds is enough to show what that version changes.
"""

import os

_PARTS = {"full": 1, "tenth": 10}


def effort() -> str:
    """Return the configured effort: ``full``, the default, or ``tenth``."""
    named = os.environ.get("TEST_EFFORT") or "full"
    assert named in _PARTS, f"TEST_EFFORT={named}: {' or '.join(_PARTS)}"
    return named


def times(full: int) -> int:
    """Return the number of examples or rounds for the configured effort.

    :param full: the number for the full effort.
    """
    return full // _PARTS[effort()]
