"""Processes: one client in each, none before a fork, and nothing left at the end."""

import json
import time
from pathlib import Path

import pytest

from beaker_mongo_soajs.testing import MongoServer
from tests.behaviour.processes import BAD_WORDS, VERBOSE, connections_of
from tests.conftest import Client, Options, RunPython, StartPython
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="needs fork() and Linux's /proc"
)


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
