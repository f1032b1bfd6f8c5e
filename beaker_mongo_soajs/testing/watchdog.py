"""The watching process beside each server, seen from the side of its owner.

The owner may die by SIGKILL, and then no code of its own runs. Linux could send the server a signal
(``PR_SET_PDEATHSIG``), but that is bound to the thread that started it, needs code between fork and
exec, which is unsafe beside other threads, exists on no other system, and removes no folder. A pipe
has none of these faults: the owner alone holds its writing end, so the reader sees the end of the
file exactly when the owner closes it or dies, whatever it died of.
"""

import os
import subprocess
import sys
import weakref
from pathlib import Path

from beaker_mongo_soajs.testing import reaper


class Watchdog:
    """Guard a process and a folder until :meth:`close`, or the death of this process."""

    def __init__(self, folder: Path | None) -> None:
        """Start the watching process.

        :param folder: what to remove in the end; ``None`` removes nothing.
        """
        reading_end, writing_end = os.pipe()
        self._pipe = os.fdopen(writing_end, "wb", buffering=0)
        command = [sys.executable, "-I", "-S", reaper.__file__, str(folder or "")]
        # A session of its own: Ctrl-C in a terminal is for the owner, who then ends us in order.
        self._process = subprocess.Popen(command, stdin=reading_end, start_new_session=True)
        os.close(reading_end)
        _watchdogs.add(self)

    def guard(self, pid: int) -> None:
        """Name the process to end.

        :param pid: its id; 0 for none.
        """
        self._pipe.write(b"%d\n" % pid)

    def close(self) -> None:
        """End the guarded process, remove the folder, and wait until both are done."""
        self.drop_pipe()
        self._process.wait()

    def drop_pipe(self) -> None:
        """Close the writing end of the pipe that this process holds."""
        self._pipe.close()


_watchdogs: weakref.WeakSet[Watchdog] = weakref.WeakSet()


def _drop_inherited_pipes() -> None:
    # A forked child that kept the writing end open would keep the server alive as well.
    for watchdog in _watchdogs:
        watchdog.drop_pipe()


os.register_at_fork(after_in_child=_drop_inherited_pipes)
