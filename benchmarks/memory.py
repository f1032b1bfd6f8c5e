"""What many sessions take up: in the store, and in the process that serves them.

``python -m benchmarks.memory CONTENDER URL DATABASE NUMBER`` is the process: it serves so many
visitors and prints how many bytes it has allocated for them and kept.
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
from benchmarks.place import Client, Place
from benchmarks.plan import MILLION, SMALL
from benchmarks.visits import cart

_FIRST_VISITORS = 500
_VISITORS = 2_000
_REDIS_SESSIONS = 100_000


@dataclass(frozen=True)
class Stored:
    """What sessions take up in a store.

    :param title: of the store, in Markdown.
    :param data_mb: megabytes of data for a million sessions.
    :param index_mb: megabytes of its indexes.
    :param where: in which kind of memory, and how it was found.
    """

    title: str
    data_mb: float
    index_mb: float
    where: str


def in_collection(cell: SessionCell) -> Stored:
    """Return what a million sessions take up in MongoDB.

    :param cell: one that has a million.
    """
    name = "backer_cache" if cell.spec.contender == BEAKER else "sessions"
    # What is not yet on disk is not yet counted.
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


def in_redis(place: Place) -> Stored:
    """Return what a million sessions take up in Redis, from a tenth of that number.

    :param place: on its server.
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


def in_process(contender: str, place: Place) -> float:
    """Return how many bytes a process allocates for each further visitor, and keeps.

    :param contender: whose.
    :param place: where sessions are.
    """
    command = [sys.executable, "-m", "benchmarks.memory", contender, place.mongo_url]
    command += [place.database, str(_VISITORS)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(said) / _VISITORS


def main(arguments: list[str]) -> None:
    """Serve visitors, and print how many bytes were allocated for them and are still.

    :param arguments: the name of the contender, a URL, a database, and the number of visitors.
    """
    contender, url, database, number = arguments
    with Client(url) as client, tempfile.TemporaryDirectory() as folder:
        place = Place(url, None, client, None, Path(folder), database)
        site = CONTENDERS[contender].make(place, cart(SMALL))
        # Also what is made once, at the first visits.
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
