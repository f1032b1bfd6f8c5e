"""Sessions shared with Express: their lifetimes, and the cookie that each of them holds."""

import datetime
import json
from typing import Any

import bson
import pytest
from beaker.session import Session

from beaker_mongo_soajs import MongoSession, SessionStore
from beaker_mongo_soajs.mongo.documents import utc_now
from tests.application import Site, only_document
from tests.conftest import Db, Options
from tests.recorder import Commands

_ID = "a session id"
_HOUR = datetime.timedelta(hours=1)
_MONTH_MS = 30 * 86_400_000
_COOKIE = {"originalMaxAge": 60_000, "expires": None, "httpOnly": True, "path": "/"}
_SHAPE = ["originalMaxAge", "expires", "secure", "httpOnly", "path", "sameSite"]


def insert(database: Db, cookie: Options, *, stringify: bool, age: datetime.timedelta) -> None:
    """Insert a session that Express used now, and Python some time ago."""
    used = utc_now().replace(tzinfo=datetime.UTC).timestamp() - age.total_seconds()
    session = {"cookie": cookie, "user": "ann", "_accessed_time": used, "_creation_time": used}
    value: Any = json.dumps(session) if stringify else session
    expires = utc_now() + datetime.timedelta(seconds=30)
    database.sessions.insert_one({"_id": _ID, "session": value, "expires": expires})


def visit(kind: type[Session], options: Options, **more: Any) -> Any:
    """Load the session in a request that only reads, and return it."""
    request = {"cookie": f"sid={_ID}"}
    given = {"type": "ext:mongodb_soajs", "key": "sid", "store": {"expressCookie": True}}
    session = kind(request, id=_ID, **options, **given, **more)
    session.save(accessed_only=True)
    return session


def stored_cookie(document: dict[str, Any]) -> dict[str, Any]:
    """Return the cookie in a document."""
    session = document["session"]
    cookie: dict[str, Any] = (json.loads(session) if type(session) is str else session)["cookie"]
    return cookie


def lifetime(document: dict[str, Any]) -> float:
    """Return for how many seconds a session lives from now on."""
    seconds: float = (document["expires"] - utc_now()).total_seconds()
    return seconds


class TestLifetimes:
    """How long a session lives that both sides use."""

    def test_use_at_express_counts(
        self, options: Options, database: Db, kind: type[Session], *, stringify: bool
    ) -> None:
        """A session in use at Express is valid here, however long ago it was used here."""
        insert(database, _COOKIE, stringify=stringify, age=3 * _HOUR)
        assert "ann" == visit(kind, options, timeout=600)["user"]
        assert "ann" == visit(kind, options, timeout=600)["user"]

    def test_the_date_ends_it(
        self, options: Options, database: Db, kind: type[Session], *, stringify: bool
    ) -> None:
        """A session past its date has ended, however recently it was used here."""
        insert(database, _COOKIE, stringify=stringify, age=0 * _HOUR)
        past = utc_now() - datetime.timedelta(seconds=1)
        database.sessions.update_one({}, {"$set": {"expires": past}})
        assert "user" not in visit(kind, options, timeout=600)

    def test_a_touch_extends_by_the_cookie(
        self, options: Options, database: Db, kind: type[Session], *, stringify: bool
    ) -> None:
        """A touch extends a session by the maxAge in its own cookie, and by no more."""
        insert(database, _COOKIE, stringify=stringify, age=_HOUR)
        visit(kind, options, timeout=1800)
        assert 50 < lifetime(only_document(database)) <= 60

    @pytest.mark.parametrize("wrong", [None, 0, -5, True, "60000", float("nan"), float("inf")])
    def test_other_values_count_as_none(
        self, options: Options, database: Db, kind: type[Session], wrong: object
    ) -> None:
        """Without a positive maxAge, a touch extends a session by the configured lifetime."""
        insert(database, _COOKIE | {"originalMaxAge": wrong}, stringify=False, age=_HOUR)
        visit(kind, options, timeout=1800, save_accessed_time=True)
        assert 1800 < lifetime(only_document(database)) <= 1800 + 120 + 30

    def test_touches_are_not_later_than_a_sixtieth(
        self, options: Options, database: Db, kind: type[Session], commands: Commands
    ) -> None:
        """TouchAfter cannot delay the touches of a session with a short maxAge of its own."""
        insert(database, _COOKIE, stringify=False, age=0 * _HOUR)
        more = {"store": {"expressCookie": True, "touchAfter": 600}, "timeout": 7200}
        for _ in range(2):
            kind({}, id=_ID, type="ext:mongodb_soajs", **options, **more).save(accessed_only=True)
        assert ["find", "update", "find"] == commands.names
        assert 50 < lifetime(only_document(database)) <= 60

    def test_a_save_extends_by_the_cookie(
        self, options: Options, database: Db, kind: type[Session], *, stringify: bool
    ) -> None:
        """A save keeps the cookie, and extends the session by its maxAge."""
        cookie = _COOKIE | {"originalMaxAge": _MONTH_MS, "sameSite": "strict"}
        insert(database, cookie, stringify=stringify, age=_HOUR)
        session = visit(kind, options, timeout=1800)
        session["n"] = 1
        session.save()
        assert cookie == stored_cookie(only_document(database))
        assert 29 * 86400 < lifetime(only_document(database)) <= 30 * 86400


