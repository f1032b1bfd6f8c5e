"""Measure cells in turns, in random order, up to a number of requests or a time limit."""

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
"""The requests of a turn. Real servers also serve the same kind of request repeatedly."""

_BURST_OF_EACH_THREAD = 4

Progress = Callable[[int], object]


@dataclass
class Group:
    """Cells that are compared with each other, and take turns with each other.

    :param title: the title of the table.
    :param cells: the cells.
    :param requests: the number of requests for each cell.
    """

    title: str
    cells: Sequence[Cell]
    requests: int

    def __post_init__(self) -> None:
        self.samples = {cell.spec: Samples() for cell in self.cells}

    def add(self, cell: Cell) -> None:
        """Add a cell."""
        self.cells = [*self.cells, cell]
        self.samples[cell.spec] = Samples()

    @property
    def served(self) -> int:
        """The number of requests that each cell has served."""
        return min(len(samples.wall_ns) for samples in self.samples.values())


def measure(groups: Sequence[Group], slices: int, deadline: float, progress: Progress) -> None:
    """Measure all groups, slice by slice.

    Each group serves a part of its requests in each slice. A busy moment of the machine therefore
    affects all groups.

    :param groups: the groups, whose samples are filled.
    :param slices: the number of slices.
    :param deadline: the latest end, by :func:`time.monotonic`. The first slice is measured anyway.
    :param progress: a function that is called with the number of served requests.
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
    """Return the number of requests that :func:`measure` will serve, give or take one turn."""
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

    # After the first turn, its threads exist already.
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
