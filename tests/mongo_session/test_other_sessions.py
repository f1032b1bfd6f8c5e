"""The other sessions of a user: destroy_others(), handles, created."""

import time
from typing import Any

import pytest
from beaker.session import SessionObject
from webtest import TestApp

from beaker_mongo_soajs import MongoSession, SessionStore
from tests.application import Site, live_documents
from tests.conftest import Db, Options
from tests.mongo_session.hosts import HOSTS, make_host
from tests.mongo_session.support import VARIANTS, MakeSite
from tests.plain_server import needs_mongodb
from tests.recorder import Commands

pytestmark = pytest.mark.slow


def site(host: str, options: Options) -> Any:
    """Return an application with MongoSession in a host."""
    return make_host(host, options)


class TestDestroyOthers:
    """After a change of the password, all other sessions of the user end."""

    @pytest.mark.parametrize("host", HOSTS)
    def test_the_recipe(self, host: str, options: Options, database: Db) -> None:
        """The visitor who changes the password stays logged in; the user's other sessions end."""
        wsgi = site(host, options)
        here, there, other_user = (TestApp(wsgi) for _ in range(3))
        for browser, user in ((here, "ann"), (there, "ann"), (other_user, "bob")):
            browser.get(f"/?n=1&user={user}")
        before = dict(here.cookies)
        here.get("/?new_password")
        assert before != dict(here.cookies)
        assert ["1", "None", "1"] == [
            browser.get("/").text for browser in (here, there, other_user)
        ]
        assert 2 == len(live_documents(database))

    def test_unsaved_changes_are_saved(self, make_site: MakeSite) -> None:
        """destroy_others() saves the session, and returns how many others it deleted."""
        site = make_site()
        here, there = site.visitor(), site.visitor()
        there.save(user="ann")

        def change(session: SessionObject) -> int:
            session["user"] = "ann"
            destroyed: int = session.destroy_others(user="ann")
            return destroyed

        assert 1 == here.request(change)
        assert {"user": "ann"} == here.read()
        assert {} == there.read()

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("_user_id", lambda user: {"_user_id": user}),
            pytest.param("auth.userid", lambda user: {"auth.userid": user}, marks=needs_mongodb),
            ("auth.userid", lambda user: {"auth": {"userid": user}}),
        ],
    )
    def test_without_fields(self, make_site: MakeSite, key: str, value: Any) -> None:
        """Without fields, destroy_others() deletes the other sessions of the same user."""
        site = make_site(**{"store.userKey": key})
        here, there, other_user = site.visitor(), site.visitor(), site.visitor()
        for visitor, user in ((here, "ann"), (there, "ann"), (other_user, "bob")):
            visitor.save(**value(user))
        assert 1 == here.request(lambda session: session.destroy_others())
        users = [
            visitor.request(lambda session: {k: session[k] for k in value("") if k in session})
            for visitor in (here, there, other_user)
        ]
        assert [value("ann"), {}, value("bob")] == users

    def test_without_a_user(self, make_site: MakeSite) -> None:
        """Without fields, a session without a user is an error, and nothing is deleted."""
        site = make_site()
        here, there = site.visitor(), site.visitor()
        for visitor in (here, there):
            visitor.save(cart=1)
        with pytest.raises(ValueError, match=r"no value under user, the key of store\.userKey"):
            here.request(lambda session: session.destroy_others())
        assert {"cart": 1} == there.read()


