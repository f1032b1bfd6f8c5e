"""The packages from npm, and old servers, which are installed once in a folder that git ignores."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import old_servers
from tests.repository import ROOT

_HERE = Path(__file__).parent
_HOME = ROOT / ".node"
_EXAMPLE = ROOT / "examples" / "node"
_SCRIPTS = (_HERE / "sites.mjs", _EXAMPLE / "merging-store.mjs", _EXAMPLE / "shop.mjs")
_SPECIFICATION = (".npmrc", "package.json", "package-lock.json")
_INSTALL_SECONDS = 240.0


def missing() -> str | None:
    """Return the reason if the packages cannot be installed or used."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not on PATH: install Node 20 or later"
    return None


def install() -> Path:
    """Install the packages that ``package-lock.json`` names, unless they are there.

    :returns: the folder, which also contains the scripts of the tests and of the example.
    """
    specification = "".join((_HERE / name).read_text() for name in _SPECIFICATION)
    stamp = _HOME / "installed"
    with _locked():
        if not stamp.exists() or stamp.read_text() != specification:
            stamp.unlink(missing_ok=True)
            for name in _SPECIFICATION:
                shutil.copy(_HERE / name, _HOME)
            command = ["npm", "ci", "--no-audit", "--no-fund", "--silent", "--prefix", str(_HOME)]
            subprocess.run(command, check=True, timeout=_INSTALL_SECONDS, cwd=_HOME)
            stamp.write_text(specification)
        for script in _SCRIPTS:
            copy = _HOME / script.name
            if not copy.exists() or copy.read_text() != script.read_text():
                shutil.copy(script, copy)
    return _HOME


def install_server(version: str) -> Path:
    """Install a MongoDB server, unless it is there, and return the path of the program.

    :param version: the first two numbers of its version.
    """
    folder = _HOME / f"mongod-{version}"
    with _locked():
        old_servers.fetch(version, folder)
    return folder / "mongod"


@contextmanager
def _locked() -> Iterator[None]:
    """Wait for other processes that install."""
    _HOME.mkdir(exist_ok=True)
    with (_HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
