"""Gunicorn's processes and threads under the load of wrk."""

import http.client
import itertools
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from beaker_mongo_soajs.testing.process import free_port
from benchmarks.contenders import CONTENDERS, MONGO_SESSION
from benchmarks.distance import at_a_distance
from benchmarks.environment import Environment
from benchmarks.plan import MIDDLE, THOUSAND
from benchmarks.scale.part import Part, Scope
from benchmarks.servers import servers
from benchmarks.visits import cart

MISSING = "wrk is not installed: on Debian and Ubuntu, run apt-get install wrk"

_DEFAULT_CONNECTIONS = 5
_SCRIPT = Path(__file__).with_name("load.lua")
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05
_COUNTED = ("query", "insert", "update", "delete")
_ROUND_TRIP_MS = 1.0
_AT_A_DISTANCE = (2, 32)


@dataclass(frozen=True)
class Load:
    """What a load showed.

    :param round_trip_ms: the additional time of a round trip to MongoDB.
    :param processes: the processes of gunicorn.
    :param threads: the threads of each process.
    :param connections: ``maxPoolSize``.
    :param path: ``/read`` or ``/change``.
    :param requests_a_second: the served requests.
    :param p50_ms: the median of their times.
    :param p99_ms: the 99th percentile.
    :param commands_a_second: the commands that the server counted.
    """

    round_trip_ms: float
    processes: int
    threads: int
    connections: int
    path: str
    requests_a_second: float
    p50_ms: float
    p99_ms: float
    commands_a_second: float


def measure(scope: Scope) -> Part:
    """Measure all numbers of processes and threads, with the default pool and a larger one.

    :param scope: the size of the measurement.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit(MISSING)
    with servers() as running:
        place = replace(running.place, database="bench_scale")
        contender = CONTENDERS[MONGO_SESSION]
        site = contender.make(place, cart(MIDDLE))
        cookies = place.folder / "cookies"
        cookies.write_text("\n".join(contender.populate(site, place, THOUSAND)))
        command = [wrk, "-s", str(_SCRIPT), "--timeout", "20s"]
        loads: list[Load] = []
        for processes, threads in itertools.product(*scope.grid):
            loads += _loads(place, command, cookies, processes, threads, scope.load_seconds)
        with at_a_distance(running, _ROUND_TRIP_MS) as (far, _):
            far = replace(far, database=place.database)
            far_loads = (*_AT_A_DISTANCE, scope.load_seconds, _ROUND_TRIP_MS)
            loads += _loads(far, command, cookies, *far_loads)
    return _part(loads)


def _loads(
    place: Environment,
    command: list[str],
    cookies: Path,
    processes: int,
    threads: int,
    seconds: int,
    round_trip_ms: float = 0.0,
) -> Iterator[Load]:
    # A thread uses one connection at a time.
    for connections in sorted({_DEFAULT_CONNECTIONS, max(threads, _DEFAULT_CONNECTIONS)}):
        with serve_site(place, processes, threads, connections) as address:
            clients = [*command, "-t", "1", "-c", str(processes * threads)]
            # The first requests of each process import modules and connect.
            _run([*clients, "-d", "1s", address, "--", str(cookies), "/change"])
            for path in ("/read", "/change"):
                call = [*clients, "-d", f"{seconds}s", address, "--", str(cookies), path]
                before = _commands(place)
                start = time.monotonic()
                said = _run(call)
                elapsed, commands = time.monotonic() - start, _commands(place) - before
                match = re.search(r"figures (\d+) (\d+) (\d+) (\d+) (\d+)", said)
                assert match is not None, said
                requests, duration_us, p50_us, p99_us, errors = map(int, match.groups())
                if errors:
                    raise AssertionError(f"{errors} of {requests} requests failed:\n{said}")
                yield Load(
                    round_trip_ms,
                    processes,
                    threads,
                    connections,
                    path,
                    requests / duration_us * 1e6,
                    p50_us / 1000,
                    p99_us / 1000,
                    commands / elapsed,
                )


def _run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def serve_site(place: Environment, processes: int, threads: int, connections: int) -> Iterator[str]:
    """Serve the site with gunicorn; yield its address.

    :param place: the servers.
    :param processes: the processes of gunicorn.
    :param threads: the threads of each process.
    :param connections: ``maxPoolSize``.
    """
    port = free_port()
    application = (
        f"benchmarks.scale.site:make({place.mongo_url!r}, {place.database!r}, {connections})"
    )
    command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "gthread", "--workers", str(processes)]
    command += ["--threads", str(threads), "--keep-alive", "75", "--log-level", "warning"]
    # A worker would wait for the requests of clients that are gone.
    command += ["--graceful-timeout", "1"]
    with subprocess.Popen(command) as process:
        try:
            _wait(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)
        try:
            connection.request("GET", "/read")
            connection.getresponse().read()
        except OSError:
            time.sleep(_POLL_SECONDS)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError("gunicorn does not answer. Its messages are above.")


def _commands(place: Environment) -> int:
    counters = place.direct.admin.command("serverStatus")["opcounters"]
    return sum(counters[name] for name in _COUNTED)


def _part(loads: list[Load]) -> Part:
    head = ["", "processes", "threads", "maxPoolSize", "requests/s", "p50 ms", "p99 ms"]
    part = Part("HTTP load: gunicorn and wrk, 2 kB", [*head, "commands/s"])
    for load in loads:
        distance = f", {load.round_trip_ms:g} ms away" if load.round_trip_ms else ""
        numbers = map(str, (load.processes, load.threads, load.connections))
        times = (f"{load.p50_ms:,.1f}", f"{load.p99_ms:,.1f}")
        part.rows.append(
            [
                f"{load.path[1:]}{distance}",
                *numbers,
                f"{load.requests_a_second:,.0f}",
                *times,
                f"{load.commands_a_second:,.0f}",
            ]
        )
        part.figures.append(asdict(load))
    part.notes.append(
        "Threads are those of each process; wrk has one open request for each. wrk, gunicorn and "
        "the server share the processors. Commands are those that the server counted."
    )
    return part
