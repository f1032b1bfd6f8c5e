"""Measure who creates a cached value, and how long others wait: ``python -m benchmarks.dogpile``.

Beaker's own ``ext:mongodb`` and this package take turns within one run, and so do their single
operations, beside Beaker's ``memory``. Prints the tables of ``docs/caches.md``. It starts a server
of its own, or uses that of ``MONGODB_URL``.
"""

import argparse
import multiprocessing
import platform
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from beaker.cache import Cache
from pymongo import MongoClient, monitoring

from beaker_mongo_soajs.testing import mongodb_url
from tests.behaviour.scenarios import Options, beaker_options
from tests.recorder import Commands, Recorder

PROCESSES = 8
THREADS = 8
CREATION_SECONDS = 1.0
LEASE_SECONDS = 3.0
PATIENCE_SECONDS = 4 * LEASE_SECONDS
"""How long after the death of a creator the others are given to take over."""

EXPIRE_SECONDS = 1
ROUNDS = 300

BEAKER = "Beaker's `ext:mongodb`"
HERE = "here"
MEMORY = "Beaker's `memory`"


class Answers(NamedTuple):
    """What one process's threads came to.

    :param created: how often its creation function was called.
    :param seconds: how long each thread waited.
    :param commands: how many commands it sent.
    """

    created: int
    seconds: list[float]
    commands: int


class Task(NamedTuple):
    """What the threads of a process are to do together.

    :param key: the key that they all ask for.
    :param creation_seconds: how long its creation takes.
    """

    key: str
    creation_seconds: float


def work(options: Options, database: str, threads: int, pipe: Connection) -> None:
    """Do what comes through a pipe, in a process of its own, and send what came of it.

    :param options: the options of the cache.
    :param database: whose commands are counted.
    :param threads: how many ask together.
    :param pipe: tasks come in, answers go out; also ``None`` whenever a creation begins.
    """
    recorder = Recorder()
    monitoring.register(recorder)
    recorder.commands = commands = Commands(database)
    cache = Cache("things", **options)
    # What a process does once is not what is measured: connections, indexes.
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(cache.has_key, ["warm"] * threads))
        pipe.send(None)
        while True:
            try:
                task: Task = pipe.recv()
            except EOFError:
                return
            commands.clear()
            pipe.send(_ask_together(cache, pool, threads, task, pipe, commands))


def _ask_together(
    cache: Cache,
    pool: ThreadPoolExecutor,
    threads: int,
    task: Task,
    pipe: Connection,
    commands: Commands,
) -> Answers:
    together = threading.Barrier(threads)
    created: list[None] = []

    def create() -> str:
        created.append(None)
        pipe.send(None)
        time.sleep(task.creation_seconds)
        return "value"

    def ask(_: int) -> float:
        together.wait()
        start = time.perf_counter()
        cache.get(task.key, createfunc=create)
        return time.perf_counter() - start

    seconds = list(pool.map(ask, range(threads)))
    return Answers(len(created), seconds, len(commands.started))


