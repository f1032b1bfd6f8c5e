"""Leases: exclusive and shared, across threads and processes, with owners that crash."""

import datetime
import hashlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from beaker_mongo_soajs import DbConfig, Locks, LockTimeout, StoreUnavailable
from beaker_mongo_soajs.mongo import leases, renewal
from beaker_mongo_soajs.mongo.renewal import LeaseRenewer
from tests.conftest import Db, FailPoint, ForkPython, Options
from tests.recorder import Commands
from tests.waiting import wait_for_indexes, wait_until

pytestmark = pytest.mark.slow

ODD_NAMES = ["", "a", "a.b", "$a", "\0", "\ud800", "naïve 名前 🔒", "x" * 100_000]
_HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def locks(options: Options) -> Locks:
    """Return locks with leases that do not run out during a test."""
    return make_locks(options, 600)


def make_locks(options: Options, lease_seconds: float) -> Locks:
    """Return locks with leases of a length."""
    return Locks(DbConfig.from_options(options | {"store.lockLease": lease_seconds}))


@contextmanager
def background(work: Any) -> Iterator[threading.Thread]:
    """Run a function in a thread that must end within ten seconds."""
    thread = threading.Thread(target=work)
    thread.start()
    yield thread
    thread.join(10)
    assert not thread.is_alive()


def let_run_out(database: Db) -> None:
    """Set the end of all leases to an hour ago."""
    past = datetime.datetime.now(datetime.UTC) - _HOUR
    for document in database.sessions_locks.find():
        changed: dict[str, Any] = {}
        if "readers" in document:
            changed["readers.$[].acquired_until"] = past
        if "acquired_until" in document:
            changed["acquired_until"] = past
        database.sessions_locks.update_one({"_id": document["_id"]}, {"$set": changed})


