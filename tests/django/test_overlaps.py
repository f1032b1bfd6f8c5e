"""Sessions of the engine that another request changes, moves or ends."""

from collections.abc import Callable

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted

from beaker_mongo_soajs import LockTimeout
from beaker_mongo_soajs.django import SessionEnded, SessionStore
from tests.conftest import Db
from tests.django.support import begin, read, stored

pytestmark = pytest.mark.usefixtures("settings")


def begin_overlap() -> tuple[str, SessionStore]:
    """Return a session with an unsaved change, and its key; another request has changed n to 2."""
    session_key = begin(n=1)
    session = SessionStore(session_key)
    session["m"] = 1
    other = SessionStore(session_key)
    other["n"] = 2
    other.save()
    return session_key, session


class TestOverlaps:
    """A session that another request changes, moves or ends."""

    @pytest.mark.parametrize("end", [SessionStore.flush, SessionStore.delete])
    def test_ended(self, end: Callable[[SessionStore], None], database: Db) -> None:
        """A save after the end restores nothing, and Django's error is raised."""
        session_key = begin(user="ann")
        late = SessionStore(session_key)
        late["cart"] = 1
        end(SessionStore(session_key))
        for act in (late.save, late.save):
            with pytest.raises(UpdateError):
                act()
        assert 0 == database.sessions.count_documents({})

    def test_ended_before_a_login(self, database: Db) -> None:
        """A login on a session that has ended restores nothing."""
        session_key = begin(cart=1)
        late = SessionStore(session_key)
        assert 1 == late["cart"]
        SessionStore(session_key).flush()
        with pytest.raises(SessionEnded) as error:
            late.cycle_key()
        assert isinstance(error.value, UpdateError)
        assert isinstance(error.value, SessionInterrupted)
        assert 0 == database.sessions.count_documents({})

    def test_ended_without_a_load(self) -> None:
        """A session that was cleared before it was loaded is not created."""
        session_key = begin(n=1)
        late = SessionStore(session_key)
        late.clear()
        SessionStore(session_key).flush()
        with pytest.raises(UpdateError):
            late.save()

    def test_moved(self) -> None:
        """A save after cycle_key() is kept under the new id, which it does not get to know."""
        session_key = begin(n=1)
        late, login = SessionStore(session_key), SessionStore(session_key)
        late["cart"] = 1
        login.cycle_key()
        login["user"] = "ann"
        login.save()
        with pytest.raises(SessionEnded):
            late.save()
        assert session_key == late.session_key
        assert {"n": 1, "user": "ann", "cart": 1} == read(login.session_key)
        assert {} == read(session_key)

    def test_two_logins(self) -> None:
        """Two logins at the same time get a session each."""
        session_key = begin(n=1)
        one, other = SessionStore(session_key), SessionStore(session_key)
        assert one["n"] == other["n"]
        for session, user in ((one, "ann"), (other, "bea")):
            session.cycle_key()
            session["user"] = user
            session.save()
        assert {"n": 1, "user": "ann"} == read(one.session_key)
        assert {"n": 1, "user": "bea"} == read(other.session_key)

    def test_logout_of_a_moved_session(self) -> None:
        """A logout that began before cycle_key() ends the session under its new id."""
        session_key = begin(n=1)
        late, login = SessionStore(session_key), SessionStore(session_key)
        assert 1 == late["n"]
        login.cycle_key()
        late.flush()
        assert {} == read(login.session_key)

    def test_load_does_not_change_what_is_compared(self) -> None:
        """An explicit load() beside the cached session does not undo another request's changes."""
        session_key, session = begin_overlap()
        assert {"n": 2} == session.load()
        session.save()
        assert {"n": 2, "m": 1} == read(session_key)

    def test_locked(self) -> None:
        """locked() loads the session again, with the changes of this request, and saves it."""
        session_key, session = begin_overlap()
        session["x"] = 1
        session.save()
        del session["x"]
        with session.locked():
            assert "x" not in session
            session["n"] += 1
            with pytest.raises(LockTimeout), SessionStore(session_key).locked(timeout=0.1):
                pass
        assert {"n": 3, "m": 1} == read(session_key)

    def test_locked_with_an_error(self) -> None:
        """If the block raises an error, nothing is saved."""
        session = SessionStore(begin(n=1))

        def fail() -> None:
            with session.locked():
                session["n"] = 2
                raise LookupError

        with pytest.raises(LookupError):
            fail()
        assert {"n": 1} == dict(session.items()) == read(session.session_key)

    def test_locked_after_the_end(self) -> None:
        """locked() on a session that has ended starts an empty one, without an id."""
        session_key, session = begin_overlap()
        SessionStore(session_key).flush()
        with session.locked():
            assert {} == dict(session.items())
        assert session.session_key is None

    def test_locked_new_session(self, database: Db) -> None:
        """A new session is stored when the block ends, unless nothing was set.

        The locks of new sessions have nothing in common.
        """
        with SessionStore().locked(), SessionStore().locked(timeout=0.1):
            pass
        assert 0 == database.sessions.count_documents({})
        session = SessionStore()
        with session.locked():
            session["n"] = 1
        assert {"n": 1} == read(session.session_key)


class TestCycles:
    """flush(), clear() and cycle_key() in one request."""

    def test_cycle_after_flush(self) -> None:
        """A session that continues after flush() is a new one."""
        session = SessionStore(begin(n=1))
        assert 1 == session["n"]
        session.flush()
        session.cycle_key()
        session["m"] = 1
        session.save()
        assert {"m": 1} == read(session.session_key)

    def test_clear(self, database: Db) -> None:
        """clear() removes all values; it keeps the id, and as cycle_key(), when it began."""
        session_key = begin(n=1)
        created = stored(database)["session"]["_creation_time"]
        session = SessionStore(session_key)
        session.clear()
        session["m"] = 1
        session.save()
        assert session_key == session.session_key
        assert {"m": 1} == read(session_key)
        session.cycle_key()
        assert created == stored(database)["session"]["_creation_time"]

    def test_planted_creation_time(self, database: Db) -> None:
        """A session without a time of its creation began with its last use."""
        session = SessionStore(begin(n=1))
        accessed = stored(database)["session"]["_accessed_time"]
        database.sessions.update_one({}, {"$set": {"session._creation_time": "x"}})
        session["m"] = 1
        session.save()
        assert accessed == stored(database)["session"]["_creation_time"]

    def test_empty_session(self) -> None:
        """A session without values is stored, and is empty."""
        session_key = begin()
        assert SessionStore().exists(session_key)
        assert {} == read(session_key)
