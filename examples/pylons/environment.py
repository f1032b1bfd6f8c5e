"""Make an environment with Pylons: ``python -m examples.pylons.environment``.

It is in the folder ``.pylons`` of this repository. Pylons is ported to Python 3 in it, and this
package is installed from this repository.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
_FOLDER = _ROOT / ".pylons"
# Pylons imports pkg_resources, which later releases of setuptools do not have.
_REQUIREMENTS = (
    *("Pylons==1.0.3", "setuptools<81", "fissix", "waitress"),
    *("--editable", f"{_ROOT}[testserver]"),
)


def make() -> Path:
    """Make the environment, unless it is complete.

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


def run_in_environment(arguments: list[str]) -> None:
    """Replace this process by one in the environment, unless it is in it already.

    :param arguments: the arguments of Python.
    """
    if Path(sys.prefix).resolve() != _FOLDER:
        python = str(make())
        os.execv(python, [python, *arguments])  # noqa: S606 - the same program in another environment


if __name__ == "__main__":
    make()
