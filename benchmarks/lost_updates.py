"""Count the updates that overlapping requests lose: ``python -m benchmarks.lost_updates``.

It plays the rounds of :mod:`tests.behaviour.rounds` with Beaker's own ``ext:mongodb`` and with
this package, and prints the table of ``docs/concurrency.md``. It starts a server, or uses that of
``MONGODB_URL``.
"""

import argparse
import platform
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing.connection import Connection
from typing import Any

from pymongo import MongoClient

from beaker_mongo_soajs.testing import mongodb_url
from tests.behaviour.rounds import ROUNDS, Scenario, Tally, different_keys
from tests.behaviour.scenarios import (
    Options,
    ProcessServer,
    Server,
    ThreadServer,
    beaker_options,
    worker_processes,
)

DEFAULT_ROUNDS = 200
LONGEST_SECONDS = 30.0
"""The time limit for a cell of the table. A slow machine plays fewer rounds."""

TITLES: Mapping[str, str] = {
    "read_overlaps_login": "a slow read overlaps a login",
    "different_keys": "2 to 8 requests change different keys",
    "deletion_beside_change": "one deletes a key, one changes another",
    "same_key": "two change the same key, one after the other",
    "first_saves": "two first saves under one new id",
    "save_overlaps_logout": "a slow save overlaps a logout",
    "save_beside_logout": "a save and a logout at once",
    "read_overlaps_logout": "a slow read overlaps a logout",
}


def count(play_round: Scenario, server: Server, rounds: int) -> tuple[int, Tally]:
    """Play a round repeatedly, up to a number of times or the time limit.

    :param play_round: one of :data:`tests.behaviour.rounds.ROUNDS`.
    :param server: serves the requests.
    :param rounds: the number of rounds.
    :returns: the number of played rounds, and the sum of their tallies.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    tallies: list[Tally] = []
    while len(tallies) < rounds and time.monotonic() < deadline:
        tallies.append(play_round(server, len(tallies)))
    return len(tallies), Tally(*map(sum, zip(*tallies, strict=True)))


def rows(
    backends: Mapping[str, Options], workers: list[Connection], rounds: int
) -> Iterator[list[str]]:
    """Yield the rows of the table.

    :param backends: session options by the name of the backend.
    :param workers: as for :class:`tests.behaviour.scenarios.ProcessServer`.
    :param rounds: the number of times that each round is played.
    """
    yield ["overlapping requests", "rounds", *backends]
    yield ["---", "---:", *("---:" for _ in backends)]
    for play_round in ROUNDS:
        with_threads = []
        for options in backends.values():
            with ThreadServer(options) as server:
                with_threads.append(count(play_round, server, rounds))
        yield _row(TITLES[play_round.__name__], with_threads)
        if play_round is different_keys:
            servers = [ProcessServer(workers, options) for options in backends.values()]
            with_processes = [count(play_round, server, rounds) for server in servers]
            yield _row("… the same from 8 processes", with_processes)


def _row(title: str, counts: Sequence[tuple[int, Tally]]) -> list[str]:
    played = [number for number, _ in counts]
    # The numbers differ if the time limit was reached.
    rounds = str(played[0]) if len(set(played)) == 1 else " / ".join(map(str, played))
    return [title, rounds, *(_cell(tally) for _, tally in counts)]


def _cell(tally: Tally) -> str:
    if tally.resurrected:
        return f"**{tally.resurrected}** of {tally.changes} resurrected"
    if tally.lost:
        return f"**{tally.lost}** of {tally.changes} lost"
    return "0"


@contextmanager
def _databases(url: str, number: int) -> Iterator[list[str]]:
    names = [f"lost_updates_{uuid.uuid4().hex}" for _ in range(number)]
    with MongoClient[dict[str, Any]](url) as client:
        yield names
        for name in names:
            client.drop_database(name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table.

    :param arguments: the arguments of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lost_updates", description=__doc__)
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, help="%(default)s by default")
    rounds = max(1, parser.parse_args(arguments).rounds)
    with (
        mongodb_url() as url,
        _databases(url, 3) as (beakers, native, text),
        worker_processes() as workers,
    ):
        backends: dict[str, Options] = {
            "Beaker's `ext:mongodb`": beaker_options(url, beakers),
            "this package": {"url": url, "name": native},
            "this package, `stringify`": {"url": url, "name": text, "stringify": True},
        }
        for row in rows(backends, workers, rounds):
            print(f"| {' | '.join(row)} |", flush=True)
        with MongoClient[dict[str, Any]](url) as client:
            server = client.server_info()["version"]
    print(
        f"\nBeaker {version('beaker')}, PyMongo {version('pymongo')}, MongoDB {server},"
        f" Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
