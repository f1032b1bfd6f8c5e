"""A pytest plugin that records which places of the package each test runs, and for how long.

Each process writes a file into the folder of ``MUTATION_COVERAGE``; :mod:`tests.mutation.selection`
starts the processes and reads the files.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

from tests.fast import is_slow
from tests.mutation.places import place_at
from tests.repository import ROOT

_SOURCE = ROOT / "beaker_mongo_soajs"


class _Plugin:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seconds: dict[str, float] = {}
        self._own_server: list[str] = []
        self._processes: list[str] = []
        self._measured = coverage.Coverage(data_file=None, source=[str(_SOURCE)], config_file=False)
        self._measured.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Record one test, with its fixtures."""
        self._measured.switch_context(item.nodeid)
        if "mongo_server" in getattr(item, "fixturenames", ()):
            self._own_server.append(item.nodeid)
        if is_slow(item):
            self._processes.append(item.nodeid)
        start = time.monotonic()
        try:
            return (yield)
        finally:
            self._seconds[item.nodeid] = round(time.monotonic() - start, 3)
            self._measured.switch_context("")

    def pytest_sessionfinish(self) -> None:
        """Write what was recorded; xdist ends a worker that needs long after this hook."""
        self._measured.stop()
        data = self._measured.get_data()
        numbers = {test: number for number, test in enumerate(self._seconds)}
        places: dict[str, set[int]] = {}
        for path in data.measured_files():
            module = str(Path(path).relative_to(_SOURCE).with_suffix(""))
            place = place_at(Path(path).read_text())
            for line, tests in data.contexts_by_lineno(path).items():
                if place(line) is not None:
                    found = places.setdefault(f"{module}:{place(line)}", set())
                    found.update(numbers[test] for test in tests if test)
        measured = {
            "seconds": self._seconds,
            "own_server": self._own_server,
            "processes": self._processes,
            "places": {place: sorted(tests) for place, tests in places.items()},
        }
        (self._folder / f"{uuid.uuid4().hex}.json").write_text(json.dumps(measured))


def pytest_configure(config: pytest.Config) -> None:
    """Record in this process if it runs tests: not in the one that starts xdist's workers."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        config.pluginmanager.register(_Plugin(Path(os.environ["MUTATION_COVERAGE"])))
