"""Gunicorn with an application that is loaded before the fork."""

import json
import re
import signal
import subprocess
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.behaviour.processes import BAD_WORDS, VERBOSE, connections_of
from tests.behaviour.scenarios import COOKIE, cookies_in
from tests.conftest import Client, Options, StartPython
from tests.waiting import wait_until

WORKERS = 4


TOGETHER = 2 * WORKERS


APPLICATION = """
import json
import os
import threading
from pathlib import Path

from beaker.middleware import SessionMiddleware
from pymongo import MongoClient

from beaker_mongo_soajs import SessionStore
from tests.waiting import wait_until

options = json.loads(os.environ["OPTIONS"])
here = Path(__file__).parent
importer = os.getpid()
if os.environ["USED"]:
    # An application that looks at its sessions while it is imported, before the fork.
    SessionStore(options).length()
before_fork = len(threading.enumerate())


def respond(environ, start_response):
    session = environ["beaker.session"]
    visits = session.get("visits", 0) + 1
    session["visits"] = visits
    session.save()
    if environ["PATH_INFO"] == "/meet":
        name = environ["QUERY_STRING"]
        (here / f"{name}.came").touch()
        wait_until((here / "go").exists, seconds=60)
    start_response("200 OK", [("Content-Type", "application/json")])
    answer = {
        "pid": os.getpid(), "importer": importer, "visits": visits, "threads": before_fork
    }
    return [json.dumps(answer).encode()]


settings = {f"session.{name}": value for name, value in options.items()}
application = SessionMiddleware(respond, {"session.type": "ext:mongodb_soajs", **settings})
"""


CONFIGURATIONS = {
    "patched early": "import gevent.monkey; gevent.monkey.patch_all()",
    # Python 3.12 and later warn of what is tested here: a fork beside the threads of a client.
    "used before the fork": "import warnings\n"
    "warnings.filterwarnings('ignore', 'This process .* is multi-threaded')",
}


RUN_GUNICORN = "import sys; from gunicorn.app.wsgiapp import run; sys.argv = {!r}; run()"


class Gunicorn:
    """A gunicorn master, preloaded, and its workers.

    :param process: the master.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        wait_until(lambda: self.port or process.poll() is not None, seconds=60)
        assert process.poll() is None, self.log

    @property
    def log(self) -> str:
        """Its standard error output."""
        return "".join(self.lines)

    @property
    def port(self) -> int:
        """The port on which it listens; 0 if it does not yet."""
        found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", self.log)
        return int(found[1]) if found else 0

    def get(self, path: str, cookie: str | None = None) -> tuple[dict[str, Any], list[str]]:
        """Make a request, and return what the application said and the cookies it set."""
        headers = {"Connection": "close"}
        if cookie is not None:
            headers["Cookie"] = f"{COOKIE}={cookie}"
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=60
        ) as answer:
            return json.load(answer), cookies_in(answer.getheaders())

    def stop(self) -> int:
        """Stop it as a service manager does (SIGTERM), and return its exit status."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)
        self._reader.join(timeout=60)
        return self._process.returncode

    def _read(self) -> None:
        assert self._process.stderr is not None
        self.lines.extend(iter(self._process.stderr.readline, ""))


StartGunicorn = Callable[..., Gunicorn]


class TestGunicorn:
    """Real gunicorn processes, asked over HTTP."""

    @pytest.fixture
    def start_gunicorn(
        self, start_python: StartPython, options: Options, tmp_path: Path
    ) -> Iterator[StartGunicorn]:
        """Return a function that starts gunicorn with a kind of worker."""
        pytest.importorskip("gunicorn")
        (tmp_path / "application_under_test.py").write_text(APPLICATION)
        started: list[Gunicorn] = []

        def start(worker_class: str, setup: str) -> Gunicorn:
            pytest.importorskip("gevent") if worker_class == "gevent" else None
            (tmp_path / "gunicorn.conf.py").write_text(CONFIGURATIONS.get(setup, ""))
            arguments = [
                *("gunicorn", "--preload", "--workers", str(WORKERS), "--bind", "127.0.0.1:0"),
                *("--worker-class", worker_class, "--pythonpath", str(tmp_path)),
                *("--config", str(tmp_path / "gunicorn.conf.py")),
                # So many requests and no more at a time, so that each worker gets its share.
                *("--worker-connections", "2", "--graceful-timeout", "20"),
                *(("--threads", "2") if worker_class == "gthread" else ()),
                "application_under_test:application",
            ]
            env = {
                "OPTIONS": json.dumps(options),
                "USED": "yes" if setup == "used before the fork" else "",
                # gunicorn 25 and later keep a socket there.
                "HOME": str(tmp_path),
                "XDG_RUNTIME_DIR": str(tmp_path),
            }
            gunicorn = Gunicorn(start_python(RUN_GUNICORN.format(arguments), VERBOSE | env))
            started.append(gunicorn)
            return gunicorn

        yield start
        for gunicorn in started:
            gunicorn.stop()

    @pytest.mark.parametrize(
        ("worker_class", "setup"),
        [
            ("gthread", "idle"),
            ("gthread", "used before the fork"),
            ("gevent", "idle"),
            # As gevent's documentation advises. (It cannot patch a process, nor fork one that is
            # patched, in which a client has been used.)
            ("gevent", "patched early"),
        ],
    )
    def test_all_workers_serve(
        self,
        start_gunicorn: StartGunicorn,
        tmp_path: Path,
        mongo_client: Client,
        app_name: str,
        worker_class: str,
        setup: str,
    ) -> None:
        """Preloaded, each of four workers serves sessions, and all of them the same ones.

        There is no warning, neither of a fork nor of anything left open, and a clean end.
        """
        gunicorn = start_gunicorn(worker_class, setup)
        with ThreadPoolExecutor(TOGETHER) as threads:
            meetings = [threads.submit(gunicorn.get, f"/meet?{n}") for n in range(TOGETHER)]
            try:
                wait_until(lambda: len(list(tmp_path.glob("*.came"))) == TOGETHER, seconds=60)
            finally:
                (tmp_path / "go").touch()
            answers = [meeting.result() for meeting in meetings]
            workers = Counter(said["pid"] for said, _ in answers)
            assert [2] * WORKERS == list(workers.values())
            cookies = [cookie for _, set_cookies in answers for cookie in set_cookies]
            assert TOGETHER == len(set(cookies))
            for visits in range(2, 6):
                again = list(threads.map(lambda cookie: gunicorn.get("/", cookie), cookies))
                assert [(visits, [])] * TOGETHER == [
                    (said["visits"], set_cookies) for said, set_cookies in again
                ]
        importers = {said["importer"] for said, _ in answers}
        assert 1 == len(importers)
        assert not importers & workers.keys()
        if setup != "used before the fork":
            assert {1} == {said["threads"] for said, _ in answers}
        assert 0 == gunicorn.stop()
        assert None is BAD_WORDS.search(gunicorn.log), gunicorn.log
        assert "SIGKILL" not in gunicorn.log
        wait_until(lambda: connections_of(mongo_client, app_name) == 0)
