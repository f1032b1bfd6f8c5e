"""Processes: one client in each, none before a fork, and nothing left at the end."""

import json
import re
import signal
import subprocess
import threading
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from beaker_mongo_soajs.testing import MongoServer
from tests.behaviour.scenarios import COOKIE, cookies_in
from tests.conftest import Client, Options, RunPython, StartPython
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="needs fork() and Linux's /proc"
)

# Each of these on standard error is a fault. (Beaker before 1.14 and gevent warn of other things.)
BAD_WORDS = re.compile(
    r"Traceback|ResourceWarning|opened before fork|Unclosed|Exception ignored|deadlock"
)
VERBOSE = {"PYTHONDEVMODE": "1"}


def connections_of(client: Client, app_name: str) -> int:
    """Return the number of connections of an application."""
    stages: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleConnections": True}},
        {"$match": {"appName": app_name}},
        {"$count": "connections"},
    ]
    found = list(client.admin.aggregate(stages))
    return found[0]["connections"] if found else 0


@pytest.fixture
def app_name() -> str:
    """Return an appName for the processes of this test."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def options(options: Options, app_name: str) -> Options:
    """Return options for sessions in this test's database, from this test's processes."""
    return options | {"URLParam.appName": app_name}


class TestThreads:
    """A process whose threads all start together."""

    def test_they_share_one_client_and_make_one_index(
        self, options: Options, run_python: RunPython, *, stringify: bool
    ) -> None:
        """64 threads that start at once in a fresh process make one client and one index."""
        said = run_python(
            f"""
            import json, threading
            from collections import Counter
            from pymongo import monitoring
            from beaker_mongo_soajs.mongo import client as module
            from tests.behaviour.scenarios import Change, Site
            from tests.waiting import wait_for_indexes

            THREADS = 64
            made, opened, commands = [], [], Counter()

            class Counting(module.MongoClient):
                def __init__(self, *args, **kwargs):
                    made.append(self)
                    super().__init__(*args, **kwargs)

            class Topologies(monitoring.TopologyListener):
                def opened(self, event): opened.append(event.topology_id)
                def description_changed(self, event): pass
                def closed(self, event): pass

            class Commands(monitoring.CommandListener):
                def started(self, event): commands[event.command_name] += 1
                def succeeded(self, event): pass
                def failed(self, event): pass

            module.MongoClient = Counting
            monitoring.register(Topologies())
            monitoring.register(Commands())
            site = Site({options | {"stringify": stringify}!r})
            together = threading.Barrier(THREADS)
            seen = {{}}

            def visit(number):
                together.wait()
                seen[number] = site.read(site.begin_session(number=number))

            threads = [threading.Thread(target=visit, args=[n]) for n in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            wait_for_indexes()
            names = Counter(thread.name for thread in threading.enumerate())
            print(json.dumps({{
                "right": sum(seen[n] == {{"number": n}} for n in seen),
                "made": len(made),
                "opened": len(opened),
                "monitors": names["pymongo_server_monitor_thread"],
                "commands": commands,
            }}))
            """,
            VERBOSE,
        )
        assert None is BAD_WORDS.search(said.stderr), said.stderr
        assert {
            "right": 64,
            "made": 1,
            "opened": 1,
            "monitors": 1,
            "commands": {
                "listIndexes": 1,
                "createIndexes": 1,
                "insert": 64,
                "find": 64,
            },
        } == json.loads(said.stdout)

    def test_the_first_request_of_a_process_makes_the_index(
        self, options: Options, run_python: RunPython
    ) -> None:
        """The indexes are looked for once in a process, beside its first request."""
        cookie_of = f"""
            from tests.behaviour.scenarios import Site
            from tests.waiting import wait_for_indexes
            print(Site({options!r}).begin_session(user="ann"))
            wait_for_indexes()
        """
        cookie = run_python(cookie_of).stdout.strip()
        said = run_python(
            f"""
            import sys
            from pymongo import monitoring
            from tests.behaviour.scenarios import Site
            from tests.waiting import wait_for_indexes

            class Commands(monitoring.CommandListener):
                # Not print(): the lines of two threads could be mixed.
                def started(self, event): sys.stdout.write(event.command_name + "\\n")
                def succeeded(self, event): pass
                def failed(self, event): pass

            monitoring.register(Commands())
            site = Site({options!r})
            site.read({cookie!r})
            site.read({cookie!r})
            wait_for_indexes()
            """
        )
        commands = said.stdout.split()
        assert 1 == commands.count("listIndexes")
        commands.remove("listIndexes")
        assert ["find", "find"] == commands[:2]
        assert {"endSessions"} >= set(commands[2:])


class TestFork:
    """A process that forks after it has used its client."""

    @pytest.mark.parametrize("ending", ["sys.exit(0)", "os._exit(0)"])
    def test_children_of_a_busy_parent(
        self, options: Options, run_python: RunPython, ending: str
    ) -> None:
        """Children of a parent whose threads use its client have clients of their own, that work.

        The parent's go on working, and the end of a child disturbs neither.
        """
        said = run_python(
            f"""
            import os, sys, threading, warnings
            # Python 3.12 and later warn of what this test is about.
            warnings.filterwarnings("ignore", "This process .* is multi-threaded")
            from beaker_mongo_soajs import MongoNamespaceManager
            from tests.behaviour.scenarios import Change, Site

            CHILDREN = 3
            options = {options!r}
            site = Site(options)
            cookie = site.begin_session(user="ann")

            def client_of():
                return MongoNamespaceManager("id", **options).client

            parents = client_of()
            is_over = threading.Event()
            read = []

            def use():
                while not is_over.wait(0.001):
                    read.append(site.read(cookie)["user"])

            threads = [threading.Thread(target=use) for _ in range(4)]
            for thread in threads:
                thread.start()
            statuses = []
            for number in range(CHILDREN):
                child = os.fork()
                if not child:
                    assert client_of() is not parents
                    assert client_of() is client_of()
                    assert site.read(cookie)["user"] == "ann"
                    site.serve(cookie, Change({{f"k{{number}}": number}}))
                    {ending}
                statuses.append(os.waitpid(child, 0)[1])
            is_over.set()
            for thread in threads:
                thread.join()
            assert statuses == [0] * CHILDREN, statuses
            assert set(read) == {{"ann"}}
            assert client_of() is parents
            print(sorted(site.read(cookie)))
            """,
            VERBOSE,
        )
        assert None is BAD_WORDS.search(said.stderr), said.stderr
        keys = ["user", *(f"k{number}" for number in range(3))]
        assert f"{sorted(keys)}\n" == said.stdout


class TestEnd:
    """The end of a process."""

    def test_closing_leaves_neither_thread_nor_socket(
        self, options: Options, run_python: RunPython, mongo_client: Client, app_name: str
    ) -> None:
        """close_clients() ends all threads and sockets; later requests have a client again.

        So does the end of the interpreter, as the server sees it, in silence.
        """
        said = run_python(
            f"""
            import os, threading
            from concurrent.futures import ThreadPoolExecutor
            from beaker_mongo_soajs import close_clients
            from tests.behaviour.scenarios import Site
            from tests.waiting import wait_until

            def sockets():
                found = []
                for name in os.listdir("/proc/self/fd"):
                    try:
                        found.append(os.readlink(f"/proc/self/fd/{{name}}"))
                    except FileNotFoundError:
                        pass
                return {{name for name in found if name.startswith("socket:")}}

            site = Site({options!r})
            before = set(threading.enumerate()), sockets()
            for _ in range(2):
                with ThreadPoolExecutor(8) as threads:
                    cookies = list(threads.map(lambda n: site.begin_session(n=n), range(50)))
                assert set(threading.enumerate()) > before[0]
                assert sockets() > before[1]
                close_clients()
                wait_until(lambda: (set(threading.enumerate()), sockets()) == before)
            assert [site.read(cookie)["n"] for cookie in cookies] == list(range(50))
            print("done")
            """,
            VERBOSE,
        )
        assert None is BAD_WORDS.search(said.stderr), said.stderr
        assert "done\n" == said.stdout
        wait_until(lambda: connections_of(mongo_client, app_name) == 0)

    def test_a_server_that_hangs_does_not_hold_up_the_end(
        self, options: Options, start_python: StartPython, mongo_server: MongoServer
    ) -> None:
        """A process ends within seconds though the server does not answer any more."""
        process = start_python(
            f"""
            import sys
            from tests.behaviour.scenarios import Site
            site = Site({options!r})
            site.read(site.begin_session(user="ann"))
            print("ready", flush=True)
            sys.stdin.readline()
            """,
            VERBOSE,
        )
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
        mongo_server.pause()
        try:
            began = time.monotonic()
            _, errors = process.communicate("\n", timeout=60)
            taken = time.monotonic() - began
        finally:
            mongo_server.resume()
        assert None is BAD_WORDS.search(errors), errors
        assert 0 == process.returncode
        assert taken < 10


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
