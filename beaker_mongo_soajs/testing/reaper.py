"""The watching process itself: ``python -I -S reaper.py FOLDER``.

Each line on its standard input is the id of the process to end, or 0 for none. At the end of the
input, so when its owner is done or dead, it ends that process and removes FOLDER, where one is
given. To start quickly it runs without site packages, on the standard library alone.
"""

import os
import select
import shutil
import signal
import sys
import time

_GONE_WITHIN_SECONDS = 10.0


class Target:
    """One process to end."""

    def __init__(self, pid: int) -> None:
        """Take hold of a process that still runs.

        :param pid: its id; 0 for none.
        """
        self._pid = pid
        self._descriptor: int | None = None
        if pid and sys.platform == "linux":
            # Unlike the bare id, a descriptor never comes to mean another process.
            self._descriptor = os.pidfd_open(pid)

    def end(self) -> None:
        """Kill the process, running or stopped, and wait until it is gone."""
        if not self._pid:
            return
        try:
            self._kill()
        except ProcessLookupError:
            return

    def _kill(self) -> None:
        if sys.platform == "linux" and self._descriptor is not None:
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            select.select([self._descriptor], [], [], _GONE_WITHIN_SECONDS)
            return
        os.kill(self._pid, signal.SIGKILL)
        deadline = time.monotonic() + _GONE_WITHIN_SECONDS
        while time.monotonic() < deadline:
            os.kill(self._pid, 0)
            time.sleep(0.01)


def main(folder: str) -> None:
    """Watch until the end of standard input, then clear away.

    :param folder: what to remove; an empty text removes nothing.
    """
    target = Target(0)
    for line in sys.stdin:
        try:
            target = Target(int(line))
        except ProcessLookupError:
            target = Target(0)
    target.end()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
