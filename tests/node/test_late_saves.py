"""Requests of Express that save a session which changed meanwhile: alone, and with MergingStore."""

import itertools
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.conftest import Options
from tests.node.conftest import Fleet
from tests.node.express import Express, Jar
from tests.node.python_side import change, change_id, log_out, read

_gates = (f"late-save-{number}" for number in itertools.count())


@contextmanager
def slow_request(fleet: Fleet, express: Express, jar: Jar, code: str) -> Iterator[Future[Any]]:
    """Make a request of Express that has loaded its session, and saves it after the block."""
    gate = next(_gates)
    copy = Jar()
    copy.value = jar.value
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(express.run, copy, f"await pause({gate!r}); {code}")
        try:
            fleet.node.wait_at(gate)
            yield answer
        finally:
            fleet.node.open(gate)
        answer.result()


class TestWithoutIt:
    """What only Node can change: its stores write the whole session, and create it again."""

    def test_a_change_is_lost(self, fleet: Fleet, express: Express, jar: Jar) -> None:
        """A late save in Express overwrites a newer change of Python."""
        python = fleet.python()
        express.run(jar, "session.user = 'ann'")
        with slow_request(fleet, express, jar, "session.n = 1"):
            python.run(jar, change(m=2))
        assert {"user": "ann", "n": 1} == python.run(jar, read)

    def test_a_logout_is_undone(self, fleet: Fleet, express: Express, jar: Jar) -> None:
        """A late save in Express restores a session that ended in Python."""
        express.run(jar, "session.user = 'ann'")
        copy = Jar()
        copy.value = jar.value
        with slow_request(fleet, express, jar, "session.n = 1"):
            fleet.python().run(jar, log_out)
        assert "ann" == express.run(copy, "return session.user")

    def test_resave(self, fleet: Fleet, jar: Jar) -> None:
        """With resave, a request of Express that only reads does the same."""
        express = fleet.express(session={"resave": True})
        python = fleet.python()
        express.run(jar, "session.user = 'ann'")
        with slow_request(fleet, express, jar, "return session.user"):
            python.run(jar, change(m=2))
        assert {"user": "ann"} == python.run(jar, read)

    def test_a_read_without_resave(self, fleet: Fleet, express: Express, jar: Jar) -> None:
        """Without resave, a request of Express that only reads changes nothing."""
        python = fleet.python()
        express.run(jar, "session.user = 'ann'")
        copy = Jar()
        copy.value = jar.value
        with slow_request(fleet, express, jar, "return session.user"):
            python.run(jar, change(m=2))
        assert {"user": "ann", "m": 2} == python.run(jar, read)
        with slow_request(fleet, express, copy, "return session.user"):
            python.run(jar, log_out)
        assert None is express.run(copy, "return session.user ?? null")


