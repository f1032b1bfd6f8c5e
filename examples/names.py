"""The names of the examples.

``python -m examples.names NAME`` checks a name before anything is installed. It prints nothing if
the name is valid, and otherwise a list of the names.
"""

import sys
from collections.abc import Sequence
from pathlib import Path


def names() -> list[str]:
    """Return the names of the examples, which are the folders with a WSGI application."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/wsgi.py"))


def read_name(arguments: Sequence[str]) -> str:
    """Return the name in the arguments, or exit with a message if there is no valid one.

    :param arguments: the arguments of the program.
    """
    given = [argument for argument in arguments if argument]
    if len(given) == 1 and given[0] in names():
        return given[0]
    problem = f"There is no example {' '.join(given)!r}" if given else "Which example"
    sys.exit(f"{problem}: NAME is one of {', '.join(names())}.")


if __name__ == "__main__":
    read_name(sys.argv[1:])
