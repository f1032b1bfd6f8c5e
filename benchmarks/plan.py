"""What a run measures: the groups of cells, and how many requests each cell serves."""

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
# A thousand of a hundred kilobytes would be read from a disk, not from memory.
LARGE_SESSIONS = 50


# The first one makes the documents for all others of this package.
_AMONG_A_MILLION = (
    contenders.TYPE,
    contenders.MONGO_SESSION,
    contenders.BEAKER,
    contenders.FIND,
)


@dataclass(frozen=True)
class Outline:
    """A group before there are servers.

    :param title: what its cells have in common.
    :param specs: the cells.
    :param requests: how many requests each serves.
    """

    title: str
    specs: tuple[Spec, ...]
    requests: int


def full() -> list[Outline]:
    """Return all that is measured."""
    return [
        _everybody("read only, 2 kB", READ, 3_000),
        _everybody("small change, 2 kB", CHANGE, 3_000),
        _everybody("login and logout, 2 kB", LOGIN, 500),
        _everybody("new visitor, 2 kB", NEW, 800),
        _everybody("read only, 200 B", READ, 1_000, size=SMALL),
        _everybody("small change, 200 B", CHANGE, 1_000, size=SMALL),
        _everybody("read only, 100 kB", READ, 100, size=LARGE, sessions=LARGE_SESSIONS),
        _everybody("small change, 100 kB", CHANGE, 100, size=LARGE, sessions=LARGE_SESSIONS),
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
    """Return what tells most in little time."""
    return [
        _everybody("read only, 2 kB", READ, 1_500),
        _everybody("small change, 2 kB", CHANGE, 1_000),
        *_far(300),
    ]


def tiny() -> list[Outline]:
    """Return just enough to see that it works."""
    return [
        _everybody("read only, 2 kB", READ, 10),
        _everybody("small change, 2 kB", CHANGE, 10),
        _everybody("login and logout, 2 kB", LOGIN, 10),
        *itertools.islice(_threads(8, 10), 1),
        *itertools.islice(_far(10), 1),
        *itertools.islice(_caches(10, 10), 1),
    ]


def _everybody(title: str, workload: str, requests: int, **of: int) -> Outline:
    specs = [Spec(name, workload, **of) for name in _able(workload)]
    # These are for the figures of our own code alone.
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
        (HIT, "cache: the value of 2 kB is there", hits),
        (MISS, "cache: the value of 2 kB is created", misses),
    ):
        yield Outline(title, tuple(Spec(name, workload, sessions=0) for name in CACHES), requests)


def _able(workload: str) -> list[str]:
    return [
        name for name, contender in contenders.CONTENDERS.items() if workload in contender.workloads
    ]
