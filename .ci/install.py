"""Install this package and what a command needs into ``.venv``: ``python install.py dev``.

The installation is editable. It does nothing if all is installed. After an interruption it
starts again. If ``PYTHON`` is set, it also replaces an environment of another Python. Two
installations at once wait for each other.
"""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
_ALL = "cli,django,encryption,flask,flask-session,otel,prometheus,pyramid,testserver"


class Needs(NamedTuple):
    """What is installed for a command. The dependency group has the name of the needs.

    :param extras: the extras of the package.
    :param holders: the other needs that include these.
    """

    extras: str
    holders: tuple[str, ...]


NEEDS = {
    "bench": Needs("testserver", ("dev",)),
    "demo": Needs("testserver", ("examples", "dev")),
    "docs": Needs("django,flask,otel,prometheus,pyramid", ("dev",)),
    "examples": Needs("django,flask,pyramid,testserver", ("dev",)),
    "dev": Needs(_ALL, ()),
    "mutation": Needs(_ALL, ()),
}


def main(name: str) -> None:
    """Install what is missing.

    :param name: the name of the needs.
    """
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_installed(name):
            _install(name)


def _is_installed(name: str) -> bool:
    wanted = _state()
    stamps = [_stamp(holder) for holder in (name, *NEEDS[name].holders)]
    installed = any(stamp.exists() and stamp.read_text() == wanted for stamp in stamps)
    return installed and _is_sound()


def _install(name: str) -> None:
    if not _is_sound():
        _say(f"Making .venv with Python {platform.python_version()}.")
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir()
        _unfinished().touch()
        venv.create(VENV, with_pip=True)
    _unfinished().touch()
    _say(f"Installing the package and what {name} needs into .venv. This takes a minute, once.")
    # Earlier releases, which come with Python, cannot install dependency groups.
    _pip("--upgrade", "pip>=25.1")
    package = f"{ROOT}[{NEEDS[name].extras}]"
    _pip("--editable", package, "--group", f"{ROOT / 'pyproject.toml'}:{name}")
    _stamp(name).write_text(_state())
    _unfinished().unlink()


def _pip(*arguments: str) -> None:
    pip = [str(_python()), "-m", "pip", "install", "-qq", "--no-input"]
    pip.append("--disable-pip-version-check")
    if subprocess.run([*pip, *arguments], check=False).returncode:
        sys.exit("pip could not install the package: see its error message above.")


def _is_sound() -> bool:
    if _unfinished().exists() or not _python().exists():
        return False
    wanted = f"version = {platform.python_version()}"
    settings = (VENV / "pyvenv.cfg").read_text().splitlines()
    return not os.environ.get("PYTHON") or wanted in settings


def _state() -> str:
    # An editable installation depends on its folder, so a moved checkout needs a new one.
    return f"{ROOT}\n{(ROOT / 'pyproject.toml').read_text()}"


def _stamp(name: str) -> Path:
    return VENV / f"installed-{name}"


def _unfinished() -> Path:
    return VENV / "unfinished"


def _python() -> Path:
    return VENV / "bin" / "python"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1])
