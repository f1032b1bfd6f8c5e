"""The plan of a run: groups of cells, and the number of requests for each cell."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import contenders
from benchmarks.caches import CACHES, HIT, MISS
from benchmarks.cells import Spec
from benchmarks.workloads import CHANGE, LOGIN, NEW, READ

OURS = (contenders.TYPE, contenders.MONGO_SESSION)
SERVED = (*OURS, contenders.BEAKER, contenders.REDIS)
WITH_BEAKER = (
    contenders.FIND_AND_MEMORY,
    contenders.FIND_UPDATE_AND_MEMORY,
)
FLOORS = (
    contenders.FIND,
    contenders.FIND_UPDATE,
)

SMALL, MIDDLE, LARGE = 200, 2_000, 100_000
THOUSAND, MILLION = 1_000, 1_000_000
# A thousand sessions of 100 kB would not fit into the memory of the server.
LARGE_SESSIONS = 50


# The first contender makes the documents for all contenders of this package.
_AMONG_A_MILLION = (
    contenders.TYPE,
    contenders.MONGO_SESSION,
    contenders.BEAKER,
    contenders.FIND,
)


@dataclass(frozen=True)
class Outline:
    """The plan of a group.

    :param title: the title of the table.
    :param specs: the specs of the cells.
    :param requests: the number of requests for each cell.
    """

    title: str
    specs: tuple[Spec, ...]
    requests: int


def full() -> list[Outline]:
    """Return the plan of a full run."""
    return [
        _all_contenders("read only, 2 kB", READ, 3_000),
        _all_contenders("small change, 2 kB", CHANGE, 3_000),
        _all_contenders("login and logout, 2 kB", LOGIN, 500),
        _all_contenders("new visitor, 2 kB", NEW, 800),
        _all_contenders("read only, 200 B", READ, 1_000, size=SMALL),
        _all_contenders("small change, 200 B", CHANGE, 1_000, size=SMALL),
        _all_contenders("read only, 100 kB", READ, 100, size=LARGE, sessions=LARGE_SESSIONS),
        _all_contenders("small change, 100 kB", CHANGE, 100, size=LARGE, sessions=LARGE_SESSIONS),
        *_threads(8, 1_000),
        *_threads(32, 1_000),
        *_far(1_200),
        *_caches(1_000, 300),
        Outline(
            "read only, 200 B, among a thousand and among a million",
            tuple(
                Spec(name, READ, SMALL, sessions)
                for name in _AMONG_A_MILLION
                for sessions in (THOUSAND, MILLION)
            ),
            1_500,
        ),
    ]


def quick() -> list[Outline]:
    """Return the plan of a quick run."""
    return [
        _all_contenders("read only, 2 kB", READ, 1_500),
        _all_contenders("small change, 2 kB", CHANGE, 1_000),
        *_far(300),
    ]


def tiny() -> list[Outline]:
    """Return the plan of a tiny run, which only shows that everything works."""
    return [
        _all_contenders("read only, 2 kB", READ, 10),
        _all_contenders("small change, 2 kB", CHANGE, 10),
        _all_contenders("login and logout, 2 kB", LOGIN, 10),
        *itertools.islice(_threads(8, 10), 1),
        *itertools.islice(_far(10), 1),
        *itertools.islice(_caches(10, 10), 1),
    ]


def _all_contenders(title: str, workload: str, requests: int, **of: int) -> Outline:
    specs = [Spec(name, workload, **of) for name in _able(workload)]
    # These are only needed for the time of our own code.
    taking = [each for each in specs if each.size == MIDDLE or each.contender not in WITH_BEAKER]
    return Outline(title, tuple(taking), requests)


def _threads(threads: int, requests: int) -> Iterator[Outline]:
    names = (*OURS, contenders.MEMORY, contenders.FILE, contenders.BEAKER, contenders.REDIS)
    for workload, title in ((READ, "read only"), (CHANGE, "small change")):
        specs = tuple(Spec(name, workload, threads=threads) for name in names)
        yield Outline(f"{title}, 2 kB, {threads} threads", specs, requests)


def _far(requests: int) -> Iterator[Outline]:
    for workload, title in ((READ, "read only"), (CHANGE, "small change")):
        names = [name for name in (*SERVED, *FLOORS) if name in _able(workload)]
        specs = tuple(Spec(name, workload, round_trip_ms=1.0) for name in names)
        yield Outline(f"{title}, 2 kB, round trip of 1 ms", specs, requests)


def _caches(hits: int, misses: int) -> Iterator[Outline]:
    for workload, title, requests in (
        (HIT, "cache: reading a value of 2 kB", hits),
        (MISS, "cache: creating a value of 2 kB", misses),
    ):
        yield Outline(title, tuple(Spec(name, workload, sessions=0) for name in CACHES), requests)


def _able(workload: str) -> list[str]:
    return [
        name for name, contender in contenders.CONTENDERS.items() if workload in contender.workloads
    ]
