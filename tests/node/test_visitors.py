"""A visitor of both sides: logins, logouts, lifetimes and the cookie."""

import datetime
from typing import Any

import pytest

from beaker_mongo_soajs.express_cookie import cookie_value
from beaker_mongo_soajs.mongo.documents import utc_now
from tests.node.conftest import Fleet
from tests.node.express import NAME, SECRET, Express, Jar
from tests.node.python_side import MiddlewareSide, Side, change, change_id, log_out, read

_HOUR = datetime.timedelta(hours=1)
_USER = "return session.user ?? null"
_LOGIN = """
await new Promise((resolve) => session.regenerate(resolve));
req.session.user = "ann";
"""
_LOGOUT = "await new Promise((resolve) => session.destroy(resolve));"


def passed(fleet: Fleet, time: datetime.timedelta) -> None:
    """Let time pass: move all dates of the stored sessions back."""
    for document in fleet.database.sessions.find({"expires": {"$type": "date"}}):
        before = document["expires"] - time
        fleet.database.sessions.update_one({"_id": document["_id"]}, {"$set": {"expires": before}})


def assert_ended(express: Express, jar: Jar, store: str) -> None:
    """Check that a session past its date has ended in Express.

    connect-mongo-soajs deletes it, and passes the number of deleted documents on as the session.
    """
    answer = express.run(jar, _USER)
    if store == "soajs":
        assert 500 == answer["status"]
        answer = express.run(jar, _USER)
    assert None is answer


class TestLogins:
    """Logging in and out."""

    def test_express_then_python(self, express: Express, python: Side, jar: Jar) -> None:
        """A login in Express is one in Python, and so is a logout in Python in Express."""
        express.run(jar, _LOGIN)
        assert "ann" == python.run(jar, lambda session: session["user"])
        brought = jar.value
        python.run(jar, log_out)
        jar.value = brought
        assert None is express.run(jar, _USER)
        assert {} == python.run(jar, read)

    def test_python_then_express(self, express: Express, python: Side, jar: Jar) -> None:
        """A login in Python is one in Express, and so is a logout in Express in Python."""
        python.run(jar, change_id)
        python.run(jar, change(user="ann"))
        assert "ann" == express.run(jar, _USER)
        express.run(jar, _LOGOUT)
        assert {} == python.run(jar, read)
        assert None is express.run(jar, _USER)

    def test_a_new_id(self, express: Express, python: Side, jar: Jar, fleet: Fleet) -> None:
        """A new id from one side is the id at the other one, with the same values."""
        express.run(jar, "session.user = 'ann'; session.cookie.maxAge = 3600 * 1000")
        before = jar.value
        python.run(jar, change_id)
        assert before != jar.value
        assert "ann" == express.run(jar, _USER)
        # Express computes it from a date, and the clock may have ticked.
        kept = express.run(jar, "return session.cookie.originalMaxAge")
        assert 3_600_000 == pytest.approx(kept, abs=5)
        express.run(jar, "await new Promise((done) => session.regenerate(done));req.session.n = 1")
        assert {"n": 1} == python.run(jar, read)

    def test_the_old_id_has_ended(self, express: Express, fleet: Fleet, jar: Jar) -> None:
        """After a new id from MongoSession, the old one leads to no session in Express."""
        express.run(jar, "session.user = 'ann'")
        old = Jar()
        old.value = jar.value
        fleet.python().run(jar, change_id)
        assert_ended(express, old, fleet.store)

    def test_passport(self, express: Express, python: Side, jar: Jar) -> None:
        """A login with Passport is seen in Python, and Passport sees a login from Python."""
        code = "await new Promise((done) => req.login({ id: 'ann' }, done))"
        express.run(jar, code)
        assert {"user": "ann"} == python.run(jar, lambda session: session["passport"])
        python.run(jar, change(passport={"user": "bob"}))
        assert "bob" == express.run(jar, "return req.user.id")
        express.run(jar, "await new Promise((done) => req.logout(done))")
        assert "user" not in python.run(jar, lambda session: session.get("passport", {}))

    def test_flash(self, express: Express, python: Side, jar: Jar) -> None:
        """A message of connect-flash is read once, by either side."""
        express.run(jar, "req.flash('info', 'one')")
        assert {"info": ["one"]} == python.run(jar, lambda session: session["flash"])
        python.run(jar, change(flash={"info": ["one", "two"]}))
        assert ["one", "two"] == express.run(jar, "return req.flash('info')")
        assert {} == python.run(jar, lambda session: session["flash"])

    def test_csurf(self, express: Express, python: Side, jar: Jar) -> None:
        """A token of csurf stays valid when Python saves the session and gives it a new id."""
        token, cookies = express.send(None, "/form", "", "text/plain")
        jar.take(cookies)
        python.run(jar, change(n=1))
        python.run(jar, change_id)
        form = ("/form", f"_csrf={token}", "application/x-www-form-urlencoded")
        assert "accepted" == express.send(jar.header, *form)[0]
        python.run(jar, lambda session: (session.pop("csrfSecret"), session.save()))
        assert 403 == express.send(jar.header, *form)[0]["status"]


