"""New session ids: regenerate_id()."""

import time
from typing import Any

import pytest
from beaker.session import SessionObject

from beaker_mongo_soajs import (
    MongoSession,
    SerializationError,
    StoreUnavailable,
)
from tests.application import Site, live_documents, only_document
from tests.conftest import Db, FailPoint, Options
from tests.mongo_session.support import MakeSite, login
from tests.recorder import Commands


class TestRegenerate:
    """New session ids: regenerate_id()."""

    def test_the_session_moves(self, make_site: MakeSite, database: Db, variant: Options) -> None:
        """After regenerate_id() data and access time are stored under the new id only."""
        site = make_site(**variant)
        visitor = site.visitor()
        visitor.save(cart=["a"])
        old, between = visitor.cookie, time.time()
        visitor.request(login)
        assert visitor.request(lambda session: session.last_accessed) > between
        assert old != visitor.cookie
        assert {"cart": ["a"], "user": "ann"} == visitor.read()
        assert {} == site.visitor(old).read()
        assert 1 == len(live_documents(database))

    @pytest.mark.parametrize("save_accessed_time", [True, False])
    def test_without_a_save(
        self, make_site: MakeSite, variant: Options, *, save_accessed_time: bool
    ) -> None:
        """regenerate_id() without a save moves the stored session, without unsaved changes."""
        site = make_site(**variant, save_accessed_time=save_accessed_time)
        visitor = site.visitor()
        visitor.save(cart=["a"])
        old = visitor.cookie

        def regenerate(session: SessionObject) -> None:
            session["cart"].append("b")
            session["n"] = 1
            session.regenerate_id()

        visitor.request(regenerate)
        assert old != visitor.cookie
        assert {"cart": ["a"]} == visitor.read()
        assert {} == site.visitor(old).read()

    def test_of_a_new_session(self, make_site: MakeSite, database: Db) -> None:
        """A new visitor who logs in gets one document, and one cookie."""
        visitor = make_site().visitor()
        visitor.request(login)
        assert visitor.cookie == only_document(database)["_id"]
        assert 1 == len(visitor.set_cookies)

    def test_between_two_saves_of_a_new_session(self, make_site: MakeSite, database: Db) -> None:
        """regenerate_id() moves what a new session saved before, with or without a later save."""

        def save_and_regenerate(session: SessionObject) -> None:
            session["n"] = 1
            session._session().save()
            session.regenerate_id()

        visitor = make_site().visitor()
        visitor.request(save_and_regenerate)
        assert {"n": 1} == visitor.read()
        assert 1 == len(live_documents(database))

    def test_again_and_again(self, make_site: MakeSite, database: Db) -> None:
        """Several new ids in one request leave one valid id, whether saved in between or not."""

        def regenerate(session: SessionObject) -> None:
            session.regenerate_id()
            session.regenerate_id()
            session._session().save()
            session.regenerate_id()
            session["n"] = 2
            session.save()

        visitor = make_site().visitor()
        visitor.save(n=1)
        visitor.request(regenerate)
        assert visitor.cookie == only_document(database)["_id"]
        assert {"n": 2} == visitor.read()

    @pytest.mark.parametrize("end", ["delete", "invalidate", "clear"])
    def test_of_a_session_that_is_then_ended(
        self, make_site: MakeSite, database: Db, end: str
    ) -> None:
        """A session that gets a new id and is then ended has no valid id."""

        def end_regenerated(session: SessionObject) -> None:
            session.regenerate_id()
            getattr(session, end)()
            session.save()

        visitor = make_site().visitor()
        visitor.save(n=1)
        old = only_document(database)["_id"]
        visitor.request(end_regenerated)
        assert old not in database.sessions.distinct("_id")
        assert {} == visitor.read()

    def test_concurrent_changes_are_moved(self, make_site: MakeSite, variant: Options) -> None:
        """The new id includes what another request saved under the old id in the meantime."""
        site = make_site(**variant)
        visitor = site.visitor()
        visitor.save(cart=["a"])
        other = site.visitor(visitor.cookie)

        def login(session: SessionObject) -> None:
            session.regenerate_id()
            session["user"] = "ann"
            other.save(cart=["a", "b"])
            session.save()

        visitor.request(login)
        assert {"cart": ["a", "b"], "user": "ann"} == visitor.read()

    def test_after_another_request_did(self, options: Options) -> None:
        """A save that finds its session under another id leaves no cookie to be sent."""
        first = MongoSession({}, **options)
        first["n"] = 1
        first.save()
        cookie = f"beaker.session.id={first.id}"
        mine, theirs = (MongoSession({"cookie": cookie}, **options) for _ in range(2))
        theirs.regenerate_id()
        theirs.save()
        mine["n"] = 2
        mine.save()
        assert (None, False) == (mine.request["cookie_out"], mine.request["set_cookie"])

    def test_of_a_destroyed_session(self, make_site: MakeSite, database: Db) -> None:
        """A session destroyed during the request is not restored, and the cookie is kept."""
        site = make_site()
        visitor = site.visitor()
        visitor.save(n=1)
        other = site.visitor(visitor.cookie)

        def login(session: SessionObject) -> None:
            session.regenerate_id()
            other.request(lambda theirs: theirs.delete())
            session["user"] = "ann"
            session.save()

        visitor.request(login)
        assert 0 == database.sessions.count_documents({})
        assert [] == visitor.set_cookies

    def test_two_logins_leave_one_valid_id(self, make_site: MakeSite, database: Db) -> None:
        """If two requests log in at once, one wins, and the other does not change the cookie."""
        site = make_site()
        visitor = site.visitor()
        visitor.save(n=1)
        other = site.visitor(visitor.cookie)

        def overlapped(session: SessionObject) -> None:
            assert 1 == session["n"]
            other.request(login)
            login(session)

        visitor.request(overlapped)
        assert [] == visitor.set_cookies
        assert other.cookie == only_document(database)["_id"]

    def test_starting_again_after_a_lost_race(self, make_site: MakeSite) -> None:
        """After a lost race, invalidate() gives the request a new session."""
        site = make_site()
        visitor = site.visitor()
        visitor.save(n=1)
        other = site.visitor(visitor.cookie)

        def lose_and_start(session: SessionObject) -> None:
            other.request(lambda theirs: theirs.delete())
            session.regenerate_id()
            session._session().save()
            session.invalidate()
            session["m"] = 1
            session.save()

        visitor.request(lose_and_start)
        assert {"m": 1} == visitor.read()

    @pytest.mark.parametrize("value", ["unstorable", "too large", "too deep"])
    def test_an_error_keeps_the_old_session(
        self, make_site: MakeSite, commands: Commands, value: str
    ) -> None:
        """A value that cannot be stored raises an error, and the old session stays valid."""
        deep: Any = 1
        for _ in range(190):
            deep = [deep]
        values = {"unstorable": object(), "too large": "x" * 17_000_000, "too deep": deep}
        visitor = make_site().visitor()
        visitor.save(n=1)
        commands.clear()

        def login(session: SessionObject) -> None:
            session.regenerate_id()
            session["value"] = values[value]
            session.save()

        with pytest.raises(SerializationError):
            visitor.request(login)
        # This value is refused before the old document is removed.
        assert value != "unstorable" or commands.names == ["find"]
        assert {"n": 1} == visitor.read()

    def test_crash_before_the_removal(self, make_site: MakeSite, fail_point: FailPoint) -> None:
        """If the first command fails, the old id stays valid."""
        visitor = make_site(store={"touchAfter": 60}, timeout=600).visitor()
        visitor.save(n=1)
        with (
            fail_point("findAndModify", close_connection=True),
            pytest.raises(StoreUnavailable),
        ):
            visitor.request(login)
        assert {"n": 1} == visitor.read()

    @pytest.mark.slow
    def test_a_lost_connection_keeps_the_old_session(
        self, make_site: MakeSite, fail_point: FailPoint, database: Db, variant: Options
    ) -> None:
        """If the connection is lost during a change of id, the old id stays the only valid one."""
        self.check_lost_connection(make_site(**variant), fail_point, database, "insert")

    @pytest.mark.slow
    def test_a_lost_connection_at_the_last_command(
        self, make_site: MakeSite, fail_point: FailPoint, database: Db
    ) -> None:
        """If the last command of a change of id fails for ten seconds, the new id is valid."""
        visitor = make_site().visitor()
        visitor.save(n=1)
        before = visitor.cookie
        with fail_point("update", close_connection=True):
            visitor.request(login)
        assert visitor.cookie != before
        assert {"n": 1, "user": "ann"} == visitor.read()
        (document,) = live_documents(database)
        assert document["_id"] == visitor.cookie
        # The request that read the session has repeated the command.
        assert 0 == database.sessions.count_documents({"move": {"$exists": True}})

    @staticmethod
    def check_lost_connection(
        site: Site, fail_point: FailPoint, database: Db, command: str
    ) -> None:
        """Log in while a command fails, and check which id is valid."""
        visitor = site.visitor()
        visitor.save(n=1)
        with (
            fail_point(command, close_connection=True),
            pytest.raises(StoreUnavailable),
        ):
            visitor.request(login)
        assert {"n": 1} == visitor.read()
        assert 1 == len(live_documents(database))
