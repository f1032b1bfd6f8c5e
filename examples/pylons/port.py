"""Port the installed Pylons to Python 3: ``python -m examples.pylons.port``.

Pylons 1.0.3 and WebHelpers 1.3 are for Python 2. The translator 2to3 does most of the work, and
five edits do the rest. They cover what sessions need, but not ``pylons.middleware``, which needs
WebError. The port is made once, in a copy, because a second translation would break it.
"""

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from fissix.refactor import RefactoringTool, get_fixers_from_package

PACKAGES = ("pylons", "webhelpers")
# The file, the text after the translation, and its replacement. Only the first occurrence is
# replaced: of two checks for str, the first was one for bytes.
_EDITS = (
    ("pylons/controllers/core.py", "'im_func'", "'__func__'"),
    ("pylons/controllers/core.py", "inspect.getargspec(", "inspect.getfullargspec("),
    ("pylons/controllers/core.py", "isinstance(response, str)", "isinstance(response, bytes)"),
    ("pylons/controllers/util.py", "location=url.encode('utf-8')", "location=url"),
    ("webhelpers/html/builder.py", "from UserDict import DictMixin\n", ""),
)
MARK = "ported_to_python_3"
"""The name of a file that marks a ported package."""


def port(folder: Path) -> None:
    """Port the packages in a folder, unless they are ported already.

    :param folder: the folder that both are installed in.
    """
    for package in PACKAGES:
        if not (folder / package / MARK).exists():
            with tempfile.TemporaryDirectory(dir=folder, prefix="port_of_") as workshop:
                copy = Path(workshop, package)
                shutil.copytree(
                    folder / package, copy, ignore=shutil.ignore_patterns("__pycache__")
                )
                _translate(copy)
                _edit(copy)
                (copy / MARK).touch()
                (folder / package).rename(Path(workshop, "original"))
                copy.rename(folder / package)


def _translate(package: Path) -> None:
    tool = RefactoringTool(get_fixers_from_package("fissix.fixes"))
    tool.refactor_dir(str(package), write=True)


def _edit(package: Path) -> None:
    for name, old, new in _EDITS:
        path = package.parent / name
        if path.is_relative_to(package):
            before, found, after = path.read_text().partition(old)
            if not found:
                sys.exit(f"{name} does not contain {old!r}. Install Pylons 1.0.3.")
            path.write_text(before + new + after)


def main() -> None:
    """Port the Pylons of this Python."""
    found = importlib.util.find_spec(PACKAGES[0])
    if found is None or found.origin is None:
        sys.exit("Pylons is not installed. Run: pip install Pylons==1.0.3")
    port(Path(found.origin).parent.parent)


if __name__ == "__main__":
    main()
