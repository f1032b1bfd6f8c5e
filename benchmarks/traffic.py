"""The commands and bytes of a request, as the servers count them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.cells import SessionCell
from benchmarks.environment import Environment

_MONGO_COMMANDS = ("find", "update", "insert", "delete", "findAndModify")


@dataclass(frozen=True)
class Traffic:
    """The commands and bytes of a request.

    :param commands: the number of commands.
    :param sent: the number of sent bytes.
    :param received: the number of received bytes.
    :param written: the number of documents, or keys of Redis, that are written or deleted.
    """

    commands: float
    sent: float
    received: float
    written: float

    def __sub__(self, other: "Traffic") -> "Traffic":
        """Return the difference to an earlier count."""
        return Traffic(
            self.commands - other.commands,
            self.sent - other.sent,
            self.received - other.received,
            self.written - other.written,
        )

    def each(self, number: int) -> "Traffic":
        """Return the average of a number of requests."""
        return Traffic(
            round(self.commands / number, 2),
            round(self.sent / number),
            round(self.received / number),
            round(self.written / number, 2),
        )


def traffic(cell: SessionCell, requests: int = 50) -> Traffic:
    """Serve requests of a cell, and return the traffic of one.

    :param cell: the cell.
    :param requests: the number of requests.
    """
    visits = [cell.prepare() for _ in range(requests)]
    with _without_ttl_monitor(cell.place):
        return _measure(cell, visits)


def _measure(cell: SessionCell, visits: Sequence[Any]) -> Traffic:
    # Counting is traffic as well; the difference of two counts is the traffic of one.
    first, begin = _counted(cell.place), _counted(cell.place)
    for visit in visits:
        cell.serve(visit)
    return (_counted(cell.place) - begin - (begin - first)).each(len(visits))


@contextmanager
def _without_ttl_monitor(place: Environment) -> Iterator[None]:
    """Keep the server from deleting expired documents, which it would count as well."""
    admin = place.direct.admin
    admin.command("setParameter", 1, ttlMonitorEnabled=False)
    try:
        yield
    finally:
        admin.command("setParameter", 1, ttlMonitorEnabled=True)


def _counted(place: Environment) -> Traffic:
    mongo = _of_mongo(place)
    if place.direct_redis is None:
        return mongo
    redis = _of_redis(place.direct_redis)
    return Traffic(
        mongo.commands + redis.commands,
        mongo.sent + redis.sent,
        mongo.received + redis.received,
        mongo.written + redis.written,
    )


def _of_mongo(place: Environment) -> Traffic:
    status = place.direct.admin.command("serverStatus")
    commands, documents = status["metrics"]["commands"], status["metrics"]["document"]
    network = status["network"]
    stored = place.direct[place.database].command("dbStats")
    return Traffic(
        commands=sum(commands[name]["total"] for name in _MONGO_COMMANDS),
        sent=network["bytesIn"],
        received=network["bytesOut"],
        # An upsert that inserts is counted by neither, but adds a document.
        written=documents["updated"] + 2 * documents["deleted"] + stored["objects"],
    )


def _of_redis(client: Any) -> Traffic:
    commands, stats = client.info("commandstats"), client.info("stats")
    calls = {name.removeprefix("cmdstat_"): each["calls"] for name, each in commands.items()}
    return Traffic(
        commands=sum(number for name, number in calls.items() if name not in ("info", "ping")),
        sent=stats["total_net_input_bytes"],
        received=stats["total_net_output_bytes"],
        written=sum(calls.get(name, 0) for name in ("set", "setex", "del")),
    )
