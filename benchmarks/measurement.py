"""Cells take turns, in random order, until each has served its requests or time is up."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.cells import Cell, SelfTimedCell, ServingCell, Spec
from benchmarks.samples import Samples, Turn

BURST = 10
"""The requests of one turn: a server, too, serves the same kind again and again."""

_BURST_OF_EACH_THREAD = 4

Progress = Callable[[int], object]


@dataclass
class Group:
    """Cells that are compared with each other, and so take turns with each other.

    :param title: what they have in common.
    :param cells: the cells.
    :param requests: how many requests each is to serve.
    """

    title: str
    cells: Sequence[Cell]
    requests: int

    def __post_init__(self) -> None:
        self.samples = {cell.spec: Samples() for cell in self.cells}

    def add(self, cell: Cell) -> None:
        """Let another cell take turns with the others."""
        self.cells = [*self.cells, cell]
        self.samples[cell.spec] = Samples()

    @property
    def served(self) -> int:
        """How many requests each cell has served."""
        return min(len(samples.wall_ns) for samples in self.samples.values())


def measure(groups: Sequence[Group], slices: int, deadline: float, progress: Progress) -> None:
    """Have all groups serve their requests, slice by slice.

    Each group serves a part of its requests in each slice, and slices go round: a moment when the
    machine is busy with something else meets every group.

    :param groups: the groups; their samples are filled.
    :param slices: in how many slices.
    :param deadline: when it ends at the latest, as :func:`time.monotonic` counts; but the first
        slice is measured in any case.
    :param progress: is told of each request served.
    """
    for group in groups:
        for cell in group.cells:
            _take_turn(cell, Samples(), progress)
    for number in range(1, slices + 1):
        for group in random.sample(groups, len(groups)):
            while group.served < group.requests * number / slices:
                if number > 1 and time.monotonic() > deadline:
                    return
                for cell in random.sample(group.cells, len(group.cells)):
                    _take_turn(cell, group.samples[cell.spec], progress)


def requests_to_serve(groups: Sequence[Group]) -> int:
    """Return how often :func:`measure` will tell of a request, at most a turn's more or less."""
    return sum(len(group.cells) * (group.requests + BURST) for group in groups)


def _take_turn(cell: Cell, samples: Samples, progress: Progress) -> None:
    threads = cell.spec.threads
    if isinstance(cell, SelfTimedCell):
        turn = cell.take_turn(BURST)
    elif threads == 1:
        turn = _serve_one_by_one(cell, [cell.prepare() for _ in range(BURST)])
    else:
        number = _BURST_OF_EACH_THREAD
        visits = [[cell.prepare() for _ in range(number)] for _ in range(threads)]
        turn = _serve_together(cell, visits)
    samples.add(turn)
    progress(len(turn.wall_ns))


def _serve_one_by_one(cell: ServingCell, visits: Sequence[Any]) -> Turn:
    serve, wall_ns = cell.serve, []
    cpu = time.thread_time_ns()
    begin = time.perf_counter_ns()
    for visit in visits:
        start = time.perf_counter_ns()
        serve(visit)
        wall_ns.append(time.perf_counter_ns() - start)
    elapsed = time.perf_counter_ns() - begin
    return Turn(wall_ns, time.thread_time_ns() - cpu, elapsed)


def _serve_together(cell: ServingCell, visits: Sequence[Sequence[Any]]) -> Turn:
    together = threading.Barrier(len(visits) + 1)

    def serve(mine: Sequence[Any]) -> list[int]:
        wall_ns = []
        together.wait()
        for visit in mine:
            start = time.perf_counter_ns()
            cell.serve(visit)
            wall_ns.append(time.perf_counter_ns() - start)
        return wall_ns

    # Its threads are old ones after the first turn.
    pool = _pool(len(visits))
    answers = [pool.submit(serve, mine) for mine in visits]
    cpu = time.process_time_ns()
    together.wait()
    begin = time.perf_counter_ns()
    wall_ns = [each for answer in answers for each in answer.result()]
    elapsed = time.perf_counter_ns() - begin
    return Turn(wall_ns, time.process_time_ns() - cpu, elapsed)


_pools: dict[int, ThreadPoolExecutor] = {}


def _pool(threads: int) -> ThreadPoolExecutor:
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads)
    return _pools[threads]


def all_samples(groups: Sequence[Group]) -> dict[Spec, Samples]:
    """Return the samples of all cells of all groups."""
    return {spec: samples for group in groups for spec, samples in group.samples.items()}