class TestLifetimes:
    """How long a visitor stays logged in."""

    def test_active_in_express(self, fleet: Fleet, store: str, jar: Jar) -> None:
        """A visitor active in Express for three times Beaker's timeout stays logged in."""
        express = fleet.express(session={"cookie": {"maxAge": 600_000}})
        sides = [fleet.python(kind, timeout=600) for kind in ("MongoSession", "type alone")]
        express.run(jar, _LOGIN)
        for _ in range(4):
            passed(fleet, datetime.timedelta(seconds=450))
            # connect-mongo-soajs extends a session only when it is saved.
            code = _USER if store == "connect-mongo" else f"session.n = Date.now(); {_USER}"
            assert "ann" == express.run(jar, code)
        move = {"session._accessed_time": 1.0, "session._creation_time": 1.0}
        if not fleet.stringify:
            fleet.database.sessions.update_one({}, {"$set": move})
        for side in sides:
            assert "ann" == side.run(jar, lambda session: session["user"])

    def test_idle(self, fleet: Fleet, jar: Jar) -> None:
        """A visitor who is idle for longer than maxAge is logged out on both sides."""
        express = fleet.express(session={"cookie": {"maxAge": 600_000}})
        sides = [fleet.python(kind, timeout=7200) for kind in ("MongoSession", "type alone")]
        express.run(jar, _LOGIN)
        for side in sides:
            assert "ann" == side.run(jar, lambda session: session["user"])
        passed(fleet, datetime.timedelta(seconds=599))
        assert "ann" == express.run(jar, _USER)
        passed(fleet, datetime.timedelta(seconds=601))
        copy = Jar()
        copy.value = jar.value
        assert_ended(express, copy, fleet.store)
        for side in sides:
            assert {} == side.run(jar, read)

    def test_active_in_python(self, fleet: Fleet, jar: Jar) -> None:
        """A visitor who only uses Python stays logged in at Express, for maxAge and no longer."""
        express = fleet.express(session={"cookie": {"maxAge": 600_000}})
        python = fleet.python(timeout=7200)
        express.run(jar, _LOGIN)
        for _ in range(4):
            passed(fleet, datetime.timedelta(seconds=450))
            python.run(jar, read)
        left = fleet.document()["expires"] - utc_now()
        assert datetime.timedelta(seconds=580) < left <= datetime.timedelta(seconds=600)
        assert "ann" == express.run(jar, _USER)

    def test_begun_in_python(self, fleet: Fleet, python: Side, jar: Jar) -> None:
        """A session that Python began has Beaker's timeout as its maxAge in Express."""
        python = fleet.python(
            "MongoSession" if isinstance(python, MiddlewareSide) else "type alone", timeout=600
        )
        python.run(jar, change(user="ann"))
        express = fleet.express()
        assert "ann" == express.run(jar, _USER)
        code = "session.n = 1; return [session.cookie.originalMaxAge, session.cookie.sameSite]"
        assert [600_000, "lax"] == express.run(jar, code)
        left = fleet.document()["expires"] - utc_now()
        assert datetime.timedelta(seconds=590) < left <= datetime.timedelta(seconds=600)
        if isinstance(python, MiddlewareSide):
            assert {"expires", "httponly", "path", "samesite"} == jar.attributes.keys()

    def test_touch_after(self, fleet: Fleet, jar: Jar) -> None:
        """With touchAfter on both sides, a read writes nothing, and a late one extends."""
        if fleet.store == "soajs":
            express = fleet.express()
        else:
            express = fleet.express(touchAfter=300, session={"cookie": {"maxAge": 36_000_000}})
        python = fleet.python(timeout=36_000, store={"touchAfter": 300})
        express.run(jar, "session.user = 'ann'; session.cookie.maxAge = 36000 * 1000")
        before = fleet.document()
        python.run(jar, read)
        assert before == fleet.document()
        if fleet.store != "soajs":
            assert "ann" == express.run(jar, _USER)
            assert before == fleet.document()
        passed(fleet, _HOUR)
        python.run(jar, read)
        left = fleet.document()["expires"] - utc_now()
        assert datetime.timedelta(seconds=35_900) < left <= datetime.timedelta(seconds=36_000)

    def test_remember_me(self, fleet: Fleet, express: Express, jar: Jar) -> None:
        """set_lifetime() in Python is maxAge in Express, and the reverse."""
        python = fleet.python(timeout=600)
        express.run(jar, "session.user = 'ann'")
        python.run(jar, lambda session: session.set_lifetime(86_400))
        assert 86_400_000 == express.run(jar, "return session.cookie.originalMaxAge")
        express.run(jar, "session.cookie.maxAge = 7 * 86400 * 1000; session.n = 1")
        python.run(jar, change(n=2))
        assert "expires" in jar.attributes
        left = fleet.document()["expires"] - utc_now()
        assert datetime.timedelta(days=6, hours=23) < left <= datetime.timedelta(days=7)


