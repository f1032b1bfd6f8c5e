"""What sessions promise in each framework, over HTTP and across two worker processes.

An example serves

- ``GET /``, which counts a visit in the session and answers whom accepts JSON with
  ``{"visits": 2, "user": "ann"}``, where ``null`` is nobody; where forms carry a token,
  ``csrf_token`` is there as well,
- ``POST /login`` with the field ``user``, which gives the session a new id,
- ``POST /logout``, which deletes the session; links do neither,
- ``GET /error``, which fails.

Its sessions are in the database ``examples`` on the server that ``MONGODB_URL`` names.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
from pymongo.collection import Collection

from tests.conftest import Client, FailPoint
from tests.frameworks.visitor import Page, Visitor
from tests.frameworks.workers import running
from tests.waiting import wait_until

USER = "Zoë"
_AT_ONCE = 8
_SLOW_MS = 1_000

Sessions = Collection[dict[str, Any]]
NewVisitor = Callable[..., Visitor]
Overtake = Callable[[Callable[[], object], Callable[[], object]], None]


class ExampleContract:
    """What ``session.type = ext:mongodb_soajs`` alone promises. A subclass names its example."""

    application: ClassVar[str]
    """Where the WSGI application is: ``module:name``."""
    token_field: ClassVar[str] = "csrf_token"
    """The field for the token in the framework's forms."""

    @classmethod
    def command(cls) -> list[str]:
        """Return the command that serves the example on a free port, and says which."""
        return [sys.executable, "-m", "waitress", "--listen=127.0.0.1:0", cls.application]

    @pytest.fixture(scope="class")
    @classmethod
    def workers(
        cls, mongo_url: str, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[list[str]]:
        """Run two worker processes, and lend their addresses."""
        folder = tmp_path_factory.mktemp("workers")
        with running(cls.command(), {"MONGODB_URL": mongo_url}, folder) as addresses:
            yield addresses

    @pytest.fixture
    def sessions(self, mongo_client: Client) -> Sessions:
        """Lend the collection of the example, which may hold sessions of somebody."""
        return mongo_client["examples"].sessions

    @pytest.fixture
    def new_visitor(self, workers: list[str], sessions: Sessions) -> Iterator[NewVisitor]:
        """Lend a function that returns a new visitor, or one ``like`` another: with its cookies."""
        visitors: list[Visitor] = []

        def make(like: Visitor | None = None) -> Visitor:
            visitor = Visitor(workers, self.token_field)
            if like is not None:
                visitor.take_cookies(like)
            visitors.append(visitor)
            return visitor

        yield make
        seen = set[str]().union(*(visitor.session_ids for visitor in visitors))
        sessions.delete_many({"_id": {"$in": list(seen)}})

    @pytest.fixture
    def visitor(self, new_visitor: NewVisitor) -> Visitor:
        """Return a visitor who has not been here before."""
        return new_visitor()

    @pytest.fixture
    def overtake(self, fail_point: FailPoint, mongo_client: Client) -> Overtake:
        """Lend a function that makes a request while the save of a slow one is under way.

        The slow one has to be a visit after the first: its save is an update, which the server
        holds back. Other requests insert, delete, or find and modify.
        """

        def make(slow: Callable[[], object], quick: Callable[[], object]) -> None:
            with fail_point("update", block_ms=_SLOW_MS, times=1), ThreadPoolExecutor(1) as thread:
                before = _held_back(mongo_client)
                answer = thread.submit(slow)
                wait_until(lambda: answer.done() or _held_back(mongo_client) > before)
                assert not answer.done()
                quick()
                answer.result()

        return make

    def test_new_visitor(self, visitor: Visitor, sessions: Sessions) -> None:
        """Who comes for the first time gets a session of one document, and a cookie with its id."""
        assert Page(visits=1, user=None) == visitor.visit()
        document = sessions.find_one({"_id": visitor.session_id})
        assert document is not None
        assert 1 == document["session"]["visits"]

    def test_cookie(self, visitor: Visitor) -> None:
        """The cookie is for the whole site, and for no script."""
        visitor.visit()
        cookie = visitor.cookie
        assert cookie is not None
        assert "/" == cookie.path
        assert cookie.has_nonstandard_attr("HttpOnly")

    def test_return(self, visitor: Visitor) -> None:
        """Who comes back is known."""
        assert [1, 2, 3] == [visitor.visit().visits for _ in range(3)]

    def test_another_worker(self, visitor: Visitor) -> None:
        """It does not matter which process answers."""
        visits = [visitor.visit(worker).visits for worker in (0, 1, 1, 0, 1)]
        assert [1, 2, 3, 4, 5] == visits

    def test_login(self, visitor: Visitor, sessions: Sessions) -> None:
        """A login keeps what is in the session, and gives it a new id, which all workers know."""
        visitor.visit()
        old_id = visitor.session_id
        visitor.login(USER)
        assert old_id != visitor.session_id
        assert Page(visits=2, user=USER) == visitor.visit(1)
        assert Page(visits=3, user=USER) == visitor.visit(0)
        document = sessions.find_one({"_id": visitor.session_id})
        assert document is not None
        assert (3, USER) == (document["session"]["visits"], document["session"]["user"])

    def test_old_id_after_login(self, visitor: Visitor, new_visitor: NewVisitor) -> None:
        """The id from before a login does not open what came after it."""
        visitor.visit()
        thief = new_visitor(like=visitor)
        visitor.login(USER)
        for worker in (1, 0):
            assert thief.visit(worker).user is None

    def test_logout(self, visitor: Visitor, new_visitor: NewVisitor, sessions: Sessions) -> None:
        """A logout removes document and cookie, and the old cookie opens nothing."""
        visitor.visit()
        visitor.login(USER)
        visitor.visit()
        session_id = visitor.session_id
        thief = new_visitor(like=visitor)
        visitor.logout(1)
        assert visitor.cookie is None
        assert 0 == sessions.count_documents({"_id": session_id})
        assert Page(visits=1, user=None) == thief.visit(0)
        assert Page(visits=1, user=None) == visitor.visit(1)

    def test_links_do_nothing(self, visitor: Visitor) -> None:
        """Nobody is logged in or out by a link that somebody else put into a page."""
        visitor.visit()
        assert 400 <= visitor.open(f"/login?{urlencode({'user': USER})}") < 500
        assert visitor.visit().user is None
        visitor.login(USER)
        assert 400 <= visitor.open("/logout") < 500
        assert USER == visitor.visit().user

    @pytest.mark.parametrize("worker", [0, 1])
    def test_expired_session(self, visitor: Visitor, sessions: Sessions, worker: int) -> None:
        """Past its time, a session is gone, whether or not MongoDB has removed it."""
        visitor.visit()
        visitor.login(USER)
        visitor.visit()
        past = datetime.now(UTC) - timedelta(seconds=1)
        expired = sessions.update_one({"_id": visitor.session_id}, {"$set": {"expires": past}})
        assert 1 == expired.modified_count
        assert Page(visits=1, user=None) == visitor.visit(worker)

    def test_error_page(self, visitor: Visitor) -> None:
        """A page that fails ends nothing: the session goes on, under the same id."""
        visitor.visit()
        visitor.login(USER)
        visitor.visit()
        session_id = visitor.session_id
        for worker in (0, 1):
            assert 500 == visitor.open("/error", worker)
            assert session_id == visitor.session_id
        assert Page(visits=3, user=USER) == visitor.visit(1)

    def test_error_page_first(self, visitor: Visitor) -> None:
        """Whose first page fails begins with the second."""
        assert 500 == visitor.open("/error")
        assert Page(visits=1, user=None) == visitor.visit(1)

    def test_visitors_at_once(self, new_visitor: NewVisitor) -> None:
        """Visitors who come at the same time do not meet each other's sessions."""
        visitors = [new_visitor() for _ in range(_AT_ONCE)]

        def come(number: int) -> Page:
            visitor = visitors[number]
            visitor.visit(number % 2)
            visitor.login(f"visitor {number}", (number + 1) % 2)
            for worker in (0, 1, 0):
                page = visitor.visit(worker)
            return page

        expected = [Page(visits=4, user=f"visitor {number}") for number in range(_AT_ONCE)]
        assert expected == _at_once([partial(come, number) for number in range(_AT_ONCE)])

    def test_login_overlaps_visits(self, visitor: Visitor, new_visitor: NewVisitor) -> None:
        """Requests that overlap a login do not undo it, and do not bring the old id back."""
        visitor.visit()
        # Each tab has the cookie from before the login, and its own answers.
        tabs = [new_visitor(like=visitor) for _ in range(_AT_ONCE - 1)]
        late = new_visitor(like=visitor)
        _at_once(
            [partial(visitor.login, USER)]
            + [partial(tab.visit, number % 2) for number, tab in enumerate(tabs)]
        )
        assert [USER, USER] == [visitor.visit(worker).user for worker in (0, 1)]
        assert late.visit().user is None

    def test_logout_overlaps_visits(self, visitor: Visitor, new_visitor: NewVisitor) -> None:
        """Requests that overlap a logout do not bring the session back."""
        visitor.visit()
        visitor.login(USER)
        tabs = [new_visitor(like=visitor) for _ in range(_AT_ONCE - 1)]
        late = new_visitor(like=visitor)
        visitor.visit()
        _at_once(
            [partial(visitor.logout, 1)]
            + [partial(tab.visit, number % 2) for number, tab in enumerate(tabs)]
        )
        assert [None, None] == [late.visit(worker).user for worker in (0, 1)]

    def test_login_overtakes_a_visit(
        self, visitor: Visitor, new_visitor: NewVisitor, overtake: Overtake
    ) -> None:
        """A visit that is saved after a login in another process changes nothing about that."""
        visitor.visit()
        slow, late = new_visitor(like=visitor), new_visitor(like=visitor)
        overtake(partial(slow.visit, 1), partial(visitor.login, USER))
        assert [USER, USER] == [visitor.visit(worker).user for worker in (0, 1)]
        assert late.visit().user is None

    def test_logout_overtakes_a_visit(
        self,
        visitor: Visitor,
        new_visitor: NewVisitor,
        sessions: Sessions,
        overtake: Overtake,
    ) -> None:
        """A visit that is saved after a logout in another process does not bring it back."""
        visitor.visit()
        visitor.login(USER)
        visitor.visit()
        session_id = visitor.session_id
        slow, late = new_visitor(like=visitor), new_visitor(like=visitor)
        overtake(partial(slow.visit, 1), visitor.logout)
        assert 0 == sessions.count_documents({"_id": session_id})
        assert Page(visits=1, user=None) == late.visit()


class MongoSessionContract(ExampleContract):
    """What ``MongoSession`` promises beyond that."""

    def test_old_document_after_login(self, visitor: Visitor, sessions: Sessions) -> None:
        """A login leaves nothing stored under the id from before."""
        visitor.visit()
        old_id = visitor.session_id
        visitor.login(USER)
        assert 0 == sessions.count_documents({"_id": old_id})
        assert 1 == sessions.count_documents({"_id": visitor.session_id})

    def test_dead_id_is_not_adopted(self, visitor: Visitor, new_visitor: NewVisitor) -> None:
        """Who comes with an id that is not stored, or no longer, gets another one."""
        visitor.visit()
        thief = new_visitor(like=visitor)
        dead_id = visitor.session_id
        visitor.logout()
        assert Page(visits=1, user=None) == thief.visit(1)
        assert dead_id != thief.session_id


class LockedVisitsContract(MongoSessionContract):
    """What counting in ``with session.locked():`` promises beyond that."""

    def test_no_visit_is_lost(self, visitor: Visitor, new_visitor: NewVisitor) -> None:
        """Visits of one session that overlap, in all workers, are each counted."""
        visitor.visit()
        visitor.login(USER)
        tabs = [new_visitor(like=visitor) for _ in range(_AT_ONCE)]
        pages = _at_once([partial(tab.visit, number % 2) for number, tab in enumerate(tabs)])
        expected = [Page(visits, USER) for visits in range(2, 2 + _AT_ONCE)]
        assert expected == sorted(pages, key=lambda page: page.visits)
        assert Page(visits=2 + _AT_ONCE, user=USER) == visitor.visit()


def _held_back(client: Client) -> int:
    """Return how many commands a fail point has met."""
    answer = client.admin.command({"getParameter": 1, "failpoint.failCommand": 1})
    count: int = answer["failpoint.failCommand"]["timesEntered"]
    return count


def _at_once(requests: list[Callable[[], Any]]) -> list[Any]:
    """Make requests from as many threads, which begin together, and return their answers."""
    start = threading.Barrier(len(requests))

    def make(request: Callable[[], Any]) -> Any:
        start.wait()
        return request()

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(make, requests))
