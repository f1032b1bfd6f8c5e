"""The processor time of a request in the code of this package.

It is measured in two ways, because neither is exact. The first subtracts the time of a request in
which PyMongo alone sends the same commands and Beaker's ``memory`` then serves a request. The
second samples the process: the running code is attributed to the innermost frame that belongs to
this package, PyMongo or Beaker. The standard library and C code count for their callers. Unlike a
tracing profiler, sampling slows nothing down.
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
"""For each contender, one that does only the work of PyMongo and Beaker, for a read."""

OTHERS = ("PyMongo", "Beaker", "the benchmark")
"""The owners of the other code."""

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
    """Return the processor time of a request beyond that of PyMongo and Beaker.

    :param samples: the samples of a run.
    :param spec: a spec of this package.
    """
    least = FIND_UPDATE_AND_MEMORY if spec.workload == CHANGE else LEAST[spec.contender]
    return samples[spec].cpu_us - samples[spec.of(least)].cpu_us


@dataclass
class Shares:
    """The owners of the code that ran.

    :param requests: the number of served requests.
    :param cpu_seconds: their processor time.
    :param owners: the number of samples of each owner.
    :param functions: the number of samples of each function of this package.
    """

    requests: int = 0
    cpu_seconds: float = 0.0
    owners: Counter[str] = field(default_factory=Counter)
    functions: Counter[str] = field(default_factory=Counter)

    def us(self, seen: int) -> float:
        """Return the microseconds of a request for a number of samples.

        :param seen: the number of samples.
        """
        total = max(1, self.owners.total())
        return seen / total * self.cpu_seconds / max(1, self.requests) * 1e6

    @property
    def own_us(self) -> float:
        """The microseconds of a request in the code of this package."""
        return self.us(self.owners[_OWN])

    def see(self, frame: FrameType | None) -> None:
        """Count a sample for the owner of the running code."""
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
    """Serve requests in turns, and sample the running code.

    :param cells: the cells.
    :param seconds: the processor time for each cell.
    :param progress: a function that is called with the elapsed processor time.
    :returns: the shares of each cell.
    """
    shares = {cell.spec: Shares() for cell in cells}
    while pending := [cell for cell in cells if shares[cell.spec].cpu_seconds < seconds]:
        for cell in pending:
            before = shares[cell.spec].cpu_seconds
            _sample(cell, shares[cell.spec])
            progress(shares[cell.spec].cpu_seconds - before)
    return shares


def _sample(cell: SessionCell, shares: Shares) -> None:
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