class _Extended:
    """A lease that is extended with certain results."""

    owner_lives = True
    namespace = "shop.sessions_locks"

    def __init__(self, answers: list[bool | Exception]) -> None:
        self.answers = answers
        self.is_lost = False

    def extend(self) -> bool:
        """Return or raise the next result."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def note_lost(self) -> None:
        """Note that."""
        self.is_lost = True


class TestExclusive:
    """Exclusive leases."""

    @pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
    def test_one_at_a_time(self, locks: Locks, name: str) -> None:
        """A lock of any name is held by one lease at a time."""
        one, two = locks.lease(name), locks.lease(name)
        assert one.acquire()
        assert not two.acquire(wait=False)
        assert one.release()
        assert two.acquire(wait=False)
        assert two.release()

    def test_names_are_different_locks(self, locks: Locks) -> None:
        """Each name is a separate lock."""
        odd = [locks.lease(name) for name in ODD_NAMES]
        assert all(lease.acquire(wait=False) for lease in odd)
        assert all(lease.release() for lease in odd)

    def test_commands(self, locks: Locks, commands: Commands) -> None:
        """To acquire and to release take one command each, on the document's id."""
        locks.lease("warm").acquire()
        commands.clear()
        with locks.lease("name"):
            pass
        assert ["findAndModify", "delete"] == commands.names
        query = commands.started[0].command["query"]
        assert hashlib.sha256(b"name").hexdigest() == query["_id"]

    def test_name_is_not_stored(self, locks: Locks, database: Db) -> None:
        """The name, which may be a session id, is neither in the document nor in the repr."""
        lease = locks.lease("secret")
        with lease:
            assert "secret" not in f"{database.sessions_locks.find_one()} {lease!r}"

    def test_timeout(self, locks: Locks) -> None:
        """If the lock is not acquired in time, LockTimeout is raised with the time waited."""
        with locks.lease("name"):
            start = time.monotonic()
            with pytest.raises(LockTimeout, match=r"lockLease") as caught:
                locks.lease("name").acquire(timeout_seconds=0.3)
        assert 0.3 <= caught.value.waited_seconds <= time.monotonic() - start

    def test_wait_without_a_limit_of_its_own(
        self, locks: Locks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By default, a lock is waited for during four leases."""
        limits: list[float] = []

        def attempts(limit: float) -> list[int]:
            limits.append(limit)
            return []

        monkeypatch.setattr(leases, "attempts", attempts)
        with pytest.raises(LockTimeout):
            locks.lease("name").acquire()
        assert [4 * 600.0] == limits

    def test_held_lease_is_not_acquired_again(self, locks: Locks) -> None:
        """Acquiring a lease that is held is an error."""
        with locks.lease("name") as lease, pytest.raises(RuntimeError, match="held"):
            lease.acquire()

    def test_release_of_nothing(self, locks: Locks, commands: Commands) -> None:
        """Releasing a lease that is not held sends no command."""
        lease = locks.lease("name")
        assert not lease.release()
        assert lease.acquire()
        assert lease.release()
        commands.clear()
        assert not lease.release()
        assert [] == commands.names

    def test_waiters_count_right(self, locks: Locks) -> None:
        """Sixteen threads that increment a number under the lock lose no increment."""
        numbers = [0]

        def add() -> None:
            for _ in range(5):
                with locks.lease("name"):
                    before = numbers[0]
                    time.sleep(0.0005)
                    numbers[0] = before + 1

        with ThreadPoolExecutor(16) as threads:
            for future in [threads.submit(add) for _ in range(16)]:
                future.result()
        assert [80] == numbers

    def test_waiter_takes_over_at_once(self, locks: Locks, commands: Commands) -> None:
        """A released lock is acquired by a waiting lease at once."""
        acquired: list[float] = []

        def wait() -> None:
            with locks.lease("name"):
                acquired.append(time.monotonic())

        lease = locks.lease("name")
        lease.acquire()
        with background(wait):
            wait_until(lambda: commands.names.count("find") > 1)
            assert [] == acquired
            released = time.monotonic()
            lease.release()
        assert acquired[0] - released < 5


class TestExpiry:
    """Leases of owners that are gone."""

    def test_lease_runs_out(self, options: Options, database: Db) -> None:
        """A lease that was not extended can be taken over, and its old owner cannot extend it."""
        locks = make_locks(options, 600)
        one, two = locks.lease("name"), locks.lease("name")
        one.acquire()
        let_run_out(database)
        assert two.acquire(wait=False)
        assert not one.extend()
        assert not one.release()
        assert not locks.lease("name").acquire(wait=False), "one released what two holds"
        assert two.release()

    def test_lease_is_extended_while_its_owner_works(
        self, options: Options, commands: Commands
    ) -> None:
        """A lease is extended while its owner works."""
        locks = make_locks(options, 1.5)
        with locks.lease("name") as lease, locks.lease("reading", shared=True):
            ends = time.monotonic() + 1.5
            while time.monotonic() < ends or commands.names.count("update") < 8:
                assert not locks.lease("name").acquire(wait=False)
                assert not locks.lease("reading").acquire(wait=False)
            assert lease.held

    def test_nothing_extends_after_the_release(self, options: Options, commands: Commands) -> None:
        """The thread that extends leases ends after the last release."""
        locks = make_locks(options, 0.3)
        before = set(threading.enumerate())
        with locks.lease("name"):
            wait_until(lambda: commands.names.count("update") >= 2)
            (renewer,) = [
                thread for thread in set(threading.enumerate()) - before if "renewer" in thread.name
            ]
        wait_until(lambda: not renewer.is_alive())

    def test_dropped_lease_runs_out(self, options: Options) -> None:
        """A lease object that is dropped without a release is not extended."""
        locks = make_locks(options, 0.3)
        locks.lease("name").acquire()
        assert locks.lease("name").acquire(timeout_seconds=10)

    def test_lease_of_an_ended_thread_runs_out(self, options: Options) -> None:
        """The lease of an ended thread is not extended, even if the object still exists."""
        locks = make_locks(options, 0.3)
        kept = locks.lease("name")
        with background(kept.acquire):
            pass
        assert locks.lease("name").acquire(timeout_seconds=10)

    def test_when_leases_are_extended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A lease is extended three times in its length, and four times as often after a failure.

        One that was lost is not extended any more.
        """
        pauses: list[float] = []
        monkeypatch.setattr(renewal, "time", SimpleNamespace(sleep=pauses.append))
        lease = _Extended([True, StoreUnavailable("no answer"), True, False])
        LeaseRenewer(12.0).add(lease)
        wait_until(lambda: lease.is_lost)
        assert ([4.0, 4.0, 1.0, 4.0], []) == (pauses, lease.answers)

    def test_dead_documents_vanish(self, options: Options, database: Db) -> None:
        """A TTL index removes the documents of dead owners."""
        locks = make_locks(options, 600)
        lease = locks.lease("name")
        lease.acquire()
        wait_for_indexes()
        index = database.sessions_locks.index_information()["expires_1"]
        assert ([("expires", 1)], 0) == (index["key"], index["expireAfterSeconds"])
        document = database.sessions_locks.find_one()
        assert document is not None
        assert document["acquired_until"] == document["expires"]

    def test_server_clock_decides(
        self, options: Options, database: Db, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The clock of the application's machine does not matter."""
        locks = make_locks(options, 600)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 86400)
        with locks.lease("name"):
            document = database.sessions_locks.find_one()
            assert document is not None
            now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
            assert abs(document["acquired_until"] - now).total_seconds() < 700
            assert not locks.lease("name").acquire(wait=False)


class TestShared:
    """Leases that readers share."""

    def test_readers_share(self, locks: Locks) -> None:
        """Readers share the lock; a writer waits for the last one."""
        readers = [locks.lease("name", shared=True) for _ in range(3)]
        assert all(reader.acquire(wait=False) for reader in readers)
        writer = locks.lease("name")
        for reader in readers:
            assert not writer.acquire(wait=False)
            assert reader.release()
        assert writer.acquire(wait=False)

    def test_writer_keeps_readers_out(self, locks: Locks) -> None:
        """No reader acquires the lock while a writer holds it."""
        with locks.lease("name"):
            assert not locks.lease("name", shared=True).acquire(wait=False)
        assert locks.lease("name", shared=True).acquire(wait=False)

    def test_waiting_writer_comes_before_new_readers(self, locks: Locks) -> None:
        """New readers do not overtake a waiting writer."""
        first = locks.lease("name", shared=True)
        first.acquire()
        writer = locks.lease("name")

        def refused() -> bool:
            reader = locks.lease("name", shared=True)
            return not reader.acquire(wait=False) or not reader.release()

        with background(writer.acquire):
            wait_until(refused)
            assert not writer.held
            first.release()
        assert writer.held

    def test_writer_that_gives_up_lets_readers_in(self, locks: Locks) -> None:
        """After a writer has given up, readers can acquire the lock again."""
        with locks.lease("name", shared=True):
            with pytest.raises(LockTimeout):
                locks.lease("name").acquire(timeout_seconds=0.1)
            with locks.lease("name", shared=True):
                pass

    def test_dead_reader_keeps_nobody_out(self, locks: Locks, database: Db) -> None:
        """The lease of a reader runs out like any other."""
        reader = locks.lease("name", shared=True)
        reader.acquire()
        let_run_out(database)
        with locks.lease("name"):
            assert not reader.extend()
            assert not reader.release()

    def test_a_short_lease_keeps_the_document_of_a_long_one(
        self, options: Options, database: Db
    ) -> None:
        """A lease does not move the date on which the document of another one is removed."""
        with make_locks(options, 600).lease("name", shared=True):
            before = database.sessions_locks.find_one()
            with make_locks(options, 5).lease("name", shared=True) as short:
                assert short.extend()
                during = database.sessions_locks.find_one()
        assert before is not None
        assert during is not None
        assert before["expires"] == during["expires"]

    def test_late_writer_does_not_release_readers(self, locks: Locks, database: Db) -> None:
        """A late release by a writer does not release readers."""
        writer = locks.lease("name")
        writer.acquire()
        let_run_out(database)
        with locks.lease("name", shared=True) as reader:
            assert not writer.release()
            assert not locks.lease("name").acquire(wait=False)
            assert reader.extend()


class TestTrouble:
    """Errors of the database, and configurations without a TTL index."""

    def test_database_away(self, locks: Locks, fail_point: FailPoint) -> None:
        """A lock that cannot be acquired because of an outage is an error."""
        with fail_point("findAndModify", error_code=96), pytest.raises(StoreUnavailable):
            locks.lease("name").acquire()

    def test_failed_release_is_no_error(
        self, locks: Locks, fail_point: FailPoint, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A release that fails is logged, and raises no error."""
        lease = locks.lease("name")
        lease.acquire()
        with fail_point("delete", error_code=96):
            assert not lease.release()
        assert "runs out by itself" in caplog.text
        assert not lease.held

    def test_no_ttl_index_where_none_is_wanted(self, options: Options, database: Db) -> None:
        """With store.autoRemove disabled, no TTL index is made, and locks work."""
        locks = make_locks(options | {"store.autoRemove": "disabled"}, 600)
        with locks.lease("name"):
            assert ["_id_"] == list(database.sessions_locks.index_information())


class TestProcesses:
    """Owners in other processes."""

    HOLD = """
        import os, sys, time
        from beaker_mongo_soajs import DbConfig, Locks
        locks = Locks(DbConfig.from_options(eval(os.environ["OPTIONS"])))
        lease = locks.lease("name")
        lease.acquire()
        print("held", flush=True)
        sys.stdin.readline()
    """

    def test_killed_owner(self, options: Options, fork_python: ForkPython) -> None:
        """The lock of a killed process is released one lease later, and not earlier."""
        options |= {"store.lockLease": 3}
        process = fork_python(self.HOLD, {"OPTIONS": repr(options)})
        assert "held\n" == process.read_line()
        lease = make_locks(options, 3).lease("name")
        # Longer than the lease: the owner extends it.
        with pytest.raises(LockTimeout):
            lease.acquire(timeout_seconds=4)
        process.signal(signal.SIGKILL)
        process.wait()
        start = time.monotonic()
        assert not lease.acquire(wait=False)
        lease.acquire()
        assert 0.8 < time.monotonic() - start < 8

    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_child_of_a_fork(self, options: Options, commands: Commands) -> None:
        """A forked child does not hold or release its parent's lock, but can wait for it."""
        locks = make_locks(options, 0.6)
        lease = locks.lease("name")
        lease.acquire()
        reading_end, writing_end = os.pipe()
        child = os.fork()
        if not child:
            code = 1
            try:
                mine = make_locks(options, 0.6).lease("name")
                kept = not lease.held and not lease.release() and not mine.acquire(wait=False)
                os.write(writing_end, b"tried")
                code = 0 if kept and mine.acquire(timeout_seconds=10) and mine.release() else 2
            finally:
                os._exit(code)
        os.close(writing_end)
        os.read(reading_end, 5)
        os.close(reading_end)
        # Longer than a lease: the parent still extends its own.
        extended = commands.names.count("update")
        wait_until(lambda: commands.names.count("update") >= extended + 4)
        assert lease.release()
        assert (child, 0) == os.waitpid(child, 0)
