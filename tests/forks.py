"""Python code in forks of a process that has imported the package, and that has no threads.

A fork is ready at once, and a fresh interpreter after a second. The code can do all but look at the
start or the end of its interpreter: see the fixture ``start_python``.
"""

import multiprocessing
import os
import sys
import textwrap
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import IO, Any

_MODULES = ["tests.application", "beaker_mongo_soajs.namespace", "concurrent.futures.thread"]
_END_SECONDS = 60.0


class Fork:
    """One process.

    :param code: the code, indented as in the test.
    :param env: environment variables to add.
    """

    def __init__(self, code: str, env: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_MODULES)
        pipes = [context.Pipe(duplex=False) for _ in range(3)]
        theirs = (pipes[0][0], pipes[1][1], pipes[2][1])
        self._process = context.Process(
            target=_run, args=(textwrap.dedent(code), env, *theirs), daemon=True
        )
        self._process.start()
        for end in theirs:
            end.close()
        self.stdin = _open(pipes[0][1], "w")
        self.stdout = _open(pipes[1][0], "r")
        self.stderr = _open(pipes[2][0], "r")

    def send_line(self, text: str) -> None:
        """Send a line to its standard input."""
        self.stdin.write(f"{text}\n")
        self.stdin.flush()

    def read_line(self) -> str:
        """Wait for a line of its standard output, or all errors if it has ended."""
        return self.stdout.readline() or self.stderr.read()

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def wait(self) -> int | None:
        """Wait for its end, and return the exit status."""
        self._process.join(_END_SECONDS)
        return self._process.exitcode

    def end(self) -> None:
        """End it."""
        for file in (self.stdin, self.stdout, self.stderr):
            file.close()
        self._process.kill()
        self._process.join()
        self._process.close()


def _open(connection: "Connection[Any, Any]", mode: str) -> IO[str]:
    with connection:
        return os.fdopen(os.dup(connection.fileno()), mode)


def _run(code: str, env: Mapping[str, str], *files: "Connection[Any, Any]") -> None:
    for number, file in enumerate(files):
        os.dup2(file.fileno(), number)
        file.close()
    # The module multiprocessing has closed it.
    sys.stdin = os.fdopen(0)
    os.environ.update(env)
    exec(code, {"__name__": "__main__"})
    sys.stdout.flush()
