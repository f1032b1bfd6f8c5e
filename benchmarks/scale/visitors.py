"""The memory of a process after many different visitors.

``python -m benchmarks.scale.visitors CONTENDER URL DATABASE NUMBER`` is that process. It prints the
number of visitors and its memory in bytes, several times.
"""

import gc
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.contenders import CONTENDERS, MONGO_SESSION, TYPE
from benchmarks.environment import Client, Environment
from benchmarks.plan import MIDDLE
from benchmarks.scale.part import Part, Scope
from benchmarks.servers import servers
from benchmarks.visits import cart

_STEPS = 5


def measure(scope: Scope) -> Part:
    """Measure the processes of both kinds of sessions at the same time.

    :param scope: the size of the measurement.
    """
    marks = _marks(scope.visitors)
    part = Part(
        f"Memory of a process, {scope.visitors:,} visitors",
        ["MB after", *(f"{mark:,}" for mark in marks)],
    )
    names = (TYPE, MONGO_SESSION)
    with servers() as running, ExitStack() as stack:
        processes: list[subprocess.Popen[str]] = []
        for name in names:
            place = replace(running.place, database=f"bench_{len(processes)}")
            command = [sys.executable, "-m", "benchmarks.scale.visitors", name]
            command += [place.mongo_url, place.database, str(scope.visitors)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            processes.append(stack.enter_context(process))
        for name, process in zip(names, processes, strict=True):
            said, _ = process.communicate()
            if process.returncode:
                raise RuntimeError("a process with visitors failed. Its messages are above.")
            lines = [line.split() for line in said.splitlines()]
            found = {int(visitors): int(size) for visitors, size in lines}
            megabytes = [f"{found[mark] / (1 << 20):.1f}" for mark in marks]
            part.rows.append([CONTENDERS[name].title, *megabytes])
            part.figures.append({"contender": name, "bytes": found})
    part.notes.append("Each visitor saves a session of 2 kB, and reads it in a second request.")
    return part


def _marks(visitors: int) -> list[int]:
    return [visitors // 100, *(visitors * step // _STEPS for step in range(1, _STEPS + 1))]


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(arguments: list[str]) -> None:
    """Serve visitors, and print the memory.

    :param arguments: the contender, the URL, the database, and the number of visitors.
    """
    contender, url, database, number = arguments
    with Client(url) as client, tempfile.TemporaryDirectory() as folder:
        place = Environment(url, None, client, None, Path(folder), database)
        site = CONTENDERS[contender].make(place, cart(MIDDLE))
        served = 0
        for mark in _marks(int(number)):
            for _ in range(mark - served):
                site.read(site.begin())
            served = mark
            gc.collect()
            print(served, _resident_bytes(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
