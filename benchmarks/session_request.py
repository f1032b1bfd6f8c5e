"""Time a request that only reads its session: ``python -m benchmarks.session_request``.

All candidates take turns within one run, so that whatever else the machine does meets them all
alike. ``raw`` is the driver alone, with the command that a request here sends; ``memory`` is
Beaker without any database. Together they are what no session in MongoDB can be faster than. It
starts a server of its own, or uses that of ``MONGODB_URL``.
"""

import argparse
import platform
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from beaker.middleware import SessionMiddleware as BeakerMiddleware
from pymongo import MongoClient

from beaker_mongo_soajs import SessionMiddleware
from beaker_mongo_soajs.collection import utc_now
from beaker_mongo_soajs.testing import mongodb_url
from beaker_mongo_soajs.update import touch_update

Call = Callable[[], object]
Documents = MongoClient[dict[str, Any]]

DEFAULT_ROUNDS = 3_000
WARM_UP_ROUNDS = 200
TIMEOUT_SECONDS = 3600
LEAST_TIMES_FASTER = 4.0
MOST_TIMES_SLOWER = 1.15

SIGNS = "cookies"
CART = [{"sku": f"article-{n}", "count": n, "price": n * 1.25} for n in range(20)]


class Visits:
    """A visitor's requests to an application that reads a cart of twenty items.

    :param middleware: Beaker's or ours, from an application and keywords.
    :param options: of the session.
    """

    def __init__(self, middleware: Callable[..., Any], **options: Any) -> None:
        self._application = middleware(self._respond, {}, timeout=TIMEOUT_SECONDS, **options)
        self._saves = True
        self._cookie = ""
        self()
        self._saves = False

    def __call__(self) -> None:
        """Make a request."""
        list(self._application({"HTTP_COOKIE": self._cookie}, self._start))

    def _respond(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        session = environ["beaker.session"]
        if self._saves:
            session["user"], session["cart"] = "ann", CART
            session.save()
        assert len(session["cart"]) == len(CART)
        start_response("200 OK", [])
        return [b""]

    def _start(self, _status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
        for name, value in headers:
            if name == "Set-cookie":
                self._cookie = value.strip().partition(";")[0]


def raw_request(client: Documents, database: str) -> Call:
    """Return a call that loads and touches the stored session with the driver alone.

    :param client: the driver's client.
    :param database: where the session of the application here is stored already.
    """
    sessions = client[database].sessions
    document = sessions.find_one()
    assert document is not None

    def call() -> object:
        now = utc_now()
        update = touch_update(time.time(), TIMEOUT_SECONDS, now, now)
        return sessions.find_one_and_update({"_id": document["_id"]}, update)

    return call


def measure(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Return the median time of each call in microseconds; in each round they take turns.

    :param calls: what to call, by name.
    :param rounds: how often.
    """
    names = list(calls)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(WARM_UP_ROUNDS + rounds):
        # Nobody always follows the same one.
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            start = time.perf_counter()
            calls[name]()
            elapsed = time.perf_counter() - start
            if number >= WARM_UP_ROUNDS:
                times[name].append(elapsed * 1e6)
    return {name: statistics.median(each) for name, each in times.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table.

    :param arguments: of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.session_request")
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, help="requests of each kind")
    rounds = parser.parse_args(arguments).rounds
    with mongodb_url() as url:
        database = f"bench_{uuid.uuid4().hex}"
        parts = urlsplit(url)
        with (
            Documents(url) as client,
            Documents(urlunsplit(parts._replace(path=f"/{database}"))) as beakers,
        ):
            try:
                medians = _measure_all(url, client, beakers, database, rounds)
            finally:
                client.drop_database(database)
            server = client.server_info()["version"]
    _print(medians, rounds, server)


def _measure_all(
    url: str, client: Documents, beakers: Documents, database: str, rounds: int
) -> dict[str, float]:
    ours = Visits(SessionMiddleware, url=url, name=database, secret=SIGNS, secure=False)
    calls: dict[str, Call] = {
        "MongoSession": ours,
        "raw find_one_and_update": raw_request(client, database),
        "Beaker's memory": Visits(BeakerMiddleware, type="memory", secret=SIGNS),
        "Beaker's ext:mongodb": Visits(
            BeakerMiddleware, type="ext:mongodb", url=beakers, secret=SIGNS
        ),
        "session.type alone": Visits(
            BeakerMiddleware, type="ext:mongodb_soajs", url=url, name=database, secret=SIGNS
        ),
    }
    return measure(calls, rounds)


def _print(medians: dict[str, float], rounds: int, server: str) -> None:
    print(
        f"A request that reads a cart of {len(CART)} items: median of {rounds}, in µs.\n"
        f"Python {platform.python_version()}, Beaker {version('beaker')}, "
        f"PyMongo {version('pymongo')}, MongoDB {server}\n"
    )
    for name, median in sorted(medians.items(), key=lambda item: item[1]):
        print(f"{name:26}{median:8.0f}")
    mine = medians["MongoSession"]
    faster = medians["Beaker's ext:mongodb"] / mine
    slower = mine / (medians["raw find_one_and_update"] + medians["Beaker's memory"])
    print(
        f"\n{faster:.2f} times faster than Beaker's ext:mongodb (wanted: {LEAST_TIMES_FASTER:g} or "
        f"more)\n{slower:.2f} times raw and memory together (wanted: {MOST_TIMES_SLOWER:g} or less)"
    )


if __name__ == "__main__":
    main()
