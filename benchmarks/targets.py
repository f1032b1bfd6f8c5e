"""The ratios that were wanted, and those that were seen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.cells import Spec
from benchmarks.contenders import (
    BEAKER,
    FIND_UPDATE,
    FIND_UPDATE_AND_MEMORY,
    MEMORY,
    MONGO_SESSION,
    REDIS,
    SAME,
    SAME_AND_MEMORY,
    TOUCH_AFTER,
    TYPE,
)
from benchmarks.plan import MILLION, OURS, SMALL, THOUSAND
from benchmarks.samples import Samples
from benchmarks.workloads import CHANGE, READ

Results = Mapping[Spec, Samples]


@dataclass(frozen=True)
class Target:
    """A ratio of medians of one run.

    :param title: what is compared.
    :param above: the cells above the line; their medians are added.
    :param below: the cells below it.
    :param least: the ratio has to be this or more.
    :param most: the ratio has to be this or less.
    :param aim: what would be better still.
    :param by_processor: whether the same ratio by processor time of this process tells something;
        not where a round trip, or the server, is what is compared.
    """

    title: str
    above: Sequence[Spec]
    below: Sequence[Spec]
    least: float | None = None
    most: float | None = None
    aim: float | None = None
    by_processor: bool = True

    @property
    def wanted(self) -> str:
        """The wanted ratio in words."""
        limit = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"
        return limit if self.aim is None else f"{limit} (aim {self.aim:g})"

    def ratio(self, results: Results) -> float:
        """Return the ratio of the medians."""
        return _sum(self.above, results, _median) / _sum(self.below, results, _median)

    def processor_ratio(self, results: Results) -> float:
        """Return the ratio of the processor times."""
        return _sum(self.above, results, _cpu) / _sum(self.below, results, _cpu)

    def is_reached(self, ratio: float) -> bool:
        """Tell whether a ratio is as wanted."""
        if self.least is not None:
            return ratio >= self.least
        return self.most is None or ratio <= self.most

    def is_measured(self, results: Results) -> bool:
        """Tell whether all that it compares took part in a run."""
        return all(spec in results for spec in (*self.above, *self.below))


def targets() -> list[Target]:
    """Return what was wanted."""
    return [*_of_reads(), *_of_changes(), *_of_distance(), *_of_a_million()]


def _of_reads() -> Iterator[Target]:
    read = Spec("", READ)
    beaker = [read.of(BEAKER)]
    yield Target(
        "read only: `ext:mongodb` / `session.type` alone",
        beaker,
        [read.of(TYPE)],
        least=2,
        aim=2.5,
    )
    yield Target("read only: `ext:mongodb` / `touchAfter`", beaker, [read.of(TOUCH_AFTER)], least=4)
    yield Target(
        "read only: `ext:mongodb` / MongoSession", beaker, [read.of(MONGO_SESSION)], least=4
    )
    yield Target(
        "read only: MongoSession / (its command by PyMongo + Beaker `memory`)",
        [read.of(MONGO_SESSION)],
        [read.of(SAME), read.of(MEMORY)],
        most=1.15,
    )
    yield Target(
        "… / the same two in one request",
        [read.of(MONGO_SESSION)],
        [read.of(SAME_AND_MEMORY)],
        most=1.15,
    )
    yield Target(
        "read only: `touchAfter` / `ext:redis`",
        [read.of(TOUCH_AFTER)],
        [read.of(REDIS)],
        most=1.7,
        aim=1.4,
    )


def _of_changes() -> Iterator[Target]:
    change = Spec("", CHANGE)
    floor = [change.of(FIND_UPDATE), change.of(MEMORY)]
    for name, title in zip(
        OURS, ("`session.type` alone", "`touchAfter`", "MongoSession"), strict=True
    ):
        yield Target(
            f"small change: `ext:mongodb` / {title}",
            [change.of(BEAKER)],
            [change.of(name)],
            least=2,
        )
        yield Target(
            f"small change: {title} / (`find_one` + `update_one` + Beaker `memory`)",
            [change.of(name)],
            floor,
            most=1.15,
        )
        yield Target(
            "… / the same three in one request",
            [change.of(name)],
            [change.of(FIND_UPDATE_AND_MEMORY)],
            most=1.15,
        )


def _of_distance() -> Iterator[Target]:
    far = Spec("", READ, round_trip_ms=1.0)
    for name, title in ((TOUCH_AFTER, "`touchAfter`"), (MONGO_SESSION, "MongoSession")):
        for other, least in ((BEAKER, 3.5), (REDIS, 1.6)):
            yield Target(
                f"read only, round trip of 1 ms: `{other}` / {title}",
                [far.of(other)],
                [far.of(name)],
                least=least,
                by_processor=False,
            )


def _of_a_million() -> Iterator[Target]:
    for name, title in zip(
        OURS, ("`session.type` alone", "`touchAfter`", "MongoSession"), strict=True
    ):
        yield Target(
            f"read only, 200 B: {title}, among a million / among a thousand",
            [Spec(name, READ, SMALL, MILLION)],
            [Spec(name, READ, SMALL, THOUSAND)],
            most=1.1,
            by_processor=False,
        )


def _sum(specs: Sequence[Spec], results: Results, figure: Callable[[Samples], float]) -> float:
    return sum(figure(results[spec]) for spec in specs)


def _median(samples: Samples) -> float:
    return samples.median_us


def _cpu(samples: Samples) -> float:
    return samples.cpu_us
