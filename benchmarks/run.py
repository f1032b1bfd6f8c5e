"""A run: servers, cells, turns, and other measurements."""

import gc
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tqdm import tqdm

from benchmarks import dogpile, node
from benchmarks.caches import HIT, MISS, CacheCell
from benchmarks.cells import Cell, SessionCell, Spec
from benchmarks.contenders import BEAKER, CONTENDERS, FILE, MEMORY, MONGO_SESSION, TYPE
from benchmarks.distance import Distance, at_a_distance
from benchmarks.environment import Environment
from benchmarks.machine import machine, versions
from benchmarks.measurement import Group, all_samples, measure, requests_to_serve
from benchmarks.memory import Stored, in_collection, in_process, in_redis
from benchmarks.own_time import Shares, sampled
from benchmarks.plan import MILLION, OURS, SMALL, Outline
from benchmarks.samples import Samples
from benchmarks.servers import Servers, grow_cache, servers
from benchmarks.traffic import Traffic, traffic
from benchmarks.workloads import CHANGE, READ
from tests.behaviour.scenarios import beaker_options

_ROUND_TRIP_MS = 1.0
_MILLION_CACHE_GIGABYTES = 2


@dataclass(frozen=True)
class Scope:
    """The scope of a run.

    :param outlines: the groups.
    :param seconds: the time limit for the turns of the cells.
    :param slices: the number of slices.
    :param sampling_seconds: the processor time of sampling, for each contender of this package and
        each of two workloads.
    :param most_sessions: an upper limit for the sessions of a cell.
    :param counted: the requests of a cell whose commands and bytes are counted.
    :param with_extras: whether to measure memory and dogpiles as well.
    """

    outlines: Sequence[Outline]
    seconds: float
    slices: int
    sampling_seconds: float
    most_sessions: int | None = None
    counted: int = 50
    with_extras: bool = False


@dataclass
class Run:
    """The results of a run.

    :param machine: the machine, with its load before the run.
    :param versions: the versions of all software.
    :param missing: the contenders that did not take part, with the reasons.
    :param groups: the measured groups.
    :param distances: the measured distances of the servers.
    :param traffic: the commands and bytes of requests.
    :param shares: the owners of the code that ran.
    :param stored: the sizes of a million sessions.
    :param process_bytes: the memory for each additional visitor.
    :param dogpile: the table about many requests for one cached value.
    :param load_after: the load of the machine after the run.
    :param seconds: the duration of the run.
    """

    machine: dict[str, Any]
    versions: dict[str, str]
    missing: dict[str, str]
    groups: list[Group] = field(default_factory=list)
    distances: list[Distance] = field(default_factory=list)
    traffic: dict[Spec, Traffic] = field(default_factory=dict)
    shares: dict[Spec, Shares] = field(default_factory=dict)
    stored: list[Stored] = field(default_factory=list)
    process_bytes: dict[str, float] = field(default_factory=dict)
    dogpile: list[list[str]] = field(default_factory=list)
    load_after: float = 0.0
    seconds: float = 0.0

    @property
    def samples(self) -> dict[Spec, Samples]:
        """The samples of all cells."""
        return all_samples(self.groups)


def run(scope: Scope, *, with_node: bool = False, quiet: bool = False) -> Run:
    """Run the benchmarks.

    :param scope: the scope.
    :param with_node: whether to measure connect-mongo.
    :param quiet: whether to hide the progress bar.
    """
    start = time.monotonic()
    with ExitStack() as stack:
        running = stack.enter_context(servers())
        found = Run(machine(), versions(running.versions), _missing(running.place))
        _prepare(scope, found, running, stack, quiet=quiet)
        if with_node:
            _prepare_node(found, running.place)
        else:
            found.missing[node.TITLE] = "`--node` was not given"
        _measure(scope, found, start + scope.seconds, quiet=quiet)
        _count(scope, found, quiet=quiet)
        if scope.with_extras:
            _measure_extras(found, running.place, quiet=quiet)
        for group in found.groups:
            for cell in group.cells:
                cell.close()
    found.load_after = machine()["load"]
    found.seconds = time.monotonic() - start
    return found


def _missing(place: Environment) -> dict[str, str]:
    reasons = {each.title: each.missing(place) for each in CONTENDERS.values()}
    return {title: reason for title, reason in reasons.items() if reason is not None}


