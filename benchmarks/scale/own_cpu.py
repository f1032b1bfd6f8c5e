"""The processor time of our own code, with canned answers of the driver.

PyMongo is replaced by a few lines that return what it has returned before. The processor time of a
request with Beaker's ``memory``, which does the same without a store, is subtracted.
"""

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.results import UpdateResult

from benchmarks.contenders import CONTENDERS, MEMORY, MONGO_SESSION, TYPE
from benchmarks.environment import Environment
from benchmarks.plan import LARGE, MIDDLE
from benchmarks.scale.part import Part, Scope
from benchmarks.servers import servers
from benchmarks.visits import cart
from benchmarks.workloads import CHANGE, READ, WORKLOADS

_EVICTED = bytes(64 << 20)
"""More than the processor's caches hold."""

_BATCH = 20

_FEWER = 4
"""A large session takes ten times as long, and its times vary less."""


def measure(scope: Scope) -> Part:
    """Measure requests one after the other, and requests after a wait.

    :param scope: the size of the measurement.
    """
    part = Part("Own processor time, canned answers", ["µs a request", "hot", "cold"])
    with servers() as running:
        for size in (MIDDLE, LARGE):
            for workload in (READ, CHANGE):
                names = (MEMORY, TYPE, MONGO_SESSION)
                serve = {name: _request(running.place, name, workload, size) for name in names}
                number = scope.canned if size == MIDDLE else math.ceil(scope.canned / _FEWER)
                with _canned(serve[TYPE], serve[MONGO_SESSION]):
                    spent = _times(serve, number)
                _report(part, workload, size, spent)
    part.notes.append(
        "Beyond Beaker's `memory`. Hot: requests follow one another. Cold: the processor's caches "
        "are emptied before each request, as they are while a process waits for a server."
    )
    return part


def _request(place: Environment, contender: str, workload: str, size: int) -> Callable[[], object]:
    place = replace(place, database=f"bench_{contender}_{size}".replace(".", "_"))
    site = CONTENDERS[contender].make(place, cart(size))
    cookie = site.begin()
    kind = WORKLOADS[workload]
    return lambda: kind.serve(site, kind.prepare(site, iter([cookie])))


@contextmanager
def _canned(*requests: Callable[[], object]) -> Iterator[None]:
    """Replace PyMongo by its answers to these requests."""
    answers: dict[str, bytes] = {}
    real = Database.command

    def keep(database: Any, command: Any, *arguments: Any, **options: Any) -> Any:
        answer: Any = real(database, command, *arguments, **options)
        answers[database.name] = answer.raw
        return answer

    def answer(database: Any, _: Any, *, codec_options: Any, **__: Any) -> Any:
        return RawBSONDocument(answers[database.name], codec_options)

    with patch.object(Database, "command", keep):
        for request in requests:
            request()
    updated = UpdateResult({"n": 1, "nModified": 1, "ok": 1.0}, acknowledged=True)
    with ExitStack() as stack:
        stack.enter_context(patch.object(Database, "command", answer))
        stack.enter_context(patch.object(Collection, "update_one", lambda *_, **__: updated))
        yield


def _times(
    serve: dict[str, Callable[[], object]], number: int
) -> dict[str, dict[str, list[float]]]:
    """Return the microseconds of single cold requests, and the averages of hot ones."""
    spent: dict[str, dict[str, list[float]]] = {name: {"hot": [], "cold": []} for name in serve}
    gc.collect()
    gc.disable()
    try:
        for _ in range(number):
            for name, request in serve.items():
                bytearray(_EVICTED)
                start = time.thread_time_ns()
                request()
                cold = time.thread_time_ns()
                for _ in range(_BATCH):
                    request()
                hot = time.thread_time_ns()
                spent[name]["cold"].append((cold - start) / 1000)
                spent[name]["hot"].append((hot - cold) / 1000 / _BATCH)
            gc.collect(0)
    finally:
        gc.enable()
    return spent


def _report(part: Part, workload: str, size: int, spent: dict[str, dict[str, list[float]]]) -> None:
    medians = {
        name: {kind: statistics.median(times) for kind, times in kinds.items()}
        for name, kinds in spent.items()
    }
    for name, found in medians.items():
        if name == MEMORY:
            continue
        own = {kind: found[kind] - medians[MEMORY][kind] for kind in found}
        title = f"{WORKLOADS[workload].title}, {size:,} B: {CONTENDERS[name].title}"
        part.rows.append([title, *(f"{each:.0f}" for each in own.values())])
        part.figures.append(
            {"contender": name, "workload": workload, "size": size, "own_us": own, "us": medians}
        )
