"""Run Django's own tests of sessions on this package: ``python -m tests.django.own_tests``.

The tests are those of the installed version, from Django's source distribution. pip downloads it
into ``.cache/`` in this repository.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import connection
from django.test.utils import setup_test_environment, teardown_test_environment

from beaker_mongo_soajs.django import SessionStore
from tests.django.table import Sessions
from tests.repository import ROOT

CACHE = ROOT / ".cache" / "django"
PACKAGE = "sessions_tests"
LEFT_OUT = {
    "test_extra_session_field": "needs a column of its own in a table",
}
"""Tests of Django's that no other engine than that of a database table can pass."""


class NotAvailableError(Exception):
    """The source distribution cannot be downloaded."""


def fetch(version: str) -> Path:
    """Return the folder with Django's tests of sessions, and download it if need be.

    :param version: the exact version of Django.
    :raises NotAvailableError: pip cannot download it.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / version
    # Several processes may run these tests at once.
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
                _download(version, Path(temporary)).rename(folder)
    return folder


def _download(version: str, temporary: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    source = ["--no-binary", "django", "--dest", str(temporary), f"django=={version}"]
    run = subprocess.run([*pip, *source], capture_output=True, text=True, check=False)
    archives = list(temporary.glob("*.tar.gz"))
    if not archives:
        raise NotAvailableError(f"pip cannot download Django {version}:\n{run.stderr[-2000:]}")
    unpacked = temporary / "unpacked"
    with tarfile.open(archives[0]) as archive:
        members = [each for each in archive if f"/tests/{PACKAGE}/" in each.name]
        archive.extractall(unpacked, members, filter="data")
    (tests,) = unpacked.glob("*/tests")
    return tests


def run(url: str, database: str, options: dict[str, Any]) -> dict[str, Any]:
    """Run the tests, and return their numbers.

    :param url: the MongoDB server.
    :param database: a database for these tests.
    :param options: further options of ``BEAKER_MONGO``.
    """
    _configure({"url": url, "name": database, **options})
    setup_test_environment()
    connection.creation.create_test_db(verbosity=0)
    cases = list(_cases())
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)
    result = unittest.TextTestRunner(sys.stderr).run(suite)
    teardown_test_environment()
    return {
        "passed": result.testsRun - len(result.failures + result.errors + result.skipped),
        "of": {case.__name__: len(loader.getTestCaseNames(case)) for case in cases},
    }


def _configure(options: dict[str, Any]) -> None:
    apps = ("contenttypes", "auth", "sessions")
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=[
            *(f"django.contrib.{name}" for name in apps),
            "beaker_mongo_soajs.django",
            PACKAGE,
        ],
        SECRET_KEY="a key of the tests",
        SESSION_ENGINE="beaker_mongo_soajs.django",
        # The tests count documents, so the server must not remove any.
        BEAKER_MONGO=options | {"store": {"createIndexes": False}},
        USE_TZ=False,
    )
    django.setup()


def _cases() -> Iterator[type[unittest.TestCase]]:
    """Yield Django's test cases, with this package's engine instead of that of a table."""
    tests: Any = import_module(f"{PACKAGE}.tests")

    class OfOneDay(SessionStore):
        def get_session_cookie_age(self) -> int:
            return 60 * 60 * 24

    # SessionMiddlewareTests name the engine and its table as globals of their module.
    for name, replacement in (("DatabaseSession", SessionStore), ("Session", Sessions)):
        assert hasattr(tests, name)
        setattr(tests, name, replacement)

    def set_up(self: Any) -> None:
        Sessions.objects.clear()
        super(type(self), self).setUp()

    ours = {"model": Sessions, "session_engine": "beaker_mongo_soajs.django", "setUp": set_up}
    for name in ("DatabaseSessionTests", "DatabaseSessionWithTimeZoneTests"):
        yield type(name, (getattr(tests, name),), ours | {"backend": SessionStore})
    custom = ours | {"backend": OfOneDay} | dict.fromkeys(LEFT_OUT)
    yield type("CustomDatabaseSessionTests", (tests.CustomDatabaseSessionTests,), custom)
    for name in ("SessionMiddlewareTests", "ClearSessionsCommandTests", "SessionBaseTests"):
        # Django 4.2 does not have the last one.
        if hasattr(tests, name):
            yield getattr(tests, name)


if __name__ == "__main__":
    sys.path.insert(0, str(fetch(version_of("django"))))
    found = run(os.environ["MONGODB_URL"], sys.argv[1], json.loads(sys.argv[2]))
    sys.stdout.write(json.dumps(found))
