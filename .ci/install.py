"""Install this package, editable, with an extra into ``.venv``: ``python install.py EXTRA``.

It does nothing if that extra is installed. After an interruption it starts again. If ``PYTHON`` is
set, it also replaces an environment of another Python. Two installations at once wait for each
other.
"""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
# For each extra, the installed extras that include it.
HOLDERS = {
    "bench": ("bench", "dev"),
    "demo": ("demo", "examples", "dev"),
    "docs": ("docs", "dev"),
    "examples": ("examples", "dev"),
    "dev": ("dev",),
    "mutation": ("mutation",),
}


def main(extra: str) -> None:
    """Install what is missing.

    :param extra: the name of the extra.
    """
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_installed(extra):
            _install(extra)


def _is_installed(extra: str) -> bool:
    wanted = _state()
    stamps = [_stamp(holder) for holder in HOLDERS[extra]]
    installed = any(stamp.exists() and stamp.read_text() == wanted for stamp in stamps)
    return installed and _is_sound()


def _install(extra: str) -> None:
    if not _is_sound():
        _say(f"Making .venv with Python {platform.python_version()}.")
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir()
        _unfinished().touch()
        venv.create(VENV, with_pip=True)
    _unfinished().touch()
    _say(f"Installing beaker_mongo_soajs[{extra}] into .venv. This takes a minute, once.")
    pip = [
        str(_python()),
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-input",
        "--disable-pip-version-check",
    ]
    failed = subprocess.run([*pip, "--editable", f"{ROOT}[{extra}]"], check=False).returncode
    if failed:
        sys.exit("pip could not install the package: see its error message above.")
    _stamp(extra).write_text(_state())
    _unfinished().unlink()


def _is_sound() -> bool:
    if _unfinished().exists() or not _python().exists():
        return False
    wanted = f"version = {platform.python_version()}"
    settings = (VENV / "pyvenv.cfg").read_text().splitlines()
    return not os.environ.get("PYTHON") or wanted in settings


def _state() -> str:
    # An editable installation depends on its folder, so a moved checkout needs a new one.
    return f"{ROOT}\n{(ROOT / 'pyproject.toml').read_text()}"


def _stamp(extra: str) -> Path:
    return VENV / f"installed-{extra}"


def _unfinished() -> Path:
    return VENV / "unfinished"


def _python() -> Path:
    return VENV / "bin" / "python"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1])
