"""The cookie of express-session in a document."""

import math
from datetime import datetime
from typing import Any

import pytest

from beaker_mongo_soajs.sessions.express import max_age_seconds, with_max_age

ODD: list[Any] = [None, 0, -1, True, "5", math.inf]


@pytest.mark.parametrize(
    ("cookie", "seconds"),
    [
        ({"originalMaxAge": 1}, 0.001),
        ({"originalMaxAge": 1e300}, 100 * 365 * 86400.0),
        *(({"originalMaxAge": odd}, None) for odd in ODD),
        ({}, None),
        ("originalMaxAge", None),
    ],
)
def test_lifetime_in_a_cookie(cookie: Any, seconds: float | None) -> None:
    """A lifetime is a positive number of milliseconds, and at most a hundred years."""
    assert seconds == max_age_seconds(cookie)


def test_milliseconds() -> None:
    """The dates in a cookie have whole milliseconds, as MongoDB's do."""
    cookie = with_max_age({"path": "/shop"}, 60.0004, datetime(2026, 1, 1, 0, 0, 0, 999_000))
    ends = datetime(2026, 1, 1, 0, 1, 0, 999_000)
    assert {"path": "/shop", "originalMaxAge": 60_000, "expires": ends} == cookie
