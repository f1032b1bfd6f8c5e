"""Run tests on a changed copy of the package, each time in a fork of this process.

The fork has the libraries already, but not the package, and uses a server that is running.
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

from tests.mutation.selection import IMPORTED, Round
from tests.repository import ROOT

PACKAGE = "beaker_mongo_soajs"
_LIBRARIES = (
    *("beaker.cache", "beaker.middleware", "bottle", "cryptography.fernet", "django.test", "flask"),
    *("hypothesis", "pymongo", "pyramid.testing", "webob", "webtest"),
)
_ARGUMENTS = (
    *("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", IMPORTED),
    # A mutant may wait for ever.
    *("-o", "timeout=30"),
)
_POLL_SECONDS = 0.02
# A mutant may loop for ever.
_SLOWEST = 4.0
_LEAST_SECONDS = 40.0


class _Chosen:
    """A plugin that keeps the chosen tests, in their order, and names the first that fails.

    :param tests: their node ids.
    :param report: the path of the file for the node id of the test that failed.
    """

    def __init__(self, tests: Sequence[str], report: Path) -> None:
        self._order = {test: number for number, test in enumerate(tests)}
        self._report = report

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Deselect the other tests."""
        chosen = [item for item in items if item.nodeid in self._order]
        items[:] = sorted(chosen, key=lambda item: self._order[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the name of a test that fails."""
        if report.failed:
            self._report.write_text(report.nodeid)


class Runner:
    """Run tests in forks.

    :param url: the URL of the server for the tests.
    :param folder: a folder for copies of the package.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._number = 0
        self._passes_unchanged: dict[str, bool] = {}
        for name in _LIBRARIES:
            import_module(name)
        assert PACKAGE not in sys.modules, "the forks have to import their own copy"

    def notices(self, rounds: Sequence[Round], module: str, source: str) -> str | None:
        """Return the test that notices a change, or ``None``.

        A test that fails without the change as well does not count.

        :param rounds: the tests.
        :param module: the name of the changed module.
        :param source: its source.
        """
        for each in rounds:
            tests = [test for test in each.tests if self._passes_unchanged.get(test, True)]
            while tests:
                failed = self._run(each._replace(tests=tests), module, source)
                if failed is None or "::" not in failed:
                    break
                if failed not in self._passes_unchanged:
                    alone = Round([failed], each.own_server, _LEAST_SECONDS)
                    self._passes_unchanged[failed] = self._run(alone) is None
                if self._passes_unchanged[failed]:
                    break
                tests.remove(failed)
            else:
                continue
            if failed is not None:
                return failed
        return None

    def _run(self, chosen: Round, module: str = "", source: str = "") -> str | None:
        """Return the test that fails, or another word for a failure; ``None`` if none fails."""
        self._number += 1
        copy = self._folder / str(self._number)
        shutil.copytree(ROOT / PACKAGE, copy / PACKAGE)
        if module:
            (copy / PACKAGE / f"{module}.py").write_text(source)
        seconds = _LEAST_SECONDS + _SLOWEST * chosen.seconds
        status = self._wait(self._fork(copy, chosen), seconds)
        report = copy / "failed"
        failed = report.read_text() if report.exists() else f"exit status {status}"
        shutil.rmtree(copy)
        return (
            None if status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else failed
        )

    def _fork(self, copy: Path, chosen: Round) -> int:
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
            os.environ |= {
                "HYPOTHESIS_STORAGE_DIRECTORY": str(copy),
                "PYTHONPATH": str(copy),
                "TEST_EFFORT": "tenth",
            }
            os.environ.pop("CI", None)
            if not chosen.own_server:
                os.environ["MONGODB_URL"] = self._url
            os.chdir(ROOT)
            files = dict.fromkeys(test.partition("::")[0] for test in chosen.tests)
            plugin = _Chosen(chosen.tests, copy / "failed")
            status = pytest.main([*_ARGUMENTS, *files], plugins=[plugin])
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
