"""The owner's side of the process that watches each server.

If the owner is killed by SIGKILL, it cannot end its server. Linux could signal the server
(``PR_SET_PDEATHSIG``), but that depends on the thread that started it, needs code between fork and
exec, which is unsafe with other threads, exists on no other system, and removes no folder. A pipe
works everywhere: only the owner holds its writing end, so the reader sees the end of the file when
the owner closes it or dies.
"""

import os
import subprocess
import sys
import weakref
from pathlib import Path

from beaker_mongo_soajs.testing import reaper


class Watchdog:
    """End a process and remove a folder on :meth:`close`, or when this process dies."""

    def __init__(self, folder: Path | None) -> None:
        """Start the watching process.

        :param folder: the folder to remove in the end; ``None`` for none.
        """
        reading_end, writing_end = os.pipe()
        self._pipe = os.fdopen(writing_end, "wb", buffering=0)
        command = [sys.executable, "-I", "-S", reaper.__file__, str(folder or "")]
        # In its own session, so that Ctrl-C in a terminal reaches only the owner.
        self._process = subprocess.Popen(command, stdin=reading_end, start_new_session=True)
        os.close(reading_end)
        _watchdogs.add(self)

    def guard(self, pid: int) -> None:
        """Set the process to end.

        :param pid: its id; 0 for none.
        """
        self._pipe.write(b"%d\n" % pid)

    def close(self) -> None:
        """End the process, remove the folder, and wait until both are done."""
        self.drop_pipe()
        self._process.wait()

    def drop_pipe(self) -> None:
        """Close this process's writing end of the pipe."""
        self._pipe.close()


_watchdogs: weakref.WeakSet[Watchdog] = weakref.WeakSet()


def _drop_inherited_pipes() -> None:
    # A forked child that kept the writing end open would keep the server running.
    for watchdog in _watchdogs:
        watchdog.drop_pipe()


os.register_at_fork(after_in_child=_drop_inherited_pipes)
