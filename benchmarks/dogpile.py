"""Measure the creation of cached values: ``python -m benchmarks.dogpile``.

It compares this package with Beaker's own ``ext:mongodb``, in turns. The first table has the times
of single operations, and of Beaker's ``memory``. The second one shows how often a value is created
that many threads and processes request, and how long they wait. Both tables are in
``docs/caches.md``. It starts a server, or uses that of ``MONGODB_URL``.
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
"""How long to wait for another creation after the creating process was killed."""

EXPIRE_SECONDS = 1
ROUNDS = 300

BEAKER = "Beaker's `ext:mongodb`"
HERE = "here"
MEMORY = "Beaker's `memory`"


class Answers(NamedTuple):
    """The results of the threads of one process.

    :param created: the number of calls of the creation function.
    :param seconds: the waiting time of each thread.
    :param commands: the number of commands.
    """

    created: int
    seconds: list[float]
    commands: int


class Task(NamedTuple):
    """A task for all threads of a process.

    :param key: the key that all threads read.
    :param creation_seconds: the time that creating its value takes.
    """

    key: str
    creation_seconds: float


def work(options: Options, database: str, threads: int, pipe: Connection) -> None:
    """Run the tasks that arrive through a pipe, in a process of its own, and send the results.

    :param options: the options of the cache.
    :param database: the database whose commands are counted.
    :param threads: the number of threads.
    :param pipe: receives tasks, and sends :class:`Answers`, and ``None`` when a creation begins.
    """
    recorder = Recorder()
    monitoring.register(recorder)
    recorder.commands = commands = Commands(database)
    cache = Cache("things", **options)
    # Connections and indexes, which a process makes once, are not measured.
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
    """Processes that read the same keys of a cache at the same time.

    :param options: the options of the cache.
    :param database: the database of the cache.
    :param processes: the number of processes.
    :param threads: the number of threads in each process.
    """

    def __init__(self, options: Options, database: str, processes: int, threads: int) -> None:
        # A forked process would inherit the connections of its parent.
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
        """Start a task in all processes."""
        for pipe in self.pipes:
            pipe.send(task)

    def wait_for_creation(self, seconds: float) -> bool:
        """Wait until a creation begins; return whether it began in time."""
        return bool(wait(self.pipes, seconds))

    def answers(self) -> Answers:
        """Wait for all processes, and return their results together."""
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
    """Read a missing value in all threads."""
    with _team(options, database, PROCESSES, THREADS) as team:
        team.begin(Task("absent", CREATION_SECONDS))
        return team.answers()


def expired_value(options: Options, database: str) -> Answers:
    """Read an expired value in all threads."""
    options = {**options, "expire": EXPIRE_SECONDS}
    with _team(options, database, PROCESSES, THREADS) as team:
        Cache("things", **options).put("expired", "old value")
        time.sleep(EXPIRE_SECONDS + 0.1)
        team.begin(Task("expired", CREATION_SECONDS))
        return team.answers()


def killed_creator(options: Options, database: str) -> float | None:
    """Kill the creating process; return the seconds until another one creates, or ``None``."""
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
    """Yield the rows of the table about many threads that read one value.

    :param backends: the options and the database of each backend, by its name.
    :param kills: whether to include the killed process.
    """
    yield ["64 threads in 8 processes read one value", *backends]
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
        "creating process killed: created again after",
        *(_s(wait) if wait is not None else f"not within {_s(PATIENCE_SECONDS)}" for wait in waits),
    ]


def operation_rows(backends: Mapping[str, tuple[Options, str]], rounds: int) -> Iterator[list[str]]:
    """Yield the rows of the table of single operations, measured in turns.

    :param backends: the options and the database of each backend, by its name.
    :param rounds: the number of rounds.
    """
    yield ["one thread", *backends]
    yield ["---", *("---:" for _ in backends)]
    recorder = Recorder()
    monitoring.register(recorder)
    recorder.commands = commands = Commands(*(database for _, database in backends.values()))
    # Clients report to the listeners that were registered before them.
    caches = [Cache("operations", **options) for options, _ in backends.values()]
    for cache in caches:
        cache.put("key", "value")
    operations: dict[str, Callable[[Cache, str], object]] = {
        "`cache.get`, the value exists": lambda cache, _: cache.get("key"),
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

    :param arguments: the arguments of the command line.
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
