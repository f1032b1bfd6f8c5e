"""The promises of sessions in each framework, over HTTP and across two worker processes.

An example serves

- ``GET /``: counts a visit in the session. As JSON, it returns ``{"visits": 2, "user": "ann"}``, in
  which ``user`` is ``null`` without a login, and ``csrf_token`` if forms need a token.
- ``POST /login`` with the field ``user``: gives the session a new id.
- ``POST /logout``: deletes the session. GET requests neither log in nor out.
- ``GET /error``: fails.

Its sessions are in the database ``examples`` of the server at ``MONGODB_URL``.
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
from tests.frameworks.visitor import COOKIE, Page, Visitor
from tests.frameworks.workers import run_workers
from tests.waiting import wait_until

USER = "Zoë"
_AT_ONCE = 8
_SLOW_MS = 400

Sessions = Collection[dict[str, Any]]
NewVisitor = Callable[..., Visitor]
Overtake = Callable[[Callable[[], int], Callable[[], object]], int]


class ExampleContract:
    """The promises of ``session.type`` alone. A subclass names its example."""

    application: ClassVar[str]
    """The WSGI application, as ``module:name``."""
    token_field: ClassVar[str] = "csrf_token"
    """The name of the token field in the framework's forms."""
    cookie_name: ClassVar[str] = COOKIE
    """The name of the session cookie."""
    ended_status: ClassVar[int] = 200
    """The status of a visit whose session another request ended, or gave a new id, meanwhile."""

    @classmethod
    def command(cls) -> list[str]:
        """Return the command that serves the example on a free port and prints the port."""
        return [sys.executable, "-m", "waitress", "--listen=127.0.0.1:0", cls.application]

    @pytest.fixture(scope="class")
    @classmethod
    def workers(
        cls, mongo_url: str, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[list[str]]:
        """Run two worker processes, and yield their addresses."""
        folder = tmp_path_factory.mktemp("workers")
        with run_workers(cls.command(), {"MONGODB_URL": mongo_url}, folder) as addresses:
            yield addresses

    @pytest.fixture
    def sessions(self, mongo_client: Client) -> Sessions:
        """Return the collection of the example, which may contain other sessions."""
        return mongo_client["examples"].sessions

    @pytest.fixture
    def new_visitor(self, workers: list[str], sessions: Sessions) -> Iterator[NewVisitor]:
        """Return a function that makes a visitor, optionally with the cookies of another one."""
        visitors: list[Visitor] = []

        def make(like: Visitor | None = None) -> Visitor:
            visitor = Visitor(workers, self.token_field, self.cookie_name)
            if like is not None:
                visitor.copy_cookies(like)
            visitors.append(visitor)
            return visitor

        yield make
        seen = set[str]().union(*(visitor.session_ids for visitor in visitors))
        sessions.delete_many({"_id": {"$in": list(seen)}})

    @pytest.fixture
    def visitor(self, new_visitor: NewVisitor) -> Visitor:
        """Return a new visitor."""
        return new_visitor()

    @pytest.fixture
    def overtake(self, fail_point: FailPoint, mongo_client: Client) -> Overtake:
        """Return a function that makes a request while another request saves slowly.

        It returns the status of the slow request.

        The slow request has to be a later visit: it saves with an update, which the server holds
        back. Other requests insert, delete, or find and modify.
        """

        def make(slow: Callable[[], int], quick: Callable[[], object]) -> int:
            with fail_point("update", block_ms=_SLOW_MS, times=1), ThreadPoolExecutor(1) as thread:
                before = _held_back(mongo_client)
                answer = thread.submit(slow)
                wait_until(lambda: answer.done() or _held_back(mongo_client) > before)
                assert not answer.done()
                quick()
                return answer.result()

        return make

    def test_new_visitor(self, visitor: Visitor, sessions: Sessions) -> None:
        """A first visit creates one document, and a cookie with its id."""
        assert Page(visits=1, user=None) == visitor.visit()
        document = sessions.find_one({"_id": visitor.session_id})
        assert document is not None
        assert 1 == document["session"]["visits"]

    def test_cookie(self, visitor: Visitor) -> None:
        """The cookie is valid for the whole site, and scripts cannot read it."""
        visitor.visit()
        cookie = visitor.cookie
        assert cookie is not None
        assert "/" == cookie.path
        assert cookie.has_nonstandard_attr("HttpOnly")

    def test_second_visit(self, visitor: Visitor) -> None:
        """A second visit finds the session."""
        assert [1, 2, 3] == [visitor.visit().visits for _ in range(3)]

    def test_another_worker(self, visitor: Visitor) -> None:
        """Another worker process finds the session."""
        visits = [visitor.visit(worker).visits for worker in (0, 1, 1, 0, 1)]
        assert [1, 2, 3, 4, 5] == visits

    def test_login(self, visitor: Visitor, sessions: Sessions) -> None:
        """A login keeps the data and gives the session a new id, in all workers."""
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
        """The id from before a login does not open the session after it."""
        visitor.visit()
        thief = new_visitor(like=visitor)
        visitor.login(USER)
        for worker in (1, 0):
            assert thief.visit(worker).user is None

    def test_logout(self, visitor: Visitor, new_visitor: NewVisitor, sessions: Sessions) -> None:
        """A logout removes document and cookie, and the old cookie opens no session."""
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
        """A link neither logs in nor out."""
        visitor.visit()
        assert 400 <= visitor.open(f"/login?{urlencode({'user': USER})}") < 500
        assert visitor.visit().user is None
        visitor.login(USER)
        assert 400 <= visitor.open("/logout") < 500
        assert USER == visitor.visit().user

    @pytest.mark.parametrize("worker", [0, 1])
    def test_expired_session(self, visitor: Visitor, sessions: Sessions, worker: int) -> None:
        """An expired session is not loaded, whether or not MongoDB has removed it."""
        visitor.visit()
        visitor.login(USER)
        visitor.visit()
        past = datetime.now(UTC) - timedelta(seconds=1)
        expired = sessions.update_one({"_id": visitor.session_id}, {"$set": {"expires": past}})
        assert 1 == expired.modified_count
        assert Page(visits=1, user=None) == visitor.visit(worker)

    def test_error_page(self, visitor: Visitor) -> None:
        """After a page that fails, the session continues under the same id."""
        visitor.visit()
        visitor.login(USER)
        visitor.visit()
        session_id = visitor.session_id
        for worker in (0, 1):
            assert 500 == visitor.open("/error", worker)
            assert session_id == visitor.session_id
        assert Page(visits=3, user=USER) == visitor.visit(1)

    def test_error_page_first(self, visitor: Visitor) -> None:
        """If the first page fails, the second page creates the session."""
        assert 500 == visitor.open("/error")
        assert Page(visits=1, user=None) == visitor.visit(1)

    def test_concurrent_visitors(self, new_visitor: NewVisitor) -> None:
        """Visitors at the same time get separate sessions."""
        visitors = [new_visitor() for _ in range(_AT_ONCE)]

        def log_in_and_visit(number: int) -> Page:
            visitor = visitors[number]
            visitor.visit(number % 2)
            visitor.login(f"visitor {number}", (number + 1) % 2)
            for worker in (0, 1, 0):
                page = visitor.visit(worker)
            return page

        expected = [Page(visits=4, user=f"visitor {number}") for number in range(_AT_ONCE)]
        assert expected == _at_once(
            [partial(log_in_and_visit, number) for number in range(_AT_ONCE)]
        )

    def test_login_overlaps_visits(self, visitor: Visitor, new_visitor: NewVisitor) -> None:
        """Requests that overlap a login do not undo it, and do not restore the old id."""
        visitor.visit()
        # Each tab has the cookie from before the login, and receives its own responses.
        tabs = [new_visitor(like=visitor) for _ in range(_AT_ONCE - 1)]
        late = new_visitor(like=visitor)
        _, *statuses = _at_once(
            [partial(visitor.login, USER)]
            + [partial(tab.open, "/", number % 2) for number, tab in enumerate(tabs)]
        )
        assert {200, self.ended_status}.issuperset(statuses)
        assert [USER, USER] == [visitor.visit(worker).user for worker in (0, 1)]
        assert late.visit().user is None

    def test_logout_overlaps_visits(self, visitor: Visitor, new_visitor: NewVisitor) -> None:
        """Requests that overlap a logout do not restore the session."""
        visitor.visit()
        visitor.login(USER)
        tabs = [new_visitor(like=visitor) for _ in range(_AT_ONCE - 1)]
        late = new_visitor(like=visitor)
        visitor.visit()
        _, *statuses = _at_once(
            [partial(visitor.logout, 1)]
            + [partial(tab.open, "/", number % 2) for number, tab in enumerate(tabs)]
        )
        assert {200, self.ended_status}.issuperset(statuses)
        assert [None, None] == [late.visit(worker).user for worker in (0, 1)]

    def test_login_overtakes_a_visit(
        self, visitor: Visitor, new_visitor: NewVisitor, overtake: Overtake
    ) -> None:
        """A save after a login in another process does not undo the login."""
        visitor.visit()
        slow, late = new_visitor(like=visitor), new_visitor(like=visitor)
        assert self.ended_status == overtake(
            partial(slow.open, "/", 1), partial(visitor.login, USER)
        )
        assert [USER, USER] == [visitor.visit(worker).user for worker in (0, 1)]
        assert late.visit().user is None

    def test_logout_overtakes_a_visit(
        self,
        visitor: Visitor,
        new_visitor: NewVisitor,
        sessions: Sessions,
        overtake: Overtake,
    ) -> None:
        """A save after a logout in another process does not restore the session."""
        visitor.visit()
        visitor.login(USER)
        visitor.visit()
        session_id = visitor.session_id
        slow, late = new_visitor(like=visitor), new_visitor(like=visitor)
        assert self.ended_status == overtake(partial(slow.open, "/", 1), visitor.logout)
        assert 0 == sessions.count_documents({"_id": session_id})
        assert Page(visits=1, user=None) == late.visit()


class MongoSessionContract(ExampleContract):
    """The further promises of ``MongoSession``."""

    def test_old_document_after_login(self, visitor: Visitor, sessions: Sessions) -> None:
        """A login removes the session of the old id."""
        visitor.visit()
        old_id = visitor.session_id
        visitor.login(USER)
        # The TTL index removes what is left: where the session moved to.
        assert 0 == sessions.count_documents({"_id": old_id, "session": {"$exists": True}})
        assert 1 == sessions.count_documents({"_id": visitor.session_id})

    def test_unknown_id_is_not_adopted(self, visitor: Visitor, new_visitor: NewVisitor) -> None:
        """An id that is not stored, or not any more, is replaced by another one."""
        visitor.visit()
        thief = new_visitor(like=visitor)
        dead_id = visitor.session_id
        visitor.logout()
        assert Page(visits=1, user=None) == thief.visit(1)
        assert dead_id != thief.session_id


class LockedVisitsContract(MongoSessionContract):
    """The further promise of counting in ``with session.locked():``."""

    def test_no_visit_is_lost(self, visitor: Visitor, new_visitor: NewVisitor) -> None:
        """Overlapping visits of one session, in all workers, are all counted."""
        visitor.visit()
        visitor.login(USER)
        tabs = [new_visitor(like=visitor) for _ in range(_AT_ONCE)]
        pages = _at_once([partial(tab.visit, number % 2) for number, tab in enumerate(tabs)])
        expected = [Page(visits, USER) for visits in range(2, 2 + _AT_ONCE)]
        assert expected == sorted(pages, key=lambda page: page.visits)
        assert Page(visits=2 + _AT_ONCE, user=USER) == visitor.visit()


def _held_back(client: Client) -> int:
    """Return how many commands a fail point has held back."""
    answer = client.admin.command({"getParameter": 1, "failpoint.failCommand": 1})
    count: int = answer["failpoint.failCommand"]["timesEntered"]
    return count


def _at_once(requests: list[Callable[[], Any]]) -> list[Any]:
    """Make requests at once, in threads, and return their results."""
    start = threading.Barrier(len(requests))

    def make(request: Callable[[], Any]) -> Any:
        start.wait()
        return request()

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(make, requests))
