"""SessionStore of the engine: what it stores, and its commands."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import QueryDict
from django.test import override_settings

from beaker_mongo_soajs import LockTimeout, SerializationError, StoreUnavailable
from beaker_mongo_soajs.django import SessionEnded, SessionStore
from tests.conftest import Db
from tests.proxy import TcpProxy
from tests.recorder import Commands
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("settings")


def begin(**values: object) -> str:
    """Store a new session, and return its id."""
    session = SessionStore()
    session.update(values)
    session.save()
    assert session.session_key is not None
    return str(session.session_key)


def read(session_key: str) -> dict[str, Any]:
    """Return the values of a session; none if it is not stored."""
    return dict(SessionStore(session_key).items())


def stored(database: Db) -> dict[str, Any]:
    """Return the only document."""
    (document,) = database.sessions.find({"session": {"$exists": True}})
    return document


class TestCommands:
    """The commands of a request."""

    @staticmethod
    def update(commands: Commands) -> dict[str, Any]:
        """Return the update of the only command."""
        (event,) = commands.started
        (part,) = event.command["updates"]
        update: dict[str, Any] = part["u"]
        return update

    def test_new_session(self, commands: Commands, database: Db) -> None:
        """A new session is one insert, of a sub-document."""
        session_key = begin(n=1)
        assert ["insert"] == commands.names
        document = stored(database)
        assert session_key == document["_id"]
        assert 1 == document["session"]["n"]
        assert {"n", "_creation_time", "_accessed_time"} == document["session"].keys()

    def test_request_that_reads(self, commands: Commands) -> None:
        """A request that reads sends one find, on first use, and moves no times."""
        session_key = begin(n=1)
        commands.clear()
        session = SessionStore(session_key)
        assert [] == commands.names
        assert 1 == session["n"]
        assert "m" not in session
        assert ["find"] == commands.names

    def test_request_that_changes(self, commands: Commands) -> None:
        """A request that changes a key writes this key, and the times."""
        session_key = begin(n=1, m=2)
        session = SessionStore(session_key)
        session["n"] = 3
        commands.clear()
        session.save()
        assert ["update"] == commands.names
        assert {"session.n": 3} == self.update(commands)["$set"]
        assert {"session._accessed_time", "expires"} == self.update(commands)["$max"].keys()

    def test_second_save(self, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
        """The save that Django makes at the same moment as an explicit one sends no command."""
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now)
        new, old = SessionStore(), SessionStore(begin(n=1))
        for session in (new, old):
            session["n"] = 2
            session.save()
            commands.clear()
            session.save()
            assert [] == commands.names

    def test_save_of_every_request(self, commands: Commands) -> None:
        """An unchanged session that is saved has its times moved, and nothing else."""
        session = SessionStore(begin(n=1))
        assert 1 == session["n"]
        commands.clear()
        session.save()
        assert ["update"] == commands.names
        assert {"$max", "$pop"} == self.update(commands).keys()

    def test_flush(self, commands: Commands, database: Db) -> None:
        """flush() sends one delete."""
        session = SessionStore(begin(n=1))
        commands.clear()
        session.flush()
        assert ["delete"] == commands.names
        assert 0 == database.sessions.count_documents({})

    @pytest.mark.parametrize("expiry", [60, timedelta(seconds=60)])
    def test_set_expiry(self, commands: Commands, expiry: Any) -> None:
        """set_expiry() costs one command, in the request that calls it."""
        session = SessionStore(begin(n=1))
        session.set_expiry(expiry)
        commands.clear()
        session.save()
        assert ["update", "update"] == commands.names
        later = SessionStore(session.session_key)
        later["n"] = 2
        commands.clear()
        later.save()
        assert ["update"] == commands.names


class TestIds:
    """Session ids."""

    @pytest.mark.parametrize(
        "session_key",
        ["a" * 32, "A" * 32, "a" * 31, "a" * 33, "a" * 31 + "\n", "sess:" + "a" * 27, "ä" * 32],
    )
    def test_unknown_id(self, session_key: str, database: Db) -> None:
        """An id that the store did not make is never adopted."""
        session = SessionStore(session_key)
        session["n"] = 1
        session.save()
        assert session_key != session.session_key
        assert session.session_key == stored(database)["_id"]

    def test_other_forms_are_not_looked_up(self, database: Db, commands: Commands) -> None:
        """A session of another application is not loaded by an id in another form."""
        database.sessions.insert_one({"_id": "sess-of-another-one", "session": {"n": 1}})
        assert {} == read("sess-of-another-one")
        assert not SessionStore().exists("sess-of-another-one")
        SessionStore().delete("sess-of-another-one")
        assert [] == commands.names

    def test_must_create(self) -> None:
        """save(must_create=True) does not change a session that has the id."""
        session_key = begin(n=1)
        session = SessionStore(session_key)
        with pytest.raises(CreateError):
            session.save(must_create=True)
        assert {"n": 1} == read(session_key)

    def test_a_collision(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A new id that is in use is replaced by another one."""
        session_key = begin(n=1)
        ids = iter([session_key, session_key, "b" * 32])
        monkeypatch.setattr(SessionStore, "_get_new_session_key", lambda _: next(ids))
        assert "b" * 32 == begin(n=2)
        assert {"n": 1} == read(session_key)


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
        session_key = begin(n=1)
        session = SessionStore(session_key)
        session["m"] = 1
        other = SessionStore(session_key)
        other["n"] = 2
        other.save()
        assert {"n": 2} == session.load()
        session.save()
        assert {"n": 2, "m": 1} == read(session_key)

    def test_locked(self) -> None:
        """locked() loads the session again, and saves it."""
        session_key = begin(n=1)
        session = SessionStore(session_key)
        session["m"] = 1
        other = SessionStore(session_key)
        other["n"] = 2
        other.save()
        with session.locked():
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

    def test_locked_new_session(self, database: Db) -> None:
        """A new session is stored when the block ends, unless nothing was set."""
        with SessionStore().locked():
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

    def test_clear(self) -> None:
        """clear() removes all values, and keeps the id."""
        session_key = begin(n=1)
        session = SessionStore(session_key)
        session.clear()
        session["m"] = 1
        session.save()
        assert session_key == session.session_key
        assert {"m": 1} == read(session_key)

    def test_new_id_keeps_the_creation_time(self, database: Db) -> None:
        """cycle_key() keeps the time at which the session began."""
        session = SessionStore(begin(n=1))
        created = stored(database)["session"]["_creation_time"]
        session.cycle_key()
        assert created == stored(database)["session"]["_creation_time"]

    def test_empty_session(self) -> None:
        """A session without values is stored, and is empty."""
        session_key = begin()
        assert SessionStore().exists(session_key)
        assert {} == read(session_key)


