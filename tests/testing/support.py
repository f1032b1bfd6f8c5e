"""Helpers that use the operating system."""

import os
from pathlib import Path


def alive(pid: int) -> bool:
    """Return whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie still has a process id.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def program(path: Path, text: str) -> Path:
    """Write an executable shell script.

    :returns: its path.
    """
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
