"""How much of a request's processor time is spent in the code of this package.

Two ways, because neither is beyond doubt. The first subtracts from a request's what another one
takes, in which PyMongo alone sends the same commands and Beaker's ``memory`` then serves a request.
The second looks into the process now and then and notes whose code runs: the innermost frame that
belongs to this package, to PyMongo, or to Beaker. Code of the standard library, and of C, counts
for who called it. Unlike a tracing profiler, that slows nothing down.
"""

import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType

import beaker
import bson
import pymongo

import beaker_mongo_soajs
from benchmarks.cells import SessionCell, Spec
from benchmarks.contenders import (
    FIND_AND_MEMORY,
    FIND_UPDATE_AND_MEMORY,
    MONGO_SESSION,
    TYPE,
)
from benchmarks.samples import Samples
from benchmarks.workloads import CHANGE

LEAST = {
    TYPE: FIND_AND_MEMORY,
    MONGO_SESSION: FIND_AND_MEMORY,
}
"""Who does for a request that only reads what PyMongo and Beaker do for a contender, no more."""

OTHERS = ("PyMongo", "Beaker", "the benchmark")
"""Whose code runs besides that of this package."""

_PERIOD_SECONDS = 0.001
_CHUNK = 50
_OWN = "this package"


def _folder(module: ModuleType) -> str:
    assert module.__file__ is not None
    return str(Path(module.__file__).parent) + "/"


_OWNERS = {
    _folder(beaker_mongo_soajs): _OWN,
    _folder(pymongo): OTHERS[0],
    _folder(bson): OTHERS[0],
    _folder(beaker): OTHERS[1],
}


def subtracted_us(samples: Mapping[Spec, Samples], spec: Spec) -> float:
    """Return what a request takes beyond PyMongo's and Beaker's processor time.

    :param samples: of a run.
    :param spec: one of this package.
    """
    least = FIND_UPDATE_AND_MEMORY if spec.workload == CHANGE else LEAST[spec.contender]
    return samples[spec].cpu_us - samples[spec.of(least)].cpu_us


@dataclass
class Shares:
    """Whose code ran.

    :param requests: how many requests were served.
    :param cpu_seconds: how much processor time they took.
    :param owners: how often each was seen.
    :param functions: how often each function of this package was seen.
    """

    requests: int = 0
    cpu_seconds: float = 0.0
    owners: Counter[str] = field(default_factory=Counter)
    functions: Counter[str] = field(default_factory=Counter)

    def us(self, seen: int) -> float:
        """Return for how many microseconds of a request something ran.

        :param seen: how often it was seen.
        """
        total = max(1, self.owners.total())
        return seen / total * self.cpu_seconds / max(1, self.requests) * 1e6

    @property
    def own_us(self) -> float:
        """The microseconds of a request that this package's code ran."""
        return self.us(self.owners[_OWN])

    def see(self, frame: FrameType | None) -> None:
        """Note whose code runs."""
        while frame is not None:
            name = frame.f_code.co_filename
            for folder, owner in _OWNERS.items():
                if name.startswith(folder):
                    self.owners[owner] += 1
                    if owner == _OWN:
                        place = Path(name).stem
                        self.functions[f"{place}.{frame.f_code.co_qualname}"] += 1
                    return
            frame = frame.f_back
        self.owners[OTHERS[-1]] += 1


def sampled(
    cells: Sequence[SessionCell], seconds: float, progress: Callable[[float], object]
) -> dict[Spec, Shares]:
    """Serve requests and look whose code runs, in turns.

    :param cells: whose requests.
    :param seconds: for how much processor time each.
    :param progress: is told of the processor time that went by.
    :returns: by what was measured.
    """
    shares = {cell.spec: Shares() for cell in cells}
    while ahead := [cell for cell in cells if shares[cell.spec].cpu_seconds < seconds]:
        for cell in ahead:
            before = shares[cell.spec].cpu_seconds
            _look(cell, shares[cell.spec])
            progress(shares[cell.spec].cpu_seconds - before)
    return shares


def _look(cell: SessionCell, shares: Shares) -> None:
    visits = [cell.prepare() for _ in range(_CHUNK)]
    before = signal.signal(signal.SIGPROF, lambda _, frame: shares.see(frame))
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, _PERIOD_SECONDS, _PERIOD_SECONDS)
    try:
        for visit in visits:
            cell.serve(visit)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        shares.cpu_seconds += time.process_time() - start
        shares.requests += len(visits)
        signal.signal(signal.SIGPROF, before)
