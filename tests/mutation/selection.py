"""The tests that run a place of the package: measured once, and again for changed test files."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypedDict

from tests.mutation.places import place_at
from tests.repository import ROOT

FILE = ROOT / ".cache" / "mutation.json"
IMPORTED = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
"""The option ``-W`` of pytest, as a plugin has imported modules with assertions."""

_LEFT_OUT = {"applications", "browser", "demo", "frameworks", "interleavings", "tools"}
"""Folders whose tests run the package in other processes, or for minutes."""
_NEAR_SECONDS = 6.0
_NEAR_FILES = 6
_MOST_SECONDS = 25.0


class Measured(TypedDict):
    """What the tests of one file run.

    ``digest`` is that of the file; ``seconds`` has the duration of each test, by its node id;
    ``own_server`` has those that need a server of their own, ``processes`` those that may start a
    process, whose places are not measured; ``places`` has the numbers of the tests that run a
    place, by the names of its module and its own.
    """

    digest: str
    seconds: dict[str, float]
    own_server: list[str]
    processes: list[str]
    places: dict[str, list[int]]


class Round(NamedTuple):
    """Tests that run together, in this order.

    :param tests: their node ids.
    :param own_server: whether they need a server of their own.
    :param seconds: how long they took when they were measured.
    """

    tests: list[str]
    own_server: bool
    seconds: float


class Selection:
    """Choose tests by what was measured.

    :param files: what was measured.
    """

    def __init__(self, files: Iterable[Measured]) -> None:
        self._seconds: dict[str, float] = {}
        self._own_server: set[str] = set()
        self._processes: set[str] = set()
        self._tests: dict[str, set[str]] = {}
        for file in files:
            self._seconds |= file["seconds"]
            self._own_server.update(file["own_server"])
            self._processes.update(file["processes"])
            names = list(file["seconds"])
            for place, numbers in file["places"].items():
                self._tests.setdefault(place, set()).update(names[number] for number in numbers)

    def rounds(self, module: str, source: str, line: int) -> list[Round]:
        """Return the tests that may notice a change of a line, the most promising ones first.

        :param module: its name, for example ``sessions/record``.
        :param source: its source.
        :param line: the number of the line.
        """
        found = self._tests.get(f"{module}:{place_at(source)(line)}", set())
        if not found:
            found = set().union(*self._of_module(module))
        if not found:
            found = {test for test in self._seconds if _nearness(test, module)}
        found = found | {test for test in self._processes if _nearness(test, module)}
        shared = found - self._own_server
        near = self._first(shared, module, _NEAR_SECONDS, _NEAR_FILES)
        others = self._first(shared.difference(near), "", _MOST_SECONDS)
        own = self._first(found & self._own_server, module, _MOST_SECONDS)
        rounds = ((near, False), (others, False), (own, True))
        return [
            Round(tests, own_server, sum(map(self._seconds.__getitem__, tests)))
            for tests, own_server in rounds
            if tests
        ]

    def _of_module(self, module: str) -> list[set[str]]:
        return [tests for name, tests in self._tests.items() if name.startswith(f"{module}:")]

    def _first(
        self, tests: Iterable[str], module: str, seconds: float, files: int | None = None
    ) -> list[str]:
        """Return the tests that are nearest to a module, the quickest first, for so many seconds.

        Without a module, one case of each test function comes before its other cases.
        """
        order: dict[str, tuple[int, int]] = {}
        cases: Counter[str] = Counter()
        for test in sorted(tests, key=self._seconds.__getitem__):
            function = test.partition("[")[0]
            order[test] = (-_nearness(test, module), 0 if module else cases[function])
            cases[function] += 1
        chosen: list[str] = []
        seen: set[str] = set()
        for test in sorted(order, key=order.__getitem__):
            file = _file(test)
            if len(seen) == files and file not in seen:
                continue
            seconds -= self._seconds[test]
            if seconds < 0 and chosen:
                break
            seen.add(file)
            chosen.append(test)
        return chosen


def load_selection() -> Selection:
    """Return the measured tests; measure those of new and of changed files first."""
    kept: dict[str, Measured] = json.loads(FILE.read_text()) if FILE.exists() else {}
    digests = dict(_test_files())
    files = {path: kept[path] for path in kept if kept[path]["digest"] == digests.get(path)}
    missing = {path: digest for path, digest in digests.items() if path not in files}
    if missing:
        print(f"Measuring {len(missing)} files of tests.", file=sys.stderr, flush=True)
        files |= _measure(missing)
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(files))
    return Selection(files.values())


def _test_files() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if not _LEFT_OUT.intersection(path.parts):
            yield str(path.relative_to(ROOT)), hashlib.sha256(path.read_bytes()).hexdigest()


def _measure(digests: Mapping[str, str]) -> dict[str, Measured]:
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-n", "auto", "--dist", "worksteal"),
                *("-p", "tests.mutation.coverage_plugin", "-W", IMPORTED, *digests),
            ],
            cwd=ROOT,
            env=os.environ | {"MUTATION_COVERAGE": folder, "TEST_EFFORT": "tenth"},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        # Tests that fail are measured as well; 2 and more mean that not all of them ran.
        if done.returncode > 1:
            sys.exit("The tests cannot be measured: run them by pytest to see why.")
        return merge(Path(folder), digests)


def merge(folder: Path, digests: Mapping[str, str]) -> dict[str, Measured]:
    """Return what the processes measured, by the file of the tests.

    :param folder: has the files of :mod:`tests.mutation.coverage_plugin`.
    :param digests: the digests of the files of the tests.
    """
    files: dict[str, Measured] = {
        path: {"digest": digest, "seconds": {}, "own_server": [], "processes": [], "places": {}}
        for path, digest in digests.items()
    }
    numbers: dict[str, int] = {}
    for path in folder.glob("*.json"):
        part: Measured = json.loads(path.read_text())
        for test, seconds in part["seconds"].items():
            numbers[test] = len(files[_file(test)]["seconds"])
            files[_file(test)]["seconds"][test] = seconds
        for test in part["own_server"]:
            files[_file(test)]["own_server"].append(test)
        for test in part["processes"]:
            files[_file(test)]["processes"].append(test)
        names = list(part["seconds"])
        for place, found in part["places"].items():
            for number in found:
                file = files[_file(names[number])]
                file["places"].setdefault(place, []).append(numbers[names[number]])
    return files


def _file(test: str) -> str:
    return test.partition("::")[0]


def _nearness(test: str, module: str) -> int:
    """Return how many words the paths of a test and of a module have in common."""
    return len(_words(_file(test)) & _words(module))


def _words(path: str) -> set[str]:
    name = path.removeprefix("tests/").removesuffix(".py").replace("test_", "")
    return {word.removesuffix("s") for word in re.split("[/_]", name)}
