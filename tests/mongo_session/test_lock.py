"""Session locks within one process."""

from contextlib import nullcontext, suppress
from types import SimpleNamespace

import pytest
from beaker.session import SessionObject

from beaker_mongo_soajs import (
    LockTimeout,
    StoreUnavailable,
)
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.mongo.leases import Locks
from tests.application import Visitor, only_document
from tests.conftest import Db, FailPoint, Options
from tests.mongo_session.support import REFUSED, MakeSite
from tests.recorder import Commands


class TestLock:
    """with session.locked()."""

    @pytest.fixture
    def visitor(self, make_site: MakeSite) -> Visitor:
        """Return a visitor with a counter."""
        visitor = make_site().visitor()
        visitor.save(n=0)
        return visitor

    @pytest.fixture
    def other(self, make_site: MakeSite, visitor: Visitor) -> Visitor:
        """Return a second window of the same visitor's browser."""
        return make_site().visitor(visitor.cookie)

    def test_loads_again_and_saves(self, visitor: Visitor, other: Visitor) -> None:
        """A locked block sees what others have saved, and keeps this request's own changes."""

        def count(session: SessionObject) -> None:
            last = session.last_accessed
            session["mine"] = 1
            other.save(n=5, theirs=2)
            with session.locked():
                session["n"] += 1
            assert last == session.last_accessed

        visitor.request(count)
        assert {"n": 6, "mine": 1, "theirs": 2} == visitor.read()

    def test_commands(self, visitor: Visitor, commands: Commands) -> None:
        """A lock costs four commands: lock, load, save, unlock."""

        def count(session: SessionObject) -> None:
            with session.locked():
                session["n"] += 1

        visitor.request(count)
        commands.clear()
        visitor.request(count)
        assert [
            "find",
            "findAndModify",
            "find",
            "update",
            "delete",
        ] == commands.names

    def test_locks_nest(self, visitor: Visitor, other: Visitor, commands: Commands) -> None:
        """A request can lock its session again; the outermost block saves, and releases it."""

        def count(session: SessionObject) -> None:
            with session.locked():
                commands.clear()
                with session.locked():
                    session["n"] += 1
                assert [] == commands.names
                with pytest.raises(LockTimeout):
                    other.request(lambda theirs: theirs.lock(timeout=0.05))
                session["n"] += 1

        visitor.request(count)
        assert {"n": 2} == visitor.read()

    @pytest.mark.parametrize("is_saved", [False, True], ids=["later", "saved"])
    def test_lock_after_a_change_of_the_id(
        self, visitor: Visitor, make_site: MakeSite, *, is_saved: bool
    ) -> None:
        """The lock is that of the id under which the session is stored, the old one or the new."""

        def change(session: SessionObject) -> None:
            old_id = session.id
            with session.locked() if is_saved else nullcontext():
                session.regenerate_id()
            stored_id = session.id if is_saved else old_id
            with session.locked(), pytest.raises(LockTimeout):
                make_site().visitor(stored_id).request(lambda other: other.lock(timeout=0.05))

        visitor.request(change)

    def test_new_sessions_have_locks_of_their_own(self, make_site: MakeSite) -> None:
        """A visitor without a session does not wait for another one."""

        def lock(session: SessionObject) -> None:
            with session.locked():
                make_site().visitor().request(lambda other: other.locked(0.05).__enter__())

        make_site().visitor().request(lock)

    def test_waiting_times_out(self, visitor: Visitor, other: Visitor) -> None:
        """If the lock is not acquired in time, LockTimeout is raised and nothing is saved."""

        def hold(session: SessionObject) -> None:
            with session.locked(), pytest.raises(LockTimeout) as caught:
                other.request(lambda theirs: theirs.locked(timeout=0.05).__enter__())
            assert 0.05 <= caught.value.waited_seconds

        visitor.request(hold)

    def test_an_error_saves_nothing(self, visitor: Visitor, other: Visitor) -> None:
        """If the block raises an error, its changes are dropped and the lock is released."""

        def fail(session: SessionObject) -> None:
            assert 0 == session["n"]
            other.save(n=1, items=[1])
            with suppress(ZeroDivisionError), session.locked():
                session["n"] += 1
                session["items"].append(2)
                session["list"] = [1 / 0]
            assert (1, [1]) == (session["n"], session["items"])
            other.request(lambda theirs: theirs.lock(timeout=0.05))
            session.save()

        visitor.request(fail)
        assert {"n": 1, "items": [1]} == visitor.read()

    def test_an_error_in_a_new_session(self, make_site: MakeSite) -> None:
        """If the block raises an error, a new session stays empty, and is not stored."""

        def fail(session: SessionObject) -> None:
            with suppress(ZeroDivisionError), session.locked():
                session["n"] = 1
                session["list"] = [1 / 0]
            assert session.get("n") is None
            session.save()

        visitor = make_site().visitor()
        visitor.request(fail)
        assert {} == visitor.read()

    def test_lock_and_unlock(self, visitor: Visitor, other: Visitor) -> None:
        """lock() and unlock() work without a block; unlock() without lock() does nothing."""

        def count(session: SessionObject) -> None:
            session.unlock()
            session.lock()
            try:
                session["n"] += 1
            finally:
                session.unlock()
            assert {"n": 1} == other.read()

        visitor.request(count)

    def test_new_sessions(self, make_site: MakeSite, database: Db) -> None:
        """A new session can be locked; it is stored if it gets a value."""

        def lock(session: SessionObject) -> None:
            with session.locked():
                pass
            assert 0 == database.sessions.count_documents({})
            with session.locked():
                session["n"] = 1

        visitor = make_site().visitor()
        visitor.request(lock)
        assert {"n": 1} == visitor.read()

    def test_a_session_that_ended_meanwhile(self, visitor: Visitor, other: Visitor) -> None:
        """Locking a session that was destroyed in the meantime gives a new, empty session."""

        def find(session: SessionObject) -> object:
            other.request(lambda theirs: theirs.delete())
            with session.locked():
                return session.get("n")

        old = visitor.cookie
        assert visitor.request(find) is None
        assert old == visitor.cookie

    def test_a_new_id_under_the_lock(self, visitor: Visitor, database: Db) -> None:
        """A login can get its new id inside a locked block."""

        def login(session: SessionObject) -> None:
            with session.locked():
                session.regenerate_id()
                session["user"] = "ann"

        visitor.request(login)
        assert {"n": 0, "user": "ann"} == visitor.read()
        assert visitor.cookie == only_document(database)["_id"]
        assert 0 == database.sessions_locks.count_documents({})

    def test_a_lost_lease_saves_nothing(
        self, visitor: Visitor, database: Db, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After a stop longer than its lease, a process gets LockTimeout and saves nothing."""
        now = [0.0]
        clock = SimpleNamespace(monotonic=lambda: now[0])
        monkeypatch.setattr("beaker_mongo_soajs.sessions.lock.time", clock)

        def outlive(session: SessionObject) -> None:
            session.lock()
            session["n"] += 1
            now[0] += 60
            database.sessions_locks.delete_many({})
            with pytest.raises(LockTimeout, match="lost"):
                session.unlock()

        visitor.request(outlive)
        assert {"n": 0} == visitor.read()

    def test_errors_while_loading_release_the_lock(
        self, make_site: MakeSite, options: Options, fail_point: FailPoint
    ) -> None:
        """If a session cannot be loaded under its lock, the lock is released."""
        # JSON text is loaded by another command than the one that locks.
        visitor = make_site(stringify=True).visitor()
        visitor.save(n=0)

        def fail(session: SessionObject) -> None:
            session.get("n")
            with (
                fail_point("find", error_code=REFUSED),
                pytest.raises(StoreUnavailable),
            ):
                session.lock()
            lease = Locks(DbConfig.from_options(options)).lease(f"session {visitor.cookie}")
            assert lease.acquire(wait=False)
            lease.release()

        visitor.request(fail)
