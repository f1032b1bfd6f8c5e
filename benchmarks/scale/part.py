"""A part of the measurements, with its results."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Scope:
    """The size of the measurements.

    :param load_seconds: the seconds of HTTP load for each number of processes and threads.
    :param grid: the numbers of processes, and of threads in each.
    :param visitors: the visitors of a process.
    :param expiry_seconds: the seconds in which sessions expire.
    :param crowds: the numbers of stored sessions.
    :param reads: the requests for each number of stored sessions.
    :param canned: the requests whose answers are canned.
    """

    load_seconds: int = 2
    grid: tuple[tuple[int, ...], tuple[int, ...]] = ((1, 2, 4), (1, 8, 32, 128))
    visitors: int = 30_000
    expiry_seconds: int = 130
    crowds: tuple[int, ...] = (1_000, 1_000_000)
    reads: int = 3_000
    canned: int = 120


FULL = Scope()
TINY = Scope(1, ((1, 2), (1, 8)), 100, 1, (1_000, 21_000), 20, 1)
"""A few requests, to check that everything works."""


@dataclass
class Part:
    """The results of one part.

    :param title: the heading.
    :param head: the titles of the columns.
    :param rows: the rows, formatted.
    :param figures: the unrounded figures.
    :param notes: sentences below the table.
    """

    title: str
    head: list[str]
    rows: list[list[str]] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def raw(self) -> dict[str, Any]:
        """Return it for a JSON file."""
        return asdict(self)