class TestMergingStore:
    """The store in examples/node."""

    @pytest.fixture
    def merging(self, native_fleet: Fleet) -> Express:
        """Return an application with the store."""
        return native_fleet.express("merging")

    def test_changes_are_merged(self, native_fleet: Fleet, merging: Express, jar: Jar) -> None:
        """A late save writes only what its request changed."""
        python = native_fleet.python()
        merging.run(jar, "session.user = 'ann'; session.old = 1; session.list = [1];")
        code = "session.n = 1; delete session.old; session.list.push(2)"
        with slow_request(native_fleet, merging, jar, code):
            python.run(jar, change(m=2))
        assert {"user": "ann", "list": [1, 2], "n": 1, "m": 2} == python.run(jar, read)

    @pytest.mark.parametrize("code", ["session.n = 1", "session['a.b'] = 1", "return 1"])
    @pytest.mark.parametrize("resave", [False, True])
    def test_a_logout_is_final(
        self, native_fleet: Fleet, jar: Jar, code: str, *, resave: bool
    ) -> None:
        """A late save or touch does not restore a session that ended."""
        merging = native_fleet.express("merging", session={"resave": resave})
        merging.run(jar, "session.user = 'ann'")
        with slow_request(native_fleet, merging, jar, code):
            native_fleet.python().run(jar, log_out)
        assert 0 == native_fleet.database.sessions.count_documents({})

    def test_a_new_id(self, native_fleet: Fleet, merging: Express, jar: Jar) -> None:
        """A late save under an id that Python replaced does not bring it back."""
        merging.run(jar, "session.user = 'ann'")
        copy = Jar()
        copy.value = jar.value
        with slow_request(native_fleet, merging, jar, "session.n = 1"):
            native_fleet.python().run(jar, change_id)
        assert None is merging.run(copy, "return session.user ?? null")
        assert "ann" == merging.run(jar, "return session.user")

    def test_resave(self, native_fleet: Fleet, jar: Jar) -> None:
        """With resave, a request that only reads changes nothing but the date."""
        merging = native_fleet.express("merging", session={"resave": True})
        python = native_fleet.python()
        merging.run(jar, "session.user = 'ann'; session.when = new Date(0)")
        with slow_request(native_fleet, merging, jar, "return session.user"):
            python.run(jar, change(user="bob"))
        assert "bob" == python.run(jar, read)["user"]

    def test_keys_that_no_path_can_hold(
        self, native_fleet: Fleet, merging: Express, jar: Jar
    ) -> None:
        """Keys with dots are saved and removed."""
        merging.run(jar, "session['a.b'] = 1; session.user = 'ann'")
        merging.run(jar, "session['a.b'] = 2; session[''] = 3")
        assert {"a.b": 2, "": 3, "user": "ann"} == native_fleet.python().run(jar, read)
        merging.run(jar, "delete session['a.b']")
        assert {"": 3, "user": "ann"} == native_fleet.python().run(jar, read)

    def test_names_of_prototypes(self, native_fleet: Fleet, merging: Express, jar: Jar) -> None:
        """A key ``__proto__`` in a value is data, and changes no object."""
        merging.run(jar, """session.form = JSON.parse('{"__proto__": {"isAdmin": true}}')""")
        code = "session.n = 1; return ({}).isAdmin ?? session.isAdmin ?? session.form.isAdmin ?? 0"
        assert 0 == merging.run(jar, code)
        expected = {"form": {"__proto__": {"isAdmin": True}}, "n": 1}
        assert expected == native_fleet.python().run(jar, read)

    def test_several_saves(self, native_fleet: Fleet, merging: Express, jar: Jar) -> None:
        """A request can save its session several times, and load it again in between."""
        merging.run(jar, "session.n = 1")
        code = """
        const save = () => new Promise((resolve) => req.session.save(resolve));
        const reload = () => new Promise((resolve) => req.session.reload(resolve));
        session.n = 2; await save();
        session.n = 3; await save(); await reload();
        req.session.n += 1; delete req.session.gone; await save();
        return req.session.n;
        """
        assert 4 == merging.run(jar, code)
        assert {"n": 4} == native_fleet.python().run(jar, read)

    def test_a_change_back(self, native_fleet: Fleet, merging: Express, jar: Jar) -> None:
        """A value that a request saved and changed back is saved again."""
        merging.run(jar, "session.n = 1")
        code = """
        const save = () => new Promise((resolve) => session.save(resolve));
        session.n = 2; await save(); session.n = 1; await save();
        """
        merging.run(jar, code)
        assert {"n": 1} == native_fleet.python().run(jar, read)

    def test_the_cookie(self, native_fleet: Fleet, merging: Express, jar: Jar) -> None:
        """A change of maxAge is saved, and a late save of another request keeps it."""
        python = native_fleet.python()
        merging.run(jar, "session.cookie.maxAge = 60000; session.user = 'ann'")
        with slow_request(native_fleet, merging, jar, "session.n = 1"):
            python.run(jar, lambda session: session.set_lifetime(3600))
        assert 3_600_000 == native_fleet.document()["session"]["cookie"]["originalMaxAge"]

    def test_a_tick_of_the_clock(self, native_fleet: Fleet, merging: Express, jar: Jar) -> None:
        """A millisecond that Express loses from maxAge is no change of the cookie."""
        python = native_fleet.python()
        merging.run(jar, "session.cookie.maxAge = 60000; session.user = 'ann'")
        with slow_request(
            native_fleet, merging, jar, "session.n = 1; session.cookie.originalMaxAge -= 1"
        ):
            python.run(jar, lambda session: session.set_lifetime(3600))
        assert 3_600_000 == native_fleet.document()["session"]["cookie"]["originalMaxAge"]

    @pytest.mark.parametrize(
        ("options", "fields"),
        [
            ({}, {"_id", "session", "expires"}),
            ({"touchAfter": 300}, {"_id", "session", "expires", "lastModified"}),
            ({"timestamps": True}, {"_id", "session", "expires", "createdAt", "updatedAt"}),
        ],
    )
    def test_options_of_connect_mongo(
        self, native_fleet: Fleet, jar: Jar, options: Options, fields: set[str]
    ) -> None:
        """The options of connect-mongo keep their effect."""
        merging = native_fleet.express("merging", **options)
        merging.run(jar, "session.n = 1")
        before = native_fleet.document()
        merging.run(jar, "return session.n")
        touched = native_fleet.document()
        assert ("touchAfter" in options) == (before["expires"] == touched["expires"])
        merging.run(jar, "session.n = 2")
        after = native_fleet.document()
        assert fields == before.keys() == after.keys()
        assert before["expires"] < after["expires"]
        for name in fields & {"lastModified", "updatedAt"}:
            assert before[name] < after[name]

    @pytest.mark.parametrize("options", [{"stringify": True}, {"crypto": {"secret": "x"}}])
    def test_refused_options(self, native_fleet: Fleet, options: Options) -> None:
        """A form in which keys cannot be updated is an error at the start."""
        with pytest.raises(HTTPError):
            native_fleet.express("merging", **options)
