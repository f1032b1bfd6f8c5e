"""The watching process: ``python -I -S reaper.py FOLDER``.

Each line of its standard input is the id of the process to end, or 0 for none. When the input ends,
because its owner has finished or died, it ends that process and removes FOLDER, if one is given. It
uses only the standard library, and no site packages, so that it starts quickly.
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
        """Refer to a process that is running.

        :param pid: its id; 0 for none.
        """
        self._pid = pid
        self._descriptor: int | None = None
        if pid and sys.platform == "linux":
            # Unlike an id, a descriptor is never reused for another process.
            self._descriptor = os.pidfd_open(pid)

    def end(self) -> None:
        """Kill the process, also if it is stopped, and wait until it has ended."""
        if not self._pid:
            return
        try:
            self._kill()
        except ProcessLookupError:
            return

    def _kill(self) -> None:
        if self._descriptor is not None:
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            select.select([self._descriptor], [], [], _GONE_WITHIN_SECONDS)
            return
        os.kill(self._pid, signal.SIGKILL)
        deadline = time.monotonic() + _GONE_WITHIN_SECONDS
        while time.monotonic() < deadline:
            os.kill(self._pid, 0)
            time.sleep(0.01)


def main(folder: str) -> None:
    """Read standard input until it ends, then end the process and remove the folder.

    :param folder: the folder; nothing is removed if it is empty.
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
