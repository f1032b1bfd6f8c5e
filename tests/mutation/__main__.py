"""Change a module in one place after another, and look whether its tests notice.

``python -m tests.mutation MODULE…`` prints the mutants that the tests do not notice, and the score
of each module. A mutant is tried by the tests that run its line.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.mutation.mutants import Mutant, draw_mutants
from tests.mutation.runner import PACKAGE, Runner
from tests.mutation.selection import Selection, load_selection
from tests.repository import ROOT

_SERVE = """
import sys
from beaker_mongo_soajs.testing import MongoServer
with MongoServer(for_tests=True, args=["--setParameter", "ttlMonitorEnabled=false"]) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


class Score(NamedTuple):
    """The result of one module.

    :param module: its path in the package.
    :param noticed: the number of mutants that a test noticed.
    :param survivors: those that no test noticed.
    :param equivalent: the number of those that change nothing, by ``equivalents.toml``.
    """

    module: str
    noticed: int
    survivors: list[Mutant]
    equivalent: int

    @property
    def line(self) -> str:
        """The score, for people."""
        total = self.noticed + len(self.survivors)
        percent = f"{self.noticed / total:.0%}" if total else "-"
        return f"{percent:>5}  {self.noticed:>4} of {total:<4} {self.module}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if a mutant was not noticed."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutation"]
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="for example sessions/record; all by default")
    parser.add_argument("--most", type=int, default=settings["most"], help="mutants of a module")
    parser.add_argument("--all", action="store_true", help="all mutants, which takes hours")
    given = parser.parse_args(arguments)
    modules = given.modules or all_modules()
    for name in modules:
        if not (ROOT / PACKAGE / f"{name}.py").exists():
            parser.error(f"{name} is no module: write for example sessions/record")
    scores = []
    selection = load_selection()
    with _server() as url, tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        runner = Runner(url, Path(folder))
        for name in modules:
            scores.append(_try(runner, selection, name, None if given.all else given.most))
            print(scores[-1].line, flush=True)
    if len(scores) > 1:
        noticed = sum(score.noticed for score in scores)
        survivors = [mutant for score in scores for mutant in score.survivors]
        equivalent = sum(score.equivalent for score in scores)
        print("\n" + "\n".join(score.line for score in scores))
        print(Score("all of them", noticed, survivors, equivalent).line)
    return int(any(score.survivors for score in scores))


def all_modules() -> list[str]:
    """Return the names of all modules, for example ``sessions/record``."""
    paths = (ROOT / PACKAGE).rglob("*.py")
    names = (str(path.relative_to(ROOT / PACKAGE).with_suffix("")) for path in paths)
    return sorted(name for name in names if not name.endswith(("__init__", "__main__")))


def _try(runner: Runner, selection: Selection, name: str, most: int | None) -> Score:
    source = (ROOT / PACKAGE / f"{name}.py").read_text()
    mutants = draw_mutants(source, most, name)
    equivalents = _equivalents(name)
    survivors = []
    equivalent = 0
    for number, mutant in enumerate(mutants, 1):
        if (mutant.before, mutant.after) in equivalents:
            equivalent += 1
        elif not runner.notices(selection.rounds(name, source, mutant.line), name, mutant.source):
            survivors.append(mutant)
            print(f"{name}.py:{mutant}", flush=True)
        print(f"\r{number} of {len(mutants)} ", end="", file=sys.stderr, flush=True)
    return Score(name, len(mutants) - equivalent - len(survivors), survivors, equivalent)


def _equivalents(name: str) -> set[tuple[str, str]]:
    rows: list[dict[str, Any]] = tomllib.loads(
        Path(__file__).with_name("equivalents.toml").read_text()
    ).get(name, [])
    return {(row["before"], row["after"]) for row in rows}


@contextmanager
def _server() -> Iterator[str]:
    """Start a server in another process, because this one must not import the package."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


if __name__ == "__main__":
    sys.exit(main())
