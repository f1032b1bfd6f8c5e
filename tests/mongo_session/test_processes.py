"""MongoSession in several processes: locks, killed processes and forks."""

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from beaker_mongo_soajs import MongoSession
from tests.application import live_documents
from tests.conftest import Db, FailPoint, ForkPython, Options, RunPython
from tests.effort import times
from tests.forks import Fork
from tests.waiting import wait_until

StartReady = Callable[..., Fork]

PROCESSES = 8
INCREMENTS = times(30)

_START = """
    import sys
    from beaker_mongo_soajs import MongoSession

    def load():
        return MongoSession({{}}, use_cookies=False, id={id!r}, **{options!r})

    print("ready", flush=True)
    sys.stdin.readline()
"""
_COUNT = (
    _START
    + """
    for _ in range({times}):
        session = load()
        with session.locked(timeout=120):
            session["n"] += 1
    print("done", flush=True)
"""
)
_HOLD = (
    _START
    + """
    session = load()
    session.lock()
    session["n"] += 1000
    print("holding", flush=True)
    sys.stdin.readline()
    session.unlock()
    print("unlocked", flush=True)
"""
)


def _new_session(options: Options) -> str:
    session = MongoSession({}, use_cookies=False, **options)
    session["n"] = 0
    session.save()
    id_: str = session.id
    return id_


def _expect(process: Fork, word: str) -> None:
    assert f"{word}\n" == process.read_line()


@pytest.fixture
def start_ready(fork_python: ForkPython) -> StartReady:
    """Return a function that starts a process and waits until it is ready to go."""

    def start(code: str, **values: Any) -> Fork:
        process = fork_python(code.format(**values))
        _expect(process, "ready")
        return process

    return start


class TestLock:
    """session.locked() between processes."""

    def test_no_increment_is_lost(
        self, options: Options, start_ready: StartReady, database: Db
    ) -> None:
        """With the lock, no increment of 8 processes that count in one session is lost."""
        id_ = _new_session(options)
        counters = [
            start_ready(_COUNT, id=id_, options=options, times=INCREMENTS) for _ in range(PROCESSES)
        ]
        for counter in counters:
            counter.send_line("go")
        for counter in counters:
            _expect(counter, "done")
        session = MongoSession({}, use_cookies=False, id=id_, **options)
        assert PROCESSES * INCREMENTS == session["n"]
        assert 0 == database.sessions_locks.count_documents({})

    def test_without_the_lock_increments_are_lost(
        self, options: Options, start_ready: StartReady
    ) -> None:
        """Without the lock, the same processes lose increments."""
        id_ = _new_session(options)
        code = _COUNT.replace("with session.locked(timeout=120):", "if True:").replace(
            '["n"] += 1', '["n"] += 1; session.save()'
        )
        counters = [start_ready(code, id=id_, options=options, times=25) for _ in range(4)]
        for counter in counters:
            counter.send_line("go")
        for counter in counters:
            _expect(counter, "done")
        assert 100 > MongoSession({}, use_cookies=False, id=id_, **options)["n"]

    def test_a_killed_owner_releases_the_lock(
        self, options: Options, start_ready: StartReady, database: Db
    ) -> None:
        """After its owner is killed, a lock is released with its lease, and nothing was saved."""
        lease_seconds = 1.5
        options = options | {"store": {"lockLease": lease_seconds}}
        id_ = _new_session(options)
        owner = start_ready(_HOLD, id=id_, options=options)
        counters = [start_ready(_COUNT, id=id_, options=options, times=20) for _ in range(2)]
        owner.send_line("go")
        _expect(owner, "holding")
        for counter in counters:
            counter.send_line("go")
        # While its owner runs, the lease is extended, so nobody else acquires it.
        first = database.sessions_locks.find_one()
        assert first is not None
        wait_until(lambda: (database.sessions_locks.find_one() or first) != first)
        owner.signal(signal.SIGKILL)
        killed = time.monotonic()
        for counter in counters:
            _expect(counter, "done")
        assert lease_seconds / 2 < time.monotonic() - killed < lease_seconds + 20
        assert 40 == MongoSession({}, use_cookies=False, id=id_, **options)["n"]

    def test_a_stopped_owner_overwrites_nothing(
        self, options: Options, start_ready: StartReady
    ) -> None:
        """An owner that was stopped for longer than its lease saves nothing when it continues."""
        options = options | {"store": {"lockLease": 0.6}}
        id_ = _new_session(options)
        owner = start_ready(_HOLD, id=id_, options=options)
        owner.send_line("go")
        _expect(owner, "holding")
        owner.signal(signal.SIGSTOP)
        try:
            session = MongoSession({}, use_cookies=False, id=id_, **options)
            with session.locked(timeout=30):
                session["n"] += 1
        finally:
            owner.signal(signal.SIGCONT)
        owner.send_line("go")
        assert "LockTimeout" in owner.read_line()
        assert 1 == MongoSession({}, use_cookies=False, id=id_, **options)["n"]


