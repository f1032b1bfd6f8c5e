"""Processes that serve an example over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.conftest import IMPORTS
from tests.waiting import wait_until

_START_SECONDS = 60.0
_END_SECONDS = 10.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:[1-9]\d*")


class Worker:
    """One process.

    :param command: the program and its arguments. The program prints its address.
    :param env: environment variables to add.
    :param log_path: a file for its output.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log_path: Path) -> None:
        self._log_path = log_path
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **IMPORTS, **env}, stdout=log, stderr=log
            )

    @property
    def log(self) -> str:
        """The output so far."""
        return self._log_path.read_text(errors="replace")

    def wait_for_address(self) -> str:
        """Wait until it listens, and return its address.

        :raises AssertionError: if it ends, or prints no address within a minute.
        """
        wait_until(lambda: self._is_over() or _ADDRESS.search(self.log), _START_SECONDS)
        address = _ADDRESS.search(self.log)
        assert address is not None, f"it ended:\n{self.log}"
        return address[0]

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it, by force if necessary, and return its exit code.

        :param number: the signal to send.
        """
        self._process.send_signal(number)
        try:
            return self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _is_over(self) -> bool:
        return self._process.poll() is not None


@contextmanager
def run_workers(
    command: Sequence[str], env: Mapping[str, str], folder: Path, number: int = 2
) -> Iterator[list[str]]:
    """Run several processes of one program, which start at the same time.

    :param command: as for each :class:`Worker`.
    :param env: as for each :class:`Worker`.
    :param folder: a folder for their logs.
    :param number: how many.
    :returns: a context manager whose value is their addresses.
    """
    with ExitStack() as stack:
        workers = []
        for place in range(number):
            worker = Worker(command, env, folder / f"worker_{place}.log")
            stack.callback(worker.end)
            workers.append(worker)
        yield [worker.wait_for_address() for worker in workers]
