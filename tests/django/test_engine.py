"""SessionStore of the engine: what it stores, and its commands."""

import asyncio
import logging
import re
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.sessions.backends.base import CreateError
from django.http import QueryDict

from beaker_mongo_soajs import SerializationError, StoreUnavailable
from beaker_mongo_soajs.django import SessionStore
from tests.conftest import Db
from tests.django.support import begin, read, stored
from tests.proxy import TcpProxy
from tests.recorder import Commands
from tests.waiting import wait_until

CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]

pytestmark = pytest.mark.usefixtures("settings")


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
        """The save that Django makes within a second of an explicit one sends no command."""
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now)
        new, old = SessionStore(), SessionStore(begin(n=1))
        for session in (new, old):
            session["n"] = 2
            session.save()
            for seconds, names in ((0.9, []), (0.2, ["update"])):
                now += seconds
                commands.clear()
                session.save()
                assert names == commands.names

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
        """save(must_create=True) does not change a session that has the id; create() copies none.

        A save without a load keeps the values.
        """
        session_key = begin(n=1)
        session = SessionStore(session_key)
        with pytest.raises(CreateError):
            session.save(must_create=True)
        SessionStore(session_key).save()
        assert {"n": 1} == read(session_key)
        session = SessionStore(session_key)
        session.create()
        assert {} == read(session.session_key)

    def test_a_collision(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A new id that is in use is replaced by another one."""
        session_key = begin(n=1)
        ids = iter([session_key, session_key, "b" * 32])
        monkeypatch.setattr(SessionStore, "_get_new_session_key", lambda _: next(ids))
        assert "b" * 32 == begin(n=2)
        assert {"n": 1} == read(session_key)


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

    @pytest.mark.parametrize(
        ("value", "path"),
        [(object(), "session['a']['b']"), (CIRCLE, "session['a']"), (DEEP, "session['a']")],
        ids=["object", "circle", "deep"],
    )
    def test_unstorable_value(self, database: Db, value: object, path: str) -> None:
        """A value that neither can hold is an error that names the path; nothing is stored."""
        with pytest.raises(SerializationError, match=f"^{re.escape(path)} "):
            begin(a={"b": value})
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
