"""MongoSession while the database is unavailable."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from beaker.session import SessionObject

from beaker_mongo_soajs import MongoSession, StoreUnavailable
from tests.application import Visitor
from tests.conftest import Db, FailPoint, Options
from tests.mongo_session.support import REFUSED, MakeSite, login


class TestOutage:
    """Requests while the database is unavailable."""

    @pytest.fixture
    def visitor(self, make_site: MakeSite) -> Visitor:
        """Return a visitor with a session, in an application with onUnavailable = anonymous."""
        visitor = make_site(store={"onUnavailable": "anonymous"}).visitor()
        visitor.save(user="ann")
        return visitor

    @pytest.mark.parametrize(
        "call",
        "save delete invalidate regenerate_id revert load clear lock unlock".split(),
    )
    def test_no_method_changes_session_or_cookie(
        self, visitor: Visitor, fail_point: FailPoint, call: str
    ) -> None:
        """No method of the session changes the stored session or the browser's cookie."""

        def act(session: SessionObject) -> object:
            assert not session.available
            assert session.get("user") is None
            assert (True, None) == (session.is_new, session.last_accessed)
            getattr(session, call)()
            session["n"] = 1
            session.domain = "example.org"
            session.path = "/elsewhere"
            with session.locked(timeout=0.1):
                session["n"] = 2
            session.save()
            return session.available

        with fail_point("find", "findAndModify", "update", "insert", "delete", error_code=REFUSED):
            assert visitor.request(act) is False
        assert [] == visitor.set_cookies
        assert {"user": "ann"} == visitor.read()
        assert visitor.request(lambda session: session.available)

    def test_new_visitors(self, make_site: MakeSite, fail_point: FailPoint, database: Db) -> None:
        """A new visitor whose session cannot be saved gets a response without a cookie."""
        visitor = make_site(store={"onUnavailable": "anonymous"}).visitor()
        with fail_point("insert", error_code=REFUSED):
            visitor.save(n=1)
        assert [] == visitor.set_cookies
        assert 0 == database.sessions.count_documents({})

    def test_new_sessions_without_a_middleware(
        self, options: Options, fail_point: FailPoint
    ) -> None:
        """A new session that cannot be saved leaves no cookie to be sent."""
        session = MongoSession({}, store={"onUnavailable": "anonymous"}, **options)
        session["n"] = 1
        with fail_point("insert", error_code=REFUSED):
            session.save()
        assert (None, False) == (session.request["cookie_out"], session.request["set_cookie"])

    def test_a_touch_that_fails(self, make_site: MakeSite, fail_point: FailPoint) -> None:
        """A request that only reads is answered even if its times cannot be moved."""
        visitor = make_site(stringify=True, store={"onUnavailable": "anonymous"}).visitor()
        visitor.save(n=1)
        with fail_point("update", error_code=REFUSED):
            assert {"n": 1} == visitor.read()

    @pytest.mark.parametrize("act", [login, lambda session: session.delete()])
    def test_a_lost_change_raises(
        self, visitor: Visitor, fail_point: FailPoint, act: Callable[[SessionObject], None]
    ) -> None:
        """If a loaded session cannot be changed or deleted, an error is raised."""
        with (
            fail_point("update", "delete", "insert", error_code=REFUSED),
            pytest.raises(StoreUnavailable),
        ):
            visitor.request(act)

    def test_one_line_a_minute(
        self,
        visitor: Visitor,
        fail_point: FailPoint,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An outage is logged once a minute, however many requests fail."""
        now = [1e9]
        clock = SimpleNamespace(monotonic=lambda: now[0])
        monkeypatch.setattr("beaker_mongo_soajs.log_records.time", clock)
        counts = []
        with fail_point("find", error_code=REFUSED):
            for seconds in (0, 1, 58, 2):
                now[0] += seconds
                visitor.read()
                lines = [line for line in caplog.messages if "without their sessions" in line]
                counts.append(len(lines))
        assert [1, 1, 1, 2] == counts

    def test_raise_is_the_default(self, make_site: MakeSite, fail_point: FailPoint) -> None:
        """By default an outage raises StoreUnavailable, and the session is kept."""
        visitor = make_site(invalidate_corrupt=True).visitor()
        visitor.save(n=1)
        with (
            fail_point("find", error_code=REFUSED),
            pytest.raises(StoreUnavailable),
        ):
            visitor.read()
        assert {"n": 1} == visitor.read()