@pytest.mark.parametrize("extra", [{}, {"stringify": True}], ids=["native", "text"], indirect=True)
class TestValues:
    """The values of a session."""

    @pytest.mark.parametrize(
        "value",
        [
            *("text", 1, 1.5, None, True, [1, {"a": [2]}], {"1": 2}),
            *((1, 2), {1, 2}, {1: 2}, Decimal("1.10")),
            datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        ],
    )
    def test_types(self, value: object) -> None:
        """A value comes back equal and of the same type."""
        found = read(begin(value=value))["value"]
        assert value == found
        assert type(value) is type(found)

    def test_serializer(self) -> None:
        """A value that only the serializer can hold is stored as the serializer returns it."""
        session_key = begin(n=(1, 2), query=QueryDict("a=1&a=2&b=3"))
        assert {"n": (1, 2), "query": {"a": "2", "b": "3"}} == read(session_key)
        session = SessionStore(session_key)
        session["query"] = QueryDict("a=5")
        session.save()
        assert {"a": "5"} == read(session_key)["query"]

    def test_unstorable_value(self, database: Db) -> None:
        """A value that neither can hold is an error that names the path; nothing is stored."""
        with pytest.raises(SerializationError, match=r"session\['a'\]\['b'\]"):
            begin(a={"b": object()})
        assert 0 == database.sessions.count_documents({})

    @pytest.mark.parametrize("key", ["_creation_time", "_accessed_time"])
    def test_reserved_keys(self, key: str) -> None:
        """The keys of the times are refused."""
        with pytest.raises(SerializationError, match=f"'{key}'.* is reserved"):
            begin(**{key: 1})

    def test_unreadable_document(self, database: Db, caplog: pytest.LogCaptureFixture) -> None:
        """A visitor whose session cannot be read gets a new one; the document is not changed."""
        session_key = begin(n=1)
        database.sessions.update_one({}, {"$set": {"session": 5}})
        with caplog.at_level(logging.WARNING, "django.security.SuspiciousSession"):
            session = SessionStore(session_key)
            session["m"] = 1
            session.save()
        assert session_key != session.session_key
        assert {"m": 1} == read(session.session_key)
        assert 1 == database.sessions.count_documents({"_id": session_key, "session": 5})
        assert "its visitor gets a new one" in caplog.text
        assert session_key not in caplog.text