@pytest.mark.parametrize("more", [{}, {"store": {"transformId": "sha256"}}])
class TestHandles:
    """Handles: public names of sessions."""

    def test_a_user_ends_one_session(self, make_site: MakeSite, more: Options) -> None:
        """A handle from find() ends its session, also after a trip through a form."""
        site = make_site(**more)
        here, there = site.visitor(), site.visitor()
        for visitor in (here, there):
            visitor.save(user="ann")

        def handles(session: SessionObject) -> list[str]:
            found = [session_id.handle for session_id, _ in session.store.find(user="ann")]
            assert session.handle in found
            return [handle for handle in found if handle != session.handle]

        (handle,) = here.request(handles)
        destroy = "".join(handle)
        assert 1 == here.request(lambda s: s.store.destroy_handle(destroy, user="ann"))
        assert {} == there.read()
        assert {"user": "ann"} == here.read()

    def test_of_another_user(self, make_site: MakeSite, more: Options) -> None:
        """A handle of another user's session ends nothing."""
        visitor = make_site(**more).visitor()
        visitor.save(user="ann")
        handle = visitor.request(lambda session: session.handle)
        assert 0 == visitor.request(lambda s: s.store.destroy_handle(handle, user="bob"))
        assert {"user": "ann"} == visitor.read()

    def test_is_no_session_id(self, make_site: MakeSite, more: Options) -> None:
        """A handle does not contain the session id, and is not valid as one."""
        site = make_site(**more)
        visitor = site.visitor()
        visitor.save(user="ann")
        handle = visitor.request(lambda session: session.handle)
        assert visitor.cookie not in handle
        assert {} == site.visitor(handle).read()

    def test_is_stable(self, make_site: MakeSite, more: Options) -> None:
        """A session has the same handle in all requests."""
        visitor = make_site(**more).visitor()
        visitor.save(user="ann")
        handles = [visitor.request(lambda session: session.handle) for _ in range(2)]
        visitor.save(n=1)
        assert handles[0] == handles[1] == visitor.request(lambda session: session.handle)


class TestCreated:
    """The time at which a session began."""

    def test_after_clear(self, make_site: MakeSite) -> None:
        """clear() and a save keep the time at which the session began."""
        visitor = make_site().visitor()
        visitor.save(n=1)
        created = visitor.request(lambda session: session.created)

        def clear(session: SessionObject) -> float:
            session.clear()
            session["m"] = 1
            session.save()
            now: float = session.created
            return now

        assert created == visitor.request(clear)
        assert created == visitor.request(lambda session: session.created)

    def test_of_a_session_of_another_application(self, options: Options) -> None:
        """A session without a creation time has one, and keeps it when it is saved."""
        SessionStore(options).set("of node", {"n": 1})
        session = MongoSession({}, use_cookies=False, id="of node", **options)
        created = session.created
        assert created > 0
        session["n"] = 2
        session.save()
        session = MongoSession({}, use_cookies=False, id="of node", **options)
        assert created == session.created


@pytest.mark.parametrize("name", ["native", "text", "json", "encrypted"])
class TestCreatedForEachKind:
    """created of Beaker's own Session, too."""

    @pytest.fixture
    def site(self, kind_options: Options, name: str) -> Site:
        """Return a site with a kind of session, in a storage form."""
        return Site(kind_options | VARIANTS[name])

    def test_after_clear(self, site: Site) -> None:
        """After clear() and a save, the next request finds when the session began."""
        visitor = site.visitor()
        visitor.save(n=1)
        created = visitor.request(lambda session: session.created)

        def refill(session: SessionObject) -> None:
            session.clear()
            session["m"] = 1
            session.save()

        visitor.request(refill)
        assert created == visitor.request(lambda session: session.created)
        assert {"m": 1} == visitor.read()

    def test_an_emptied_session(self, site: Site, database: Db) -> None:
        """clear() and a save without new values still end the session."""
        visitor = site.visitor()
        visitor.save(n=1)

        def empty(session: SessionObject) -> None:
            session.clear()
            session.save()

        visitor.request(empty)
        assert [] == [*database.sessions.find()]


@pytest.mark.parametrize("name", ["native", "text", "json"])
class TestCreatedByOtherPrograms:
    """Sessions that SessionStore or a Node application began."""

    @pytest.mark.parametrize("stored", [{"n": 1}, {"n": 1, "_creation_time": "x"}], ids=str)
    def test_sessions_of_other_programs(
        self,
        kind_options: Options,
        name: str,
        options: Options,
        stored: dict[str, Any],
        commands: Commands,
    ) -> None:
        """A session that another program began has a creation time, and keeps it when saved."""
        stored = stored | {"_accessed_time": time.time()}
        SessionStore(options | VARIANTS[name]).set("an-id", stored)
        site = Site(kind_options | VARIANTS[name])
        visitor = site.visitor("an-id")
        commands.clear()
        assert visitor.request(lambda session: session.created) > 0
        assert ["find"] == commands.names
        visitor.save(m=2)
        created = visitor.request(lambda session: session.created)
        assert created == visitor.request(lambda session: session.created)
        assert {"n": 1, "m": 2} == visitor.read()
