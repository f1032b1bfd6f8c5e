"""Sessions while the database is away."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from beaker.session import SessionObject

from beaker_mongo_soajs import (
    StoreUnavailable,
)
from tests.application import Visitor
from tests.conftest import FailPoint
from tests.mongo_session.support import REFUSED, Db, MakeSite, login


class TestOutage:
    """While the database is away."""

    @pytest.fixture
    def visitor(self, make_site: MakeSite) -> Visitor:
        """Return a visitor with a session, of a site that goes on in outages."""
        visitor = make_site(store={"onUnavailable": "anonymous"}).visitor()
        visitor.save(user="ann")
        return visitor

    @pytest.mark.parametrize(
        "call",
        "save delete invalidate regenerate_id revert load clear lock unlock".split(),
    )
    def test_every_method_leaves_session_and_cookie_alone(
        self, visitor: Visitor, fail_point: FailPoint, call: str
    ) -> None:
        """Nothing that a request calls changes the session or the browser's cookie."""

        def act(session: SessionObject) -> object:
            assert not session.available
            assert session.get("user") is None
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
        """A new visitor whose session cannot be saved gets an answer, and no cookie."""
        visitor = make_site(store={"onUnavailable": "anonymous"}).visitor()
        with fail_point("insert", "createIndexes", error_code=REFUSED):
            visitor.save(n=1)
        assert [] == visitor.set_cookies
        assert 0 == database.sessions.count_documents({})

    def test_a_touch_that_fails(self, make_site: MakeSite, fail_point: FailPoint) -> None:
        """A request that read its session is answered though its times do not move."""
        visitor = make_site(stringify=True, store={"onUnavailable": "anonymous"}).visitor()
        visitor.save(n=1)
        with fail_point("update", error_code=REFUSED):
            assert {"n": 1} == visitor.read()

    @pytest.mark.parametrize("act", [login, lambda session: session.delete()])
    def test_what_was_to_be_saved_is_an_error(
        self, visitor: Visitor, fail_point: FailPoint, act: Callable[[SessionObject], None]
    ) -> None:
        """A change, or a logout, of a session that was loaded does not vanish in silence."""
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
        """However many requests an outage meets, a minute's log has one line of it."""
        now = [1e9]
        clock = SimpleNamespace(monotonic=lambda: now[0])
        monkeypatch.setattr("beaker_mongo_soajs.mongo.outage_log.time", clock)
        counts = []
        with fail_point("findAndModify", error_code=REFUSED):
            for seconds in (0, 1, 58, 2):
                now[0] += seconds
                visitor.read()
                lines = [line for line in caplog.messages if "without their sessions" in line]
                counts.append(len(lines))
        assert [1, 1, 1, 2] == counts

    def test_raise_is_the_default(self, make_site: MakeSite, fail_point: FailPoint) -> None:
        """Otherwise an outage is an error, also with invalidate_corrupt, and the session stays."""
        visitor = make_site(invalidate_corrupt=True).visitor()
        visitor.save(n=1)
        with (
            fail_point("findAndModify", error_code=REFUSED),
            pytest.raises(StoreUnavailable),
        ):
            visitor.read()
        assert {"n": 1} == visitor.read()
