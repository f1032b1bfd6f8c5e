"""The measured times of a cell, and the figures that are computed from them."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_KEPT_PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)


class Turn(NamedTuple):
    """The times of a turn.

    :param wall_ns: the time of each request.
    :param cpu_ns: the processor time of all requests.
    :param elapsed_ns: the time of the turn.
    """

    wall_ns: list[int]
    cpu_ns: float
    elapsed_ns: int


@dataclass
class Samples:
    """The figures of one cell.

    :param wall_ns: the time of each request.
    :param cpu_ns: the processor time per request in this process, for each turn.
    :param requests_a_second: the requests per second, for each turn.
    """

    wall_ns: list[int] = field(default_factory=list)
    cpu_ns: list[float] = field(default_factory=list)
    requests_a_second: list[float] = field(default_factory=list)

    def add(self, turn: Turn) -> None:
        """Add the figures of a turn."""
        self.wall_ns += turn.wall_ns
        self.cpu_ns.append(turn.cpu_ns / len(turn.wall_ns))
        self.requests_a_second.append(len(turn.wall_ns) / turn.elapsed_ns * 1e9)

    @property
    def median_us(self) -> float:
        """The median time of a request in microseconds."""
        return percentile(self.wall_ns, 50) / 1000

    @property
    def p95_us(self) -> float:
        """The 95th percentile of the times of requests, in microseconds."""
        return percentile(self.wall_ns, 95) / 1000

    @property
    def p99_us(self) -> float:
        """The 99th percentile of the times of requests, in microseconds."""
        return percentile(self.wall_ns, 99) / 1000

    @property
    def cpu_us(self) -> float:
        """The median processor time of a request in microseconds."""
        return statistics.median(self.cpu_ns) / 1000

    @property
    def throughput(self) -> float:
        """The median of the requests per second."""
        return statistics.median(self.requests_a_second)

    def raw(self) -> dict[str, Any]:
        """Return the figures for a JSON file."""
        return {
            "requests": len(self.wall_ns),
            "wall_ns": {f"p{p}": percentile(self.wall_ns, p) for p in _KEPT_PERCENTILES},
            "mean_wall_ns": round(statistics.fmean(self.wall_ns)),
            "cpu_ns": {f"p{p}": round(percentile(self.cpu_ns, p)) for p in _KEPT_PERCENTILES},
            "requests_a_second": round(self.throughput, 1),
        }


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that a percentage of the values does not exceed.

    :param values: the values, in any order; at least one.
    :param percent: the percentage, above 0 and at most 100.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
