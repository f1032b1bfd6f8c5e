"""Ratios of medians: how much longer one contender takes than another."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.cells import Spec
from benchmarks.contenders import (
    BEAKER,
    FIND,
    FIND_AND_MEMORY,
    FIND_UPDATE,
    FIND_UPDATE_AND_MEMORY,
    MEMORY,
    MONGO_SESSION,
    REDIS,
    TYPE,
)
from benchmarks.plan import MILLION, OURS, SMALL, THOUSAND
from benchmarks.samples import Samples
from benchmarks.workloads import CHANGE, READ

Results = Mapping[Spec, Samples]

_TITLES = {TYPE: "`session.type` alone", MONGO_SESSION: "MongoSession"}


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians of one run.

    :param title: what is compared.
    :param above: the cells above the line; their medians are added.
    :param below: the cells below the line.
    :param by_processor: whether to compare the processor time of this process as well. It means
        nothing where round trips or servers are compared.
    """

    title: str
    above: Sequence[Spec]
    below: Sequence[Spec]
    by_processor: bool = True

    def by_time(self, results: Results) -> float:
        """Return the ratio of the medians."""
        return _sum(self.above, results, _median) / _sum(self.below, results, _median)

    def by_processor_time(self, results: Results) -> float:
        """Return the ratio of the processor times."""
        return _sum(self.above, results, _cpu) / _sum(self.below, results, _cpu)

    def is_measured(self, results: Results) -> bool:
        """Check whether all cells that it compares were measured."""
        return all(spec in results for spec in (*self.above, *self.below))


def ratios() -> list[Ratio]:
    """Return the ratios that a report shows."""
    return [*_of_reads(), *_of_changes(), *_of_distance(), *_of_a_million()]


def _of_reads() -> Iterator[Ratio]:
    read = Spec("", READ)
    floor = [read.of(FIND), read.of(MEMORY)]
    for name in OURS:
        title, ours = _TITLES[name], [read.of(name)]
        yield Ratio(f"read only: `ext:mongodb` / {title}", [read.of(BEAKER)], ours)
        yield Ratio(f"read only: {title} / (`find_one` + Beaker `memory`)", ours, floor)
        yield Ratio("… / the same two in one request", ours, [read.of(FIND_AND_MEMORY)])
        yield Ratio(f"read only: {title} / `ext:redis`", ours, [read.of(REDIS)])


def _of_changes() -> Iterator[Ratio]:
    change = Spec("", CHANGE)
    floor = [change.of(FIND_UPDATE), change.of(MEMORY)]
    for name in OURS:
        title, ours = _TITLES[name], [change.of(name)]
        yield Ratio(f"small change: `ext:mongodb` / {title}", [change.of(BEAKER)], ours)
        yield Ratio(
            f"small change: {title} / (`find_one` + `update_one` + Beaker `memory`)", ours, floor
        )
        yield Ratio("… / the same three in one request", ours, [change.of(FIND_UPDATE_AND_MEMORY)])
        yield Ratio(f"small change: {title} / `ext:redis`", ours, [change.of(REDIS)])


def _of_distance() -> Iterator[Ratio]:
    for workload, words in ((READ, "read only"), (CHANGE, "small change")):
        far = Spec("", workload, round_trip_ms=1.0)
        floor = FIND if workload == READ else FIND_UPDATE
        for name in OURS:
            for above, below in ((BEAKER, name), (name, REDIS), (name, floor)):
                titles = [_TITLES.get(each, f"`{each}`") for each in (above, below)]
                yield Ratio(
                    f"{words}, round trip of 1 ms: {titles[0]} / {titles[1]}",
                    [far.of(above)],
                    [far.of(below)],
                    by_processor=False,
                )


def _of_a_million() -> Iterator[Ratio]:
    for name in OURS:
        yield Ratio(
            f"read only, 200 B: {_TITLES[name]}, among a million / among a thousand",
            [Spec(name, READ, SMALL, MILLION)],
            [Spec(name, READ, SMALL, THOUSAND)],
            by_processor=False,
        )


def _sum(specs: Sequence[Spec], results: Results, figure: Callable[[Samples], float]) -> float:
    return sum(figure(results[spec]) for spec in specs)


def _median(samples: Samples) -> float:
    return samples.median_us


def _cpu(samples: Samples) -> float:
    return samples.cpu_us
