"""The figures of a run, read from its raw figures: those of a run now, or of a JSON file."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from benchmarks.cells import Spec
from benchmarks.contenders import CONTENDERS
from benchmarks.plan import OURS

_SPEC_FIELDS = [each.name for each in fields(Spec)]


class Cell(NamedTuple):
    """The figures of one cell.

    :param median_us: the median time of a request in microseconds.
    :param requests_a_second: the requests per second.
    """

    median_us: float
    requests_a_second: float

    @property
    def median_ms(self) -> float:
        """The median time of a request in milliseconds."""
        return self.median_us / 1000


@dataclass(frozen=True)
class Figures:
    """The figures of a run.

    :param raw: the raw figures, as :func:`benchmarks.raw.raw_figures` returns them.
    :param cells: the figures of each cell.
    """

    raw: Mapping[str, Any]
    cells: Mapping[Spec, Cell]

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "Figures":
        """Read raw figures.

        :param raw: the raw figures.
        """
        cells = {}
        for each in raw["cells"]:
            if each["contender"] in CONTENDERS:
                spec = Spec(**{name: each[name] for name in _SPEC_FIELDS})
                median_us = each["wall_ns"]["p50"] / 1000
                cells[spec] = Cell(median_us, each["requests_a_second"])
        return cls(raw, cells)

    def ms(self, spec: Spec) -> float | None:
        """Return the median time of a request in milliseconds; ``None`` if it was not measured."""
        cell = self.cells.get(spec)
        return None if cell is None else cell.median_ms

    def rate(self, spec: Spec) -> float | None:
        """Return the requests per second; ``None`` if they were not measured."""
        cell = self.cells.get(spec)
        return None if cell is None else cell.requests_a_second


def title_of(name: str) -> str:
    """Return the title of a contender as plain text."""
    return CONTENDERS[name].title.replace("*", "").replace("`", "")


def is_ours(name: str) -> bool:
    """Check whether a contender is this package."""
    return name in OURS
