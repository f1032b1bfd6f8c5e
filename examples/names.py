"""Which examples there are.

``python -m examples.names NAME`` checks a name before anything is installed: it says nothing, or
which names there are.
"""

import sys
from collections.abc import Sequence
from pathlib import Path


def names() -> list[str]:
    """Return the names of the examples: of the folders that have a WSGI application."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/wsgi.py"))


def read_name(arguments: Sequence[str]) -> str:
    """Return the name that a command line gives; it ends the program where that is none.

    :param arguments: those of the program.
    """
    given = [argument for argument in arguments if argument]
    if len(given) == 1 and given[0] in names():
        return given[0]
    problem = f"There is no example {' '.join(given)!r}" if given else "Which example"
    sys.exit(f"{problem}: NAME is one of {', '.join(names())}.")


if __name__ == "__main__":
    read_name(sys.argv[1:])