class Team:
    """Processes that ask one cache for the same keys at the same time.

    :param options: the options of the cache.
    :param database: its database.
    :param processes: how many processes.
    :param threads: how many threads in each.
    """

    def __init__(self, options: Options, database: str, processes: int, threads: int) -> None:
        # A process that is forked would inherit what its parent has connected.
        context = multiprocessing.get_context("spawn")
        self.pipes: list[Connection] = []
        self.processes: list[BaseProcess] = []
        for _ in range(processes):
            mine, theirs = context.Pipe()
            arguments = (dict(options), database, threads, theirs)
            process = context.Process(target=work, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self.pipes.append(mine)
            self.processes.append(process)
        for pipe in self.pipes:
            pipe.recv()

    def begin(self, task: Task) -> None:
        """Have all begin."""
        for pipe in self.pipes:
            pipe.send(task)

    def wait_for_creation(self, seconds: float) -> bool:
        """Wait until somebody begins to create; return whether that came about in time."""
        return bool(wait(self.pipes, seconds))

    def answers(self) -> Answers:
        """Wait for all, and return what they came to together."""
        each = []
        for pipe in self.pipes:
            while not isinstance(answer := pipe.recv(), Answers):
                pass
            each.append(answer)
        seconds = [second for answer in each for second in answer.seconds]
        created = sum(answer.created for answer in each)
        return Answers(created, seconds, sum(answer.commands for answer in each))

    def kill(self) -> None:
        """Kill all processes."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()


@contextmanager
def _team(options: Options, database: str, processes: int, threads: int) -> Iterator[Team]:
    team = Team(options, database, processes, threads)
    try:
        yield team
    finally:
        team.kill()


def absent_value(options: Options, database: str) -> Answers:
    """Have all ask for a value that is not there."""
    with _team(options, database, PROCESSES, THREADS) as team:
        team.begin(Task("absent", CREATION_SECONDS))
        return team.answers()


def expired_value(options: Options, database: str) -> Answers:
    """Have all ask for a value that has expired."""
    options = {**options, "expire": EXPIRE_SECONDS}
    with _team(options, database, PROCESSES, THREADS) as team:
        Cache("things", **options).put("expired", "old value")
        time.sleep(EXPIRE_SECONDS + 0.1)
        team.begin(Task("expired", CREATION_SECONDS))
        return team.answers()


def killed_creator(options: Options, database: str) -> float | None:
    """Kill who creates a value; return after how many seconds another one does, if one does."""
    with (
        _team(options, database, 1, 1) as creator,
        _team(options, database, PROCESSES - 1, 1) as others,
    ):
        creator.begin(Task("killed", 600.0))
        creator.wait_for_creation(PATIENCE_SECONDS)
        others.begin(Task("killed", 0.1))
        time.sleep(LEASE_SECONDS / 2)
        creator.kill()
        start = time.perf_counter()
        taken_over = others.wait_for_creation(PATIENCE_SECONDS)
        return time.perf_counter() - start if taken_over else None


def dogpile_rows(
    backends: Mapping[str, tuple[Options, str]], *, kills: bool = True
) -> Iterator[list[str]]:
    """Yield the rows of the table of many who ask for one value.

    :param backends: cache options and database by the name of the backend.
    :param kills: whether a creator is killed as well, and waited for.
    """
    yield ["64 threads in 8 processes ask for one value", *backends]
    yield ["---", *("---:" for _ in backends)]
    for title, scene in (("absent", absent_value), ("expired", expired_value)):
        results = [scene(*backend) for backend in backends.values()]
        yield [f"{title}: times created", *(str(result.created) for result in results)]
        yield [f"{title}: median wait", *(_s(statistics.median(r.seconds)) for r in results)]
        yield [f"{title}: slowest", *(_s(max(result.seconds)) for result in results)]
        yield [f"{title}: commands in all", *(str(result.commands) for result in results)]
    if not kills:
        return
    waits = [killed_creator(*backend) for backend in backends.values()]
    yield [
        "creator killed: another one creates after",
        *(_s(wait) if wait is not None else f"not within {_s(PATIENCE_SECONDS)}" for wait in waits),
    ]


def operation_rows(backends: Mapping[str, tuple[Options, str]], rounds: int) -> Iterator[list[str]]:
    """Yield the rows of the table of single operations, in turns.

    :param backends: cache options and database by the name of the backend.
    :param rounds: how often each is done.
    """
    yield ["one thread, nothing else", *backends]
    yield ["---", *("---:" for _ in backends)]
    recorder = Recorder()
    monitoring.register(recorder)
    recorder.commands = commands = Commands(*(database for _, database in backends.values()))
    # Clients report to who was registered before they were made.
    caches = [Cache("operations", **options) for options, _ in backends.values()]
    for cache in caches:
        cache.put("key", "value")
    operations: dict[str, Callable[[Cache, str], object]] = {
        "`cache.get`, the value is there": lambda cache, _: cache.get("key"),
        "`key in cache`": lambda cache, _: "key" in cache,
        "`cache.get`, the value is created": lambda cache, key: cache.get(
            key, createfunc=lambda: "value"
        ),
        "`cache.put`": lambda cache, key: cache.put(key, "value"),
        "`cache.remove_value`": lambda cache, key: cache.remove_value(key),
    }
    for title, operate in operations.items():
        spent: list[list[float]] = [[] for _ in caches]
        sent: list[int] = [0 for _ in caches]
        for number in range(rounds):
            for place, cache in enumerate(caches):
                commands.clear()
                start = time.perf_counter()
                operate(cache, f"key {number}")
                spent[place].append(time.perf_counter() - start)
                sent[place] = len(commands.started)
        yield [title, *map(_cost, spent, sent)]


def _cost(spent: Sequence[float], sent: int) -> str:
    return f"{statistics.median(spent) * 1e6:,.0f} µs, {sent} command{'s' * (sent != 1)}"


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"


def _print(rows: Iterator[list[str]]) -> None:
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
    print()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables.

    :param arguments: of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dogpile", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="%(default)s by default")
    rounds = max(1, parser.parse_args(arguments).rounds)
    databases = [f"dogpile_{uuid.uuid4().hex}" for _ in range(2)]
    with mongodb_url() as url:
        beakers: Options = beaker_options(url, databases[0])
        ours: Options = {
            "type": "ext:mongodb_soajs",
            "url": url,
            "name": databases[1],
            "store.lockLease": LEASE_SECONDS,
        }
        backends = {BEAKER: (beakers, databases[0]), HERE: (ours, databases[1])}
        try:
            _print(operation_rows({MEMORY: ({"type": "memory"}, ""), **backends}, rounds))
            _print(dogpile_rows(backends))
        finally:
            with MongoClient[dict[str, Any]](url) as client:
                server = client.server_info()["version"]
                for name in databases:
                    client.drop_database(name)
    print(
        f"Beaker {version('beaker')}, PyMongo {version('pymongo')}, MongoDB {server},"
        f" Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
