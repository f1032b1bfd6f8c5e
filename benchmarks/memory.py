"""Memory of many sessions: in the store, and in the process that serves them.

``python -m benchmarks.memory CONTENDER URL DATABASE NUMBER`` is that process. It serves a number of
visitors, and prints the number of bytes that it allocated for them and still keeps.
"""

import gc
import subprocess
import sys
import tempfile
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells import SessionCell
from benchmarks.contenders import BEAKER, CONTENDERS, REDIS
from benchmarks.environment import Client, Environment
from benchmarks.plan import MILLION, SMALL
from benchmarks.visits import cart

_FIRST_VISITORS = 500
_VISITORS = 2_000
_REDIS_SESSIONS = 100_000


@dataclass(frozen=True)
class Stored:
    """The size of sessions in a store.

    :param title: the title of the store, in Markdown.
    :param data_mb: the size of a million sessions in megabytes.
    :param index_mb: the size of the indexes in megabytes.
    :param where: the kind of memory, and how it was measured.
    """

    title: str
    data_mb: float
    index_mb: float
    where: str


def in_collection(cell: SessionCell) -> Stored:
    """Return the size of a million sessions in MongoDB.

    :param cell: a cell with a million sessions.
    """
    name = "backer_cache" if cell.spec.contender == BEAKER else "sessions"
    # Only data on disk are counted.
    cell.place.direct.admin.command("fsync")
    stats = cell.place.direct[cell.place.database].command("collStats", name)
    title = CONTENDERS[cell.spec.contender].title
    megabytes = 1 << 20
    return Stored(
        title,
        stats["storageSize"] / megabytes,
        stats["totalIndexSize"] / megabytes,
        f"on disk, compressed; {stats['size'] / megabytes:,.0f} MB before that",
    )


def in_redis(place: Environment) -> Stored:
    """Return the size of a million sessions in Redis, estimated from a tenth of them.

    :param place: the servers.
    """
    contender = CONTENDERS[REDIS]
    site = contender.make(place, cart(SMALL))
    first = site.begin()
    client = place.direct_redis
    before = client.info("memory")["used_memory"]
    contender.copy(site, place, first, _REDIS_SESSIONS)
    used = client.info("memory")["used_memory"] - before
    client.flushall()
    megabytes = used * (MILLION / _REDIS_SESSIONS) / (1 << 20)
    return Stored(contender.title, megabytes, 0.0, "in memory, from 100,000 sessions")


def in_process(contender: str, place: Environment) -> float:
    """Return the number of bytes that a process keeps for each additional visitor.

    :param contender: the name of the contender.
    :param place: the servers.
    """
    command = [sys.executable, "-m", "benchmarks.memory", contender, place.mongo_url]
    command += [place.database, str(_VISITORS)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(said) / _VISITORS


def main(arguments: list[str]) -> None:
    """Serve visitors, and print the number of bytes that are kept for them.

    :param arguments: the contender, the URL, the database, and the number of visitors.
    """
    contender, url, database, number = arguments
    with Client(url) as client, tempfile.TemporaryDirectory() as folder:
        place = Environment(url, None, client, None, Path(folder), database)
        site = CONTENDERS[contender].make(place, cart(SMALL))
        # The first visitors also make connections and other things that are made once.
        tracemalloc.start()
        for _ in range(_FIRST_VISITORS):
            site.read(site.begin())
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(int(number)):
            site.read(site.begin())
        gc.collect()
        print(tracemalloc.get_traced_memory()[0] - before)


if __name__ == "__main__":
    main(sys.argv[1:])
