"""The cookie, and the object that an application holds."""

import time
from typing import Any

import pytest
from beaker.session import SessionObject
from webtest import TestApp

from beaker_mongo_soajs import MongoSession
from tests.application import Site, only_document
from tests.conftest import Db, Options
from tests.effort import times
from tests.mongo_session.hosts import HOSTS, make_host
from tests.mongo_session.support import MakeSite
from tests.recorder import Commands
from tests.test_cookies import NAME, fuzzed_headers, sign


class TestCookies:
    """The session cookie."""

    def _cookie(self, site: Site) -> str:
        visitor = site.visitor()
        visitor.save(n=1)
        (cookie,) = visitor.set_cookies
        return cookie.lower()

    def test_defaults(self, make_site: MakeSite) -> None:
        """Scripts and other sites' requests are kept from the cookie, unless that is turned off."""
        cookie = self._cookie(make_site())
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie
        assert "expires" not in cookie
        assert "httponly" not in self._cookie(make_site(httponly=False))

    def test_attributes(self, make_site: MakeSite) -> None:
        """Beaker's options of the cookie hold."""
        cookie = self._cookie(
            make_site(secure=True, samesite="Strict", cookie_expires=3600, cookie_path="/shop")
        )
        for attribute in ("secure", "samesite=strict", "expires=", "path=/shop"):
            assert attribute in cookie

    def test_host_prefix(self, make_site: MakeSite) -> None:
        """A cookie named __Host-… has what browsers ask of it: secure, the path /, no domain."""
        cookie = self._cookie(make_site(key="__Host-session", secure=True))
        assert cookie.strip().startswith("__host-session=")
        attributes = {attribute.strip() for attribute in cookie.split(";")[1:]}
        assert {"secure", "path=/", "httponly", "samesite=lax"} == attributes

    def test_size(self, make_site: MakeSite) -> None:
        """A signed cookie is far shorter than the 4096 bytes that browsers keep."""
        visitor = make_site(secret="a secret of the site").visitor()
        visitor.save(text="x" * 100_000)
        (cookie,) = visitor.set_cookies
        name, _, value = cookie.partition(";")[0].strip().partition("=")
        assert ("beaker.session.id", 72) == (name, len(value))

    def test_signed(self, make_site: MakeSite) -> None:
        """With a secret the cookie is signed; one with another signature leads nowhere."""
        site = make_site(secret="a secret of the site")
        visitor = site.visitor()
        visitor.save(n=1)
        assert visitor.cookie is not None
        assert {"n": 1} == site.visitor(visitor.cookie).read()
        assert {} == site.visitor("0" * 40 + visitor.cookie[40:]).read()
        assert {} == site.visitor(visitor.cookie[40:]).read()

    def test_without_cookies(self, options: Options) -> None:
        """With use_cookies off, sessions are found by the id that the application keeps."""
        session = MongoSession({}, use_cookies=False, **options)
        session["n"] = 1
        session.save()
        again = MongoSession({}, use_cookies=False, id=session.id, **options)
        assert (1, False) == (again["n"], again.is_new)
        again["n"] = 2
        again.save()
        assert 2 == MongoSession({}, use_cookies=False, id=session.id, **options)["n"]
        again.delete()
        assert MongoSession({}, use_cookies=False, id=session.id, **options).is_new

    def test_a_new_domain_is_sent(self, make_site: MakeSite) -> None:
        """Setting domain or path sends the cookie anew."""

        def move(session: SessionObject) -> None:
            session.domain = "example.org"
            session.save()

        visitor = make_site().visitor()
        visitor.save(n=1)
        visitor.request(move)
        assert "domain=example.org" in visitor.set_cookies[0].lower()


@pytest.fixture(params=list(HOSTS))
def host(request: pytest.FixtureRequest) -> str:
    """Return the name of each way to serve MongoSession."""
    name: str = request.param
    return name


