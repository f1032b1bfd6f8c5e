"""Helpers that use the operating system."""

import os
from pathlib import Path


def alive(pid: int) -> bool:
    """Return whether a process runs."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        # It has ended meanwhile, unless the system has no /proc.
        return not Path("/proc/self").exists()
    # A zombie still has a process id.
    return status.rpartition(")")[2].split()[0] != "Z"


def program(path: Path, text: str) -> Path:
    """Write an executable shell script.

    :returns: its path.
    """
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
