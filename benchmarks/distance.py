"""Servers at the distance of a network round trip, and the precision of that distance."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from benchmarks.environment import Client, Environment
from benchmarks.samples import percentile
from benchmarks.servers import Servers, redis_client, redis_url

_PINGS = 300
_PINGS_TO_CORRECT = 100
_CORRECTIONS = 3


@dataclass(frozen=True)
class Distance:
    """The additional time of a round trip through a proxy, compared with loopback.

    :param server: the name of the server.
    :param median_ms: the median.
    :param p95_ms: the 95th percentile.
    """

    server: str
    median_ms: float
    p95_ms: float


class ProxyProcess:
    """A :mod:`tests.proxy` in a process of its own, which takes no time from what is measured.

    :param process: the process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def delay(self, seconds: float) -> None:
        """Hold back each piece of data for a time, in each direction.

        :param seconds: how long.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()


@contextmanager
def proxy_process(port: int) -> Iterator[ProxyProcess]:
    """Start a proxy, and end it afterwards.

    :param port: the port of the server on 127.0.0.1.
    """
    command = [sys.executable, "-m", "tests.proxy", str(port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield ProxyProcess(process)
        finally:
            process.kill()


@contextmanager
def at_a_distance(
    servers: Servers, round_trip_ms: float
) -> Iterator[tuple[Environment, list[Distance]]]:
    """Put proxies before the servers; yield their place and the measured distances.

    :param servers: the servers.
    :param round_trip_ms: the additional time of a round trip.
    """
    with ExitStack() as stack:
        mongo = stack.enter_context(proxy_process(servers.mongo.port))
        near = servers.place
        url = f"mongodb://127.0.0.1:{mongo.port}/?directConnection=true"
        place = replace(near, mongo_url=url)
        far_client = stack.enter_context(Client(url))
        pings: list[tuple[str, ProxyProcess, Callable[[], object], Callable[[], object]]] = [
            (
                "MongoDB",
                mongo,
                lambda: near.direct.admin.command("ping"),
                lambda: far_client.admin.command("ping"),
            ),
        ]
        if servers.redis_port is not None and near.direct_redis is not None:
            relay = stack.enter_context(proxy_process(servers.redis_port))
            place = replace(place, redis_url=redis_url(relay.port))
            far_redis = stack.enter_context(redis_client(relay.port))
            pings.append(("Redis", relay, near.direct_redis.ping, far_redis.ping))
        yield place, [_keep(*ping, round_trip_ms) for ping in pings]


def _keep(
    server: str,
    relay: ProxyProcess,
    near: Callable[[], object],
    far: Callable[[], object],
    round_trip_ms: float,
) -> Distance:
    """Adjust the delay of a proxy until the median is right, and measure the distance."""
    held_ms = round_trip_ms / 2
    for _ in range(_CORRECTIONS):
        relay.delay(held_ms / 1000)
        median_ms, _ = _added(near, far, _PINGS_TO_CORRECT)
        held_ms = max(0.0, held_ms - (median_ms - round_trip_ms) / 2)
    relay.delay(held_ms / 1000)
    median_ms, p95_ms = _added(near, far, _PINGS)
    return Distance(server, median_ms, p95_ms)


def _added(
    near: Callable[[], object], far: Callable[[], object], pings: int
) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(pings):
        for ping, spent in zip((near, far), times, strict=True):
            start = time.perf_counter()
            ping()
            spent.append((time.perf_counter() - start) * 1000)
    base = percentile(times[0], 50)
    return percentile(times[1], 50) - base, percentile(times[1], 95) - base
