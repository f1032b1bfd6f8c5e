"""Sizes, spans, durations and conditions."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from beaker_mongo_soajs.cli.values import (
    Duration,
    possible_values,
    show_future,
    show_past,
    show_size,
)
from tests.cli.conftest import Run

NOW = datetime(2026, 1, 31, 12)
LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("size", "text"),
    [
        *((0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_900, "99.9 kB"), (100_000, "100 kB")),
        *((10**6, "1.0 MB"), (10**9, "1.0 GB"), (10**12, "1000 GB")),
    ],
)
def test_sizes(size: int, text: str) -> None:
    """A size has three digits or less, and the unit that this needs."""
    assert text == show_size(size)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h")),
        *((86_399, "23 h"), (86_400, "1 d"), (-7200, "2 h")),
    ],
)
def test_spans(seconds: int, text: str) -> None:
    """A span is shown in its largest unit, also if the clock of the server is ahead."""
    span = timedelta(seconds=seconds)
    assert (f"{text} ago", f"in {text}") == (
        show_past(NOW - span, NOW),
        show_future(NOW + span, NOW),
    )
    assert ("", "never") == (show_past(None, NOW), show_future(None, NOW))


def test_durations() -> None:
    """A duration is a number of seconds, also with a unit."""
    texts = ("90", "1500ms", "1h")
    assert [90, 1.5, 3600] == [Duration().convert(text, None, None) for text in texts]


@pytest.mark.parametrize(
    ("text", "others"),
    [
        *((f"{LARGEST}", [LARGEST]), (f"{LARGEST + 1}", []), (f"{-LARGEST - 1}", [-LARGEST - 1])),
        *((f"{-LARGEST - 2}", []), ("5", [5]), ("2.5", [2.5]), ("true", [True])),
        *(("tea", []), ("null", []), ("[1]", [])),
    ],
)
def test_possible_values(text: str, others: list[Any]) -> None:
    """An argument is a text, and a number or a truth value that MongoDB can store."""
    assert (text, *others) == possible_values(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--idle", "5 parsecs"),
        *(("--where", text) for text in ("n", "=5", "a..b=5", "$n=5", "a.$b=5")),
    ],
    ids=" ".join,
)
def test_refused(command: Run, arguments: tuple[str, str]) -> None:
    """What is no duration or condition is a usage error that shows the right form."""
    result = command("list", *arguments)
    assert 2 == result.exit_code
    assert (
        "Write 90s, 30m, 1h or 30d." in result.stderr or "Write it as KEY=VALUE." in result.stderr
    )