class TestLifetimes:
    """How long sessions live."""

    @staticmethod
    def left(database: Db) -> float:
        """Return for how many seconds the only session lives."""
        expires: datetime = stored(database)["expires"]
        return (expires.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()

    @staticmethod
    def age(database: Db, seconds: float) -> None:
        """Make the only session older."""
        document = stored(database)
        database.sessions.update_one(
            {"_id": document["_id"]},
            {
                "$set": {"expires": document["expires"] - timedelta(seconds=seconds)},
                "$inc": {"session._accessed_time": -seconds},
            },
        )

    def test_cookie_age(self, database: Db) -> None:
        """SESSION_COOKIE_AGE is the lifetime, exactly."""
        with override_settings(SESSION_COOKIE_AGE=100):
            begin(n=1)
            assert 95 < self.left(database) <= 100

    def test_cookie_age_of_a_subclass(self, database: Db) -> None:
        """A subclass may have another lifetime."""

        class OfAnHour(SessionStore):
            def get_session_cookie_age(self) -> int:
                return 3600

        OfAnHour().create()
        assert 3595 < self.left(database) <= 3600

    def test_use_extends_it(self, database: Db) -> None:
        """A save extends the session; a read does not."""
        with override_settings(SESSION_COOKIE_AGE=100):
            session_key = begin(n=1)
            self.age(database, 50)
            session = SessionStore(session_key)
            assert 1 == session["n"]
            assert self.left(database) <= 50
            session.save()
            assert 95 < self.left(database) <= 100

    @pytest.mark.parametrize("seconds", [100, 10_000_000])
    def test_seconds(self, database: Db, seconds: int) -> None:
        """set_expiry(seconds) is an idle time, also for later requests."""
        session = SessionStore()
        session.set_expiry(seconds)
        session.save()
        self.age(database, 50)
        later = SessionStore(session.session_key)
        later["n"] = 1
        later.save()
        assert seconds - 5 < self.left(database) <= seconds
        self.age(database, seconds + 1)
        assert {} == read(session.session_key)

    def test_a_late_save_does_not_prolong_it(self, database: Db) -> None:
        """A request that began before set_expiry(seconds) does not make the session live longer."""
        session_key = begin(n=1)
        late, session = SessionStore(session_key), SessionStore(session_key)
        late["m"] = 1
        session.set_expiry(100)
        session.save()
        late.save()
        database.sessions.update_one({}, {"$inc": {"session._accessed_time": -101}})
        assert {} == read(session_key)

    @pytest.mark.parametrize("use_tz", [True, False])
    def test_date(self, database: Db, use_tz: bool) -> None:
        """set_expiry(date) is the end of the session, also for later requests."""
        with override_settings(USE_TZ=use_tz):
            session = SessionStore()
            session.set_expiry(timedelta(seconds=100))
            session.save()
            later = SessionStore(session.session_key)
            later["n"] = 1
            later.save()
            assert 95 < self.left(database) <= 100
            later.cycle_key()
            assert 95 < self.left(database) <= 100

    @pytest.mark.parametrize("expiry", [-1, -timedelta(seconds=1)])
    def test_the_past(self, expiry: Any) -> None:
        """A session whose end has passed is not loaded."""
        session = SessionStore()
        session.set_expiry(expiry)
        session.save()
        assert {} == read(session.session_key)

    @pytest.mark.parametrize("expiry", [None, 0])
    def test_back_to_the_setting(self, database: Db, expiry: int | None) -> None:
        """set_expiry(None) and set_expiry(0) return to SESSION_COOKIE_AGE."""
        session = SessionStore()
        session.set_expiry(60)
        session.save()
        session.set_expiry(expiry)
        session.save()
        assert self.left(database) > 1_000_000

    def test_clear_expired(self, database: Db) -> None:
        """clear_expired() deletes what has expired."""
        session_key = begin(n=1)
        begin(n=2)
        past = datetime.now(UTC) - timedelta(seconds=1)
        database.sessions.update_one({"_id": session_key}, {"$set": {"expires": past}})
        SessionStore.clear_expired()
        assert 2 == stored(database)["session"]["n"]


class TestAsync:
    """The methods of Django's async interface, which Django 5.1 added."""

    def test_methods(self, database: Db) -> None:
        """They load, change, save, and change the id."""
        if not hasattr(SessionStore, "aget"):
            with pytest.raises(AttributeError):
                _ = SessionStore().aget
            return

        async def use(session: Any) -> str:
            await session.aset("n", 1)
            await session.asave()
            first = session.session_key
            await session.acycle_key()
            assert not await session.aexists(first)
            await session.aset_expiry(60)
            await session.asave()
            return str(session.session_key)

        session_key = asyncio.run(use(SessionStore()))
        assert 1 == read(session_key)["n"]
        assert session_key == stored(database)["_id"]
        asyncio.run(SessionStore(session_key).aflush())
        assert 0 == database.sessions.count_documents({"session": {"$exists": True}})


class TestOutage:
    """A database that does not answer."""

    @pytest.fixture
    def extra(self, proxy: TcpProxy) -> dict[str, Any]:
        """Connect through a proxy."""
        return {"url": proxy.url, "URLParam": {"serverSelectionTimeoutMS": 300}}

    def test_nobody_is_logged_out(self, proxy: TcpProxy) -> None:
        """Load and save raise StoreUnavailable, and afterwards the session is there."""
        session_key = begin(n=1)
        session = SessionStore(session_key)
        session["n"] = 2
        proxy.refuse()
        for act in (lambda: read(session_key), session.save, session.flush, begin):
            with pytest.raises(StoreUnavailable):
                act()
        proxy.resume()

        def is_there() -> bool:
            with suppress(StoreUnavailable):
                return read(session_key) == {"n": 1}
            return False

        wait_until(is_there)
