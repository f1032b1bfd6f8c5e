"""The files of the repository, as git lists them: without build results."""

import functools
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@functools.cache
def files(*suffixes: str) -> list[Path]:
    """List the files of the repository, including those that are not committed yet.

    Without a repository, as in a source distribution, the calling test is skipped.

    :param suffixes: the possible ends of their names.
    """
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git clone, because git lists the files")
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
    """Return the name of a file in the repository."""
    return str(path.relative_to(ROOT))