class TestCookies:
    """The cookie of the visitor, which MongoSession shares with Express."""

    @pytest.fixture
    def python(self, fleet: Fleet) -> Side:
        """Return the Python side with MongoSession alone."""
        return fleet.python()

    def test_the_same_attributes(self, fleet: Fleet, python: Side, jar: Jar) -> None:
        """Python sends the attributes that Express has set for the session."""
        cookie = {"maxAge": 600_000, "sameSite": "strict", "path": "/"}
        fleet.express(session={"cookie": cookie}).run(jar, "session.user = 'ann'")
        before = jar.attributes
        python.run(jar, change_id)
        assert before.keys() == jar.attributes.keys()
        assert before | {"expires": ""} == jar.attributes | {"expires": ""}

    def test_old_secrets(self, fleet: Fleet, jar: Jar) -> None:
        """Each side accepts the cookies that an old secret signed."""
        old, new = "the secret of yesterday", SECRET
        fleet.express(session={"secret": old}).run(jar, "session.user = 'ann'")
        header = jar.header
        python = fleet.python(old_secrets=[old])
        assert "ann" == python.run(jar, lambda session: session["user"])
        assert header != jar.header
        express = fleet.express(session={"secret": [new, old]})
        assert "ann" == express.run(jar, _USER)
        fleet.python(secret=old).run(jar := Jar(), change(user="bob"))
        assert "bob" == express.run(jar, _USER)

    @pytest.mark.parametrize(
        "tamper",
        [
            lambda value: value[:-1] + ("a" if value[-1] != "a" else "b"),
            lambda value: value.replace("s%3A", ""),
            lambda value: cookie_value("made up", "another secret"),
            lambda value: cookie_value("made up", SECRET),
            lambda value: value[: len(value) // 2],
            lambda value: "%FF",
        ],
        ids=["signature", "unsigned", "secret", "no document", "cut", "bytes"],
    )
    def test_tampered(self, express: Express, python: Side, jar: Jar, tamper: Any) -> None:
        """A cookie that leads to no session is replaced by a new id, on both sides."""
        express.run(jar, "session.user = 'ann'")
        assert jar.value is not None
        jar.value = tampered = tamper(jar.value)
        assert None is express.run(jar, _USER)
        assert {} == python.run(jar, read)
        for save in (
            lambda: express.run(jar, "session.n = 1"),
            lambda: python.run(jar, change(n=1)),
        ):
            jar.value = tampered
            save()
            assert tampered != jar.value

    def test_duplicates(self, express: Express, python: Side, jar: Jar) -> None:
        """Of two cookies with the name, both sides use the first."""
        express.run(jar, "session.user = 'ann'")
        other = Jar()
        express.run(other, "session.user = 'bob'")
        for first, second, user in ((jar, other, "ann"), (other, jar, "bob")):
            both = Jar()
            both.value = f"{first.value}; {second.header}"
            assert user == express.run(both, _USER)
            assert user == python.run(both, lambda session: session["user"])
        both.value = f"x; {NAME}={jar.value}"
        assert None is express.run(both, _USER)
        assert {} == python.run(both, read)

    def test_rolling(self, fleet: Fleet, jar: Jar) -> None:
        """With rolling on both sides, each response sends the cookie with the same attributes."""
        settings = {"rolling": True, "cookie": {"maxAge": 600_000}}
        express = fleet.express(session=settings)
        python = fleet.python(rolling=True)
        express.run(jar, "session.user = 'ann'")
        express.run(jar, _USER)
        sent = jar.attributes
        python.run(jar, read)
        assert sent.keys() == jar.attributes.keys()

    def test_without_rolling(self, fleet: Fleet, jar: Jar) -> None:
        """Without rolling, neither side sends the cookie when a request only reads."""
        express = fleet.express(session={"cookie": {"maxAge": 600_000}})
        python = fleet.python()
        express.run(jar, "session.user = 'ann'")
        express.run(jar, _USER)
        assert [] == jar.set_cookies
        express.run(jar, "session.user = 'bob'")
        assert "expires" in jar.attributes
        python.run(jar, read)
        assert [] == jar.set_cookies
        python.run(jar, change(user="eve"))
        assert "expires" in jar.attributes


class TestOverlaps:
    """Requests of one visitor that overlap."""

    def test_python_keeps_the_changes_of_express(
        self, express: Express, python: Side, jar: Jar
    ) -> None:
        """A late save in Python keeps what Express saved meanwhile."""
        express.run(jar, "session.user = 'ann'")

        def slow(session: Any) -> None:
            express.run(jar, "session.n = 1")
            session["m"] = 2
            session.save()

        python.run(jar, slow)
        assert {"user": "ann", "n": 1, "m": 2} == python.run(jar, read)

    def test_a_logout_in_express_is_final(self, express: Express, python: Side, jar: Jar) -> None:
        """A late save in Python does not restore a session that ended in Express."""
        express.run(jar, "session.user = 'ann'")

        def slow(session: Any) -> None:
            express.run(jar, _LOGOUT)
            session["m"] = 2
            session.save()

        python.run(jar, slow)
        assert None is express.run(jar, _USER)
