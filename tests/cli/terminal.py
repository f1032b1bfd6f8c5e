"""A terminal, for commands as a person uses them."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.conftest import IMPORTS

COLUMNS, LINES = 100, 40
_SECONDS = 60.0
_TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")
_LEFT_OUT = ("CI", "COLORTERM", "FORCE_COLOR", "NO_COLOR", "PYTHONWARNINGS")
_VARIABLES = {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}


class Terminal:
    """Run ``beaker-mongo`` on a pseudo-terminal.

    :param arguments: its arguments.
    :param folder: the current folder.
    :param env: more environment variables.
    """

    def __init__(self, *arguments: str, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        variables = {k: v for k, v in os.environ.items() if k not in _LEFT_OUT}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "beaker_mongo_soajs", *arguments],
            cwd=folder,
            env={**variables, **IMPORTS, **_VARIABLES, **(env or {})},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            # So that Ctrl-C in the terminal interrupts the process.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - nothing else does it
        )
        os.close(slave)
        self.output = ""

    def __enter__(self) -> Self:
        """Return the terminal."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        """Type a text.

        :param text: the text.
        """
        os.write(self._master, text.encode())

    def wait_for(self, pattern: str) -> None:
        """Wait until the terminal shows a text.

        :param pattern: a regular expression for the text.
        """
        deadline = time.monotonic() + _SECONDS
        while not re.search(pattern, self.output):
            assert time.monotonic() < deadline, f"{pattern} did not appear: {self.output}"
            assert self._read(), f"{pattern} did not appear: {self.output}"

    def finish(self) -> int:
        """Wait for the end of the process; return its exit code."""
        deadline = time.monotonic() + _SECONDS
        while self._read():
            assert time.monotonic() < deadline, f"it does not end: {self.output}"
        return self._process.wait(_SECONDS)

    def _read(self) -> bool:
        """Read what the process writes, for a moment; return whether there may be more."""
        ready, _, _ = select.select([self._master], [], [], 0.2)
        if not ready:
            return True
        try:
            block = os.read(self._master, 65536)
        except OSError:
            # All other ends are closed.
            return False
        self.output += block.decode(errors="replace")
        return bool(block)


def screen(output: str) -> str:
    """Return the lines that a terminal shows in the end, with their colours.

    It moves by whole lines only, as progress bars do.

    :param output: what was written to it.
    """
    lines, row = [""], 0
    for token in _TOKEN.finditer(output):
        text, final = token[0], token[2]
        if text == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif final == "A":
            row = max(0, row - int(token[1] or 1))
        elif final == "K":
            lines[row] = ""
        elif final == "m" or (final is None and text != "\r"):
            lines[row] += text
    return "\n".join(lines).rstrip("\n")


def plain(text: str) -> str:
    """Return a text without colours.

    :param text: the text.
    """
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
