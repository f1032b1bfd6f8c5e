"""The files of the repository, as git lists them: without what was made in it."""

import functools
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@functools.cache
def files(*suffixes: str) -> list[Path]:
    """List the files of the repository, with those that are not committed yet.

    The test that asks is skipped where there is no repository, as in a source distribution.

    :param suffixes: how their names may end.
    """
    if not (ROOT / ".git").exists():
        pytest.skip("needs a clone, because git tells which files are part of it")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listing.stdout.split("\0") if name.endswith(suffixes)]
    return sorted(path for path in paths if path.is_file())


def name_of(path: Path) -> str:
    """Name a file as it is named in the repository."""
    return str(path.relative_to(ROOT))
