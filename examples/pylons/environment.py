"""Make an environment with Pylons: ``python -m examples.pylons.environment``.

It is in the folder ``.pylons`` beside the examples. Pylons is ported to Python 3 there, and this
package is in it as it stands here.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
_FOLDER = _ROOT / ".pylons"
# Pylons imports pkg_resources, which later releases of setuptools do not have.
_REQUIREMENTS = ("Pylons==1.0.3", "setuptools<81", "fissix", "--editable", f"{_ROOT}[demo]")


def make() -> Path:
    """Have the environment; one that is complete stays.

    :returns: the path of its Python.
    """
    python = _FOLDER / "bin" / "python"
    complete = _FOLDER / "complete"
    if not complete.exists():
        print(f"Making an environment with Pylons in {_FOLDER.name}; this takes a minute, once.")
        venv.create(_FOLDER, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        subprocess.run([*pip, "-qq", *_REQUIREMENTS], check=True)
        subprocess.run([python, "-m", "examples.pylons.port"], check=True, cwd=_ROOT)
        complete.touch()
    return python


def go_on(arguments: list[str]) -> None:
    """Go on in that environment; it does nothing where that is so already.

    :param arguments: those of Python.
    """
    if Path(sys.prefix).resolve() != _FOLDER:
        python = str(make())
        os.execv(python, [python, *arguments])  # noqa: S606 - the same program, elsewhere


if __name__ == "__main__":
    make()