class TestForeignCookies:
    """Cookies that others set: a sibling host, a script, a browser extension."""

    def _get(self, app: Any, header: str, query: str = "") -> str:
        text: str = app.get(f"/?{query}", headers={"Cookie": header}).text
        return text

    def test_foreign_cookies_log_nobody_out(self, host: str, options: Options) -> None:
        """The visitor keeps the session, whatever cookies surround the session's."""
        app: Any = TestApp(make_host(host, options))
        app.get("/?n=5")
        cookie = f"{NAME}={app.cookies[NAME]}"
        app.reset()
        for foreign in (
            *("flag", "ga=1 2 3", "=v", "a[]=1", "x=\xe9", '{"a": 1}', "a=1; $x=y", '"', "a=b=c"),
            *("path=/", 'a="', f"{NAME}=", f"{NAME}", f"{NAME}=wrong", f"{NAME}=wrong" * 2),
            f"{NAME}={sign('id', 'wrong')}",
        ):
            assert "5" == self._get(app, f"{foreign}; {cookie}"), foreign
            assert "5" == self._get(app, f"{cookie}; {foreign}"), foreign
        assert "None" == self._get(app, "flag")

    def test_second_id_counts_if_the_first_is_unknown(
        self, host: str, options: Options, commands: Commands
    ) -> None:
        """Of two signed ids the first that is stored counts; a second one costs a command."""
        app: Any = TestApp(make_host(host, options))
        cookies = []
        for n in (5, 6):
            app.reset()
            app.get(f"/?n={n}")
            cookies.append(f"{NAME}={app.cookies[NAME]}")
        app.reset()
        unknown = [f"{NAME}={sign(f'unknown{n}')}" for n in range(3)]
        commands.clear()
        assert "5" == self._get(app, "; ".join(cookies))
        one_id = len(commands.names)
        assert "6" == self._get(app, "; ".join(reversed(cookies)))
        assert 2 * one_id == len(commands.names)
        assert "5" == self._get(app, f"{unknown[0]}; {cookies[0]}")
        assert 3 * one_id + 1 == len(commands.names)
        assert "None" == self._get(app, "; ".join([*unknown, cookies[0]]))
        assert 3 * one_id + 3 == len(commands.names)

    def test_impossible_ids_cost_no_command(self, options: Options, commands: Commands) -> None:
        """Ids that no session can have do not count as the first."""
        session = MongoSession({}, **options)
        session["n"] = 5
        session.save()
        values = ("\x85", "x" * 300, '"\\001"', session.id)
        numbers = []
        for header in (f"{NAME}={session.id}", "; ".join(f"{NAME}={value}" for value in values)):
            commands.clear()
            assert 5 == MongoSession({"cookie": header}, **options)["n"]
            numbers.append(len(commands.names))
        assert numbers[0] == numbers[1]

    def test_changes_are_saved_under_the_id_that_counts(
        self, host: str, options: Options, database: Db
    ) -> None:
        """A session that the second cookie led to is saved, and ended, under its own id."""
        app: Any = TestApp(make_host(host, options))
        app.get("/?n=5")
        header = f"{NAME}={sign('unknown')}; {NAME}={app.cookies[NAME]}"
        app.reset()
        assert "6" == self._get(app, header, "n=6")
        app.reset()
        assert 6 == only_document(database)["session"]["n"]
        self._get(app, header, "logout")
        assert 0 == database.sessions.count_documents({})

    def test_expired_session_of_the_first_cookie(self, options: Options, database: Db) -> None:
        """Where the first session has timed out, the second one counts."""
        for name, seconds in (("old", 1000), ("live", 0)):
            session = MongoSession({}, **options)
            session["n"] = name
            session.save()
            database.sessions.update_one(
                {"_id": session.id}, {"$inc": {"session._accessed_time": -seconds}}
            )
        ids = {each["session"]["n"]: each["_id"] for each in database.sessions.find()}
        header = f"{NAME}={ids['old']}; {NAME}={ids['live']}"
        session = MongoSession({"cookie": header}, timeout=600, **options)
        assert ("live", ids["live"]) == (session["n"], session.id)
        assert not session.was_invalidated
        assert "live" == only_document(database)["session"]["n"]

    def test_second_cookie_is_no_substitute_for_a_session_that_ended(
        self, options: Options
    ) -> None:
        """A session destroyed during its request is not replaced by that of another cookie."""
        mine = MongoSession({}, **options)
        mine["n"] = 5
        mine.save()
        other = MongoSession({}, **options)
        other["n"] = 6
        other.save()
        header = f"{NAME}={mine.id}; {NAME}={other.id}"
        session = MongoSession({"cookie": header}, **options)
        mine.delete()
        with session.locked():
            assert session.get("n") != 6

    def test_long_headers_hold_no_worker(self, options: Options) -> None:
        """A header of 64 kB with which http.cookies takes minutes delays no request."""
        MongoSession({}, **options)
        for header in ('a="' + '\\"' * 32_000, f'{NAME}="' + "\\" * 65_000 + '"', "a" * 65_000):
            start = time.thread_time()
            assert MongoSession({"cookie": header}, **options).is_new
            assert time.thread_time() - start < 0.05

    def test_fuzzed_headers(self, options: Options) -> None:
        """No header is an error, and none leads to another session than its cookie's."""
        session = MongoSession({}, secret="a secret of the site", **options)
        session["n"] = 5
        session.save()
        cookie = f"{NAME}={sign(session.id)}"
        found = 0
        for header in fuzzed_headers(2, times(4_000), cookie):
            loaded = MongoSession({"cookie": header}, secret="a secret of the site", **options)
            if not loaded.is_new:
                found += 1
                assert (session.id, 5) == (loaded.id, loaded["n"]), repr(header)
                assert cookie in header or session.id in header
        assert found


class TestSessionItself:
    """The object that an application holds."""

    def test_repr_holds_no_data(self, options: Options) -> None:
        """Neither id nor data stand in a repr."""
        session = MongoSession({}, **options)
        session["user"] = "ann"
        assert "ann" not in repr(session)
        assert session.id not in repr(session)

    def test_ids_are_random_and_long(self, options: Options) -> None:
        """Ids have 192 random bits, and no two are alike."""
        ids = {MongoSession({}, **options).id for _ in range(500)}
        assert 500 == len(ids)
        assert {32} == set(map(len, ids))

    def test_namespace(self, options: Options) -> None:
        """Like Beaker's own session it has a namespace, with the client."""
        session = MongoSession({}, timeout=60, **options)
        session["n"] = 1
        session.save()
        assert session.namespace.timeout == 180
        assert "session" in session.namespace
        assert session.namespace.client.admin.command("ping")["ok"]