class TestKilledLogin:
    """A process that is killed while it changes the session id."""

    @pytest.mark.parametrize("command", ["findAndModify", "insert"])
    def test_leaves_the_old_id_alone(
        self,
        options: Options,
        start_ready: StartReady,
        fail_point: FailPoint,
        database: Db,
        command: str,
    ) -> None:
        """After a process is killed before it stored the new id, the old one alone is valid."""
        options = options | {"store": {"touchAfter": 60}, "timeout": 600}
        id_ = _new_session(options)
        code = (
            _START
            + """
    session = load()
    session.regenerate_id()
    session["user"] = "ann"
    print("loaded", flush=True)
    session.save()
"""
        )
        login = start_ready(code, id=id_, options=options)
        # When the process is killed, the server drops this command without carrying it out.
        with fail_point(command, block_ms=3_000, error_code=11600):
            login.send_line("go")
            _expect(login, "loaded")
            wait_until(lambda: self._is_blocked(database, command))
            login.signal(signal.SIGKILL)
            login.wait()
        assert 0 == MongoSession({}, use_cookies=False, id=id_, **options)["n"]
        assert [id_] == [document["_id"] for document in live_documents(database)]

    def _is_blocked(self, database: Db, command: str) -> bool:
        running = database.client.admin.aggregate([{"$currentOp": {}}])
        return any(command in operation.get("command", {}) for operation in running)


class TestForks:
    """Servers that load an application before they fork."""

    def test_a_middleware_that_waited_for_the_database(
        self, options: Options, run_python: RunPython
    ) -> None:
        """check_at_start leaves no client that forked children would inherit."""
        said = run_python(
            f"""
            import os, threading, warnings
            from beaker_mongo_soajs import SessionMiddleware
            from beaker_mongo_soajs.mongo import client
            from tests.waiting import wait_until
            from webtest import TestApp

            def app(environ, start_response):
                session = environ["beaker.session"]
                session["n"] = session.get("n", 0) + 1
                session.save()
                start_response("200 OK", [("Content-Type", "text/plain")])
                return [str(session["n"]).encode()]

            options = {options!r} | {{"secret": "s" * 16, "secure": False}}
            site = SessionMiddleware(app, check_at_start=10, **options)
            assert not client._clients.get(os.getpid())
            wait_until(lambda: threading.active_count() == 1)
            pids = []
            for _ in range(3):
                pid = os.fork()
                if not pid:
                    warnings.simplefilter("error")
                    browser = TestApp(site)
                    answers = [browser.get("/").text for _ in range(3)]
                    os._exit(0 if answers == ["1", "2", "3"] else 1)
                pids.append(pid)
            print([os.waitpid(pid, 0)[1] for pid in pids])
            """,
        )
        assert "[0, 0, 0]" == said.stdout.strip()