def _prepare(scope: Scope, found: Run, running: Servers, stack: ExitStack, *, quiet: bool) -> None:
    specs = [spec for outline in scope.outlines for spec in outline.specs]
    if any(spec.sessions == MILLION for spec in specs):
        grow_cache(running.place, _MILLION_CACHE_GIGABYTES)
    far = running.place
    if any(spec.round_trip_ms for spec in specs):
        far, found.distances = stack.enter_context(at_a_distance(running, _ROUND_TRIP_MS))
    for outline in tqdm(scope.outlines, desc="preparing", leave=False, disable=quiet):
        cells = [
            _cell(spec, far if spec.round_trip_ms else running.place, scope.most_sessions)
            for spec in outline.specs
            if CONTENDERS[spec.contender].title not in found.missing
        ]
        found.groups.append(Group(outline.title, cells, outline.requests))


def _prepare_node(found: Run, place: Environment) -> None:
    reason = node.missing()
    if reason is not None:
        found.missing[node.TITLE] = reason
        return
    packages = node.install(place.folder)
    for group in found.groups:
        like = group.cells[0].spec
        spec = Spec(node.CONNECT_MONGO, like.workload)
        if spec.of(like.contender) == like and like.workload in (READ, CHANGE):
            group.add(node.NodeCell(spec, place, packages))


def _cell(spec: Spec, place: Environment, most_sessions: int | None) -> Cell:
    if spec.workload in (HIT, MISS):
        return CacheCell(spec, place)
    return SessionCell(spec, place, most_sessions)


def _measure(scope: Scope, found: Run, deadline: float, *, quiet: bool) -> None:
    # The garbage collector skips objects that exist already.
    gc.collect()
    gc.freeze()
    total = requests_to_serve(found.groups)
    with tqdm(total=total, desc="measuring", unit=" requests", disable=quiet) as bar:
        measure(found.groups, scope.slices, deadline, bar.update)
    gc.unfreeze()


def _count(scope: Scope, found: Run, *, quiet: bool) -> None:
    cells = {
        cell.spec: cell
        for group in found.groups
        for cell in group.cells
        if isinstance(cell, SessionCell)
    }
    plain = [
        cell
        for spec, cell in cells.items()
        if spec == Spec(spec.contender, spec.workload) and spec.contender not in (MEMORY, FILE)
    ]
    for cell in tqdm(plain, desc="counting commands and bytes", leave=False, disable=quiet):
        found.traffic[cell.spec] = traffic(cell, scope.counted)
    ours = [cells[Spec(name, workload)] for workload in (READ, CHANGE) for name in OURS]
    with tqdm(
        total=scope.sampling_seconds * len(ours),
        desc="sampling",
        bar_format="{l_bar}{bar}",
        leave=False,
        disable=quiet,
    ) as bar:
        found.shares = sampled(ours, scope.sampling_seconds, bar.update)


def _measure_extras(found: Run, place: Environment, *, quiet: bool) -> None:
    million = Spec("", READ, SMALL, MILLION)
    lone = replace(place, database="bench_extras")
    cells = [cell for group in found.groups for cell in group.cells]
    for cell in cells:
        if isinstance(cell, SessionCell) and cell.spec in (million.of(TYPE), million.of(BEAKER)):
            found.stored.append(in_collection(cell))
    steps: list[Callable[[], None]] = [
        *(partial(_measure_process, found, lone, name) for name in (MONGO_SESSION, TYPE, MEMORY)),
        partial(_measure_dogpile, found, lone),
    ]
    if place.redis_url is not None:
        steps.append(lambda: found.stored.append(in_redis(lone)))
    for step in tqdm(steps, desc="memory and dogpiles", leave=False, disable=quiet):
        step()


def _measure_process(found: Run, place: Environment, contender: str) -> None:
    found.process_bytes[CONTENDERS[contender].title] = in_process(contender, place)


def _measure_dogpile(found: Run, place: Environment) -> None:
    names = ("bench_beakers", "bench_ours")
    ours = {"type": "ext:mongodb_soajs", "url": place.mongo_url, "name": names[1]}
    backends = {
        dogpile.BEAKER: (beaker_options(place.mongo_url, names[0]), names[0]),
        dogpile.HERE: (ours, names[1]),
    }
    found.dogpile = list(dogpile.dogpile_rows(backends, kills=False))