class TestCookies:
    """The cookie in a session's document."""

    def test_a_new_id_keeps_it(
        self, options: Options, database: Db, kind: type[Session], *, stringify: bool
    ) -> None:
        """A session with a new id keeps its cookie and its lifetime."""
        cookie = _COOKIE | {"originalMaxAge": _MONTH_MS, "sameSite": "strict", "secure": True}
        insert(database, cookie, stringify=stringify, age=_HOUR)
        session = visit(kind, options, timeout=1800, stringify=stringify)
        session.regenerate_id()
        session.save()
        document = database.sessions.find_one({"_id": session.id})
        assert document is not None
        assert cookie | {"expires": None} == stored_cookie(document) | {"expires": None}
        assert 29 * 86400 < lifetime(document) <= 30 * 86400

    def test_the_next_session_does_not_inherit_it(
        self, options: Options, database: Db, kind: type[Session]
    ) -> None:
        """After invalidate(), the session has the configured cookie."""
        insert(database, _COOKIE | {"originalMaxAge": _MONTH_MS}, stringify=False, age=_HOUR)
        session = visit(kind, options, timeout=1800)
        session.invalidate()
        session["user"] = "bob"
        session.save()
        document = database.sessions.find_one({"_id": session.id})
        assert document is not None
        assert 1_800_000 == stored_cookie(document)["originalMaxAge"]

    @pytest.mark.parametrize(
        ("beakers", "express"),
        [
            ({}, {"originalMaxAge": None, "secure": False, "path": "/", "sameSite": "lax"}),
            ({"timeout": 1800}, {"originalMaxAge": 1_800_000}),
            ({"timeout": 1800, "cookie_expires": 1_209_600}, {"originalMaxAge": 1_209_600_000}),
            ({"timeout": 1800, "cookie_expires": False}, {"originalMaxAge": 1_800_000}),
            ({"cookie_expires": False, "expireAfter": 86_400_000}, {"originalMaxAge": 86_400_000}),
            ({"cookie_expires": datetime.datetime(2001, 1, 1)}, {"originalMaxAge": None}),
            ({"samesite": "Strict", "secure": True}, {"sameSite": "strict", "secure": True}),
            ({"samesite": None}, {"sameSite": None}),
            ({"cookie_path": "/shop"}, {"path": "/shop"}),
            ({"cookie_domain": "example.org"}, {"domain": "example.org"}),
            ({"httponly": False}, {"httpOnly": False}),
        ],
    )
    def test_a_new_session_has_beakers_options(
        self, options: Options, database: Db, beakers: Options, express: Options, *, stringify: bool
    ) -> None:
        """A new session has the cookie that express-session would write for Beaker's options."""
        given = options | beakers | {"store.expressCookie": True, "stringify": stringify}
        Site(given | {"session_class": MongoSession}).visitor().save(user="ann")
        cookie = stored_cookie(only_document(database))
        assert express == {name: cookie.get(name) for name in express}
        shape = [name for name in _SHAPE if name != "sameSite" or express.get(name, "") is not None]
        if not stringify:
            shape = [*_SHAPE, "domain", "partitioned", "priority"]
        elif "domain" in express:
            shape = [*shape, "domain"]
        assert sorted(shape) == sorted(cookie)

    def test_its_date(self, kind_options: Options, database: Db, *, stringify: bool) -> None:
        """The date in the cookie of a new session is that of the document, in each form."""
        given = kind_options | {"store.expressCookie": True, "stringify": stringify}
        Site(given | {"timeout": 1800}).visitor().save(user="ann")
        document = only_document(database)
        date = stored_cookie(document)["expires"]
        if stringify:
            assert date.endswith("Z")
            date = datetime.datetime.fromisoformat(date).replace(tzinfo=None)
        assert abs(date - document["expires"]) < datetime.timedelta(seconds=1)
        assert 1790 < lifetime(document) <= 1800

    def test_a_session_without_one(
        self, kind: type[Session], options: Options, database: Db, *, stringify: bool
    ) -> None:
        """A request that only reads gives a cookie to a session from before store.expressCookie."""
        SessionStore(options | {"stringify": stringify}).set(_ID, {"user": "ann"})
        visit(kind, options | {"stringify": stringify}, timeout=1800)
        assert 1_800_000 == stored_cookie(only_document(database))["originalMaxAge"]

    def test_sessions_of_scripts(self, options: Options, database: Db, *, stringify: bool) -> None:
        """A session that a script stores has a cookie, too."""
        more = {"store.expressCookie": True, "stringify": stringify}
        SessionStore(options | more).set(_ID, {"user": "ann"})
        assert None is stored_cookie(only_document(database))["originalMaxAge"]
        SessionStore(options | more, timeout=600 + 120).set(_ID, {"user": "ann"})
        assert 600_000 == stored_cookie(only_document(database))["originalMaxAge"]
        assert 590 < lifetime(only_document(database)) <= 600

    def test_set_lifetime(self, options: Options, database: Db, *, stringify: bool) -> None:
        """set_lifetime() changes the maxAge in the cookie, which Express uses as well."""
        insert(database, _COOKIE | {"sameSite": "strict"}, stringify=stringify, age=_HOUR)
        session = visit(MongoSession, options, timeout=1800)
        session.set_lifetime(_MONTH_MS / 1000)
        cookie = stored_cookie(only_document(database))
        assert (_MONTH_MS, "strict") == (cookie["originalMaxAge"], cookie["sameSite"])
        assert 29 * 86400 < lifetime(only_document(database)) <= 30 * 86400
        session = visit(MongoSession, options, timeout=1800)
        session["n"] = 1
        session.set_lifetime(None)
        assert 1_800_000 == stored_cookie(only_document(database))["originalMaxAge"]
        assert 1790 < lifetime(only_document(database)) <= 1800
        assert 1 == visit(MongoSession, options, timeout=1800)["n"]


