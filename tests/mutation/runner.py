"""Run tests on a changed copy of the package, each time in a fork of this process.

The fork has the libraries already, but not the package, and uses a server that is running. Most
mutants are noticed there within a second. The others are tried again by the tests that need a
server of their own.
"""

import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from tests.repository import ROOT

PACKAGE = "beaker_mongo_soajs"
_IMPORTED = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
_LIBRARIES = ("beaker.cache", "beaker.middleware", "hypothesis", "pymongo", "webob", "webtest")
_ARGUMENTS = (
    *("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", _IMPORTED),
    # A mutant may wait for ever.
    *("-o", "timeout=60"),
)
_POLL_SECONDS = 0.02


class _Selection:
    """A plugin that keeps the tests that need a server of their own, or all others."""

    def __init__(self, *, own_server: bool) -> None:
        self._own_server = own_server

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Deselect the other tests."""
        names = "fixturenames"
        items[:] = [
            item
            for item in items
            if ("mongo_server" in getattr(item, names, ())) == self._own_server
        ]


class Runner:
    """Run tests in forks.

    :param url: the URL of the server for the tests.
    :param folder: a folder for copies of the package.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._number = 0
        self._empty: set[tuple[object, ...]] = set()
        self.last_log = ""
        for name in _LIBRARIES:
            import_module(name)
        assert PACKAGE not in sys.modules, "the forks have to import their own copy"

    def passes(
        self, tests: Sequence[str], seconds: float, module: str = "", source: str = ""
    ) -> bool:
        """Return whether all tests pass.

        :param tests: the files and folders with the tests.
        :param seconds: a longer run is a failure.
        :param module: the path of a changed module in the package; empty for none.
        :param source: its source.
        """
        self._number += 1
        copy = self._folder / str(self._number)
        shutil.copytree(ROOT / PACKAGE, copy / PACKAGE)
        if module:
            (copy / PACKAGE / module).write_text(source)
        passed = True
        for own_server in (False, True):
            if module and (own_server, *tests) in self._empty:
                continue
            status = self._wait(self._fork(copy, tests, own_server=own_server), seconds)
            if status == pytest.ExitCode.NO_TESTS_COLLECTED:
                self._empty.add((own_server, *tests))
            elif status != pytest.ExitCode.OK:
                passed = False
                break
        self.last_log = (copy / "log").read_text(errors="replace")
        shutil.rmtree(copy)
        return passed

    def _fork(self, copy: Path, tests: Sequence[str], *, own_server: bool) -> int:
        child = os.fork()
        if child:
            return child
        status: int = pytest.ExitCode.INTERNAL_ERROR
        try:
            os.setsid()
            log = os.open(copy / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.path.insert(0, str(copy))
            os.environ |= {"HYPOTHESIS_STORAGE_DIRECTORY": str(copy), "TEST_EFFORT": "tenth"}
            os.environ.pop("CI", None)
            if not own_server:
                os.environ["MONGODB_URL"] = self._url
            os.chdir(ROOT)
            arguments = [*_ARGUMENTS, *tests]
            status = pytest.main(arguments, plugins=[_Selection(own_server=own_server)])
        except BaseException:  # noqa: BLE001 - the fork must end here
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _wait(self, child: int, seconds: float) -> int:
        """Return the exit status, or -1 after this time."""
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    return os.waitstatus_to_exitcode(status)
                time.sleep(_POLL_SECONDS)
        except BaseException:
            self._kill(child)
            raise
        self._kill(child)
        return -1

    def _kill(self, child: int) -> None:
        # The watchdog of a server that its tests started ends that server.
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
