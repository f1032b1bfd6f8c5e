"""The effort of the tests: the environment variable ``TEST_EFFORT``.

- ``full``, the default, for ``make test``.
- ``tenth``, a tenth of the examples and rounds. Most environments of the test matrix differ from
  one with full effort in one version only, and a tenth is enough to show what that version changes.
- ``tenfold``, ten times as many, for a change of what they test.
"""

import os

_FACTORS = {"tenfold": 10.0, "full": 1.0, "tenth": 0.1}


def effort() -> str:
    """Return the configured effort."""
    named = os.environ.get("TEST_EFFORT") or "full"
    assert named in _FACTORS, f"TEST_EFFORT={named}: {' or '.join(_FACTORS)}"
    return named


def times(full: int) -> int:
    """Return the number of examples or rounds for the configured effort.

    :param full: the number for the full effort.
    """
    return round(full * _FACTORS[effort()])