def test_without_the_option_nothing_differs(
    kind_options: Options, database: Db, *, stringify: bool
) -> None:
    """Without store.expressCookie, a document holds the session and its date, and no more."""
    site = Site(kind_options | {"timeout": 600, "stringify": stringify, "store.touchAfter": 0})
    visitor = site.visitor()
    visitor.save(user="ann", cookie={"originalMaxAge": 5})
    document = only_document(database)
    value = document["session"]
    session = json.loads(value) if stringify else value
    times = (session["_accessed_time"], session["_creation_time"])
    expected = {
        "user": "ann", "cookie": {"originalMaxAge": 5},
        "_accessed_time": times[0], "_creation_time": times[1],
    }  # fmt: skip
    assert expected == session
    whole = {"_id": document["_id"], "session": value, "expires": document["expires"]}
    assert bson.encode(whole) == bson.encode(document)
    assert 715 < lifetime(document) <= 720


def test_timestamps(kind_options: Options, database: Db, *, stringify: bool) -> None:
    """With store.timestamps, each write moves updatedAt, and createdAt stays."""
    more = {"store.timestamps": True, "store.touchAfter": 0, "stringify": stringify}
    visitor = Site(kind_options | more).visitor()
    visitor.save(user="ann")
    first = only_document(database)
    visitor.save(n=1)
    second = only_document(database)
    visitor.read()
    third = only_document(database)
    assert {"_id", "session", "expires", "createdAt", "updatedAt"} == third.keys()
    assert first["createdAt"] == second["createdAt"] == third["createdAt"]
    assert first["updatedAt"] < second["updatedAt"] < third["updatedAt"]
