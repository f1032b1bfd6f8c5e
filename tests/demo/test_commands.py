"""The commands that the page tells of."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bson
import pytest

from examples.demo.app import ONLOOKER, Demo
from examples.demo.notation import lines
from tests.conftest import FailPoint
from tests.demo.support import Visit, plain, text_of
from tests.recorder import Commands


class TestCost:
    """The commands that the page tells of."""

    def test_the_commands_shown_are_those_sent(self, demo: Demo, commands: Commands) -> None:
        """Each command of each request is shown in full, in order, and no other."""
        visit = Visit(demo)
        commands.clear()
        visit.submit("/cart/add", product="flask")
        *sent, look = commands.started
        # The page itself looks at the document from outside, and leaves that out.
        assert "find" == look.command_name
        blocks = re.findall(
            r'<pre class="code" role="group" aria-label="The whole command">(.*?)</pre>',
            visit.page.text,
            re.DOTALL,
        )
        expected = [_spread(bson.decode(bson.encode(event.command))) for event in sent]
        assert expected == [text_of(block) for block in blocks]
        names = [event.command_name for event in sent]
        assert [("POST /cart/add", names[:2]), ("GET /", names[2:])] == visit.requests()

    def test_a_request_costs_two_commands(self, visit: Visit) -> None:
        """A visit is a find and an update."""
        visit.page = visit.app.get("/")
        assert [("GET /", ["find", "update"])] == visit.requests()

    def test_time_and_size_are_shown(self, demo: Demo, commands: Commands) -> None:
        """Beside each command stand its microseconds and its length in bytes."""
        visit = Visit(demo)
        commands.clear()
        visit.page = visit.app.get("/")
        lengths = [len(bson.encode(event.command)) for event in commands.started[:-1]]
        shown = re.findall(r"([\d,]+) µs ([\d,]+) B → [\d,]+ B", text_of(visit.page))
        assert lengths == [int(sent.replace(",", "")) for _, sent in shown]
        assert all(int(microseconds.replace(",", "")) > 0 for microseconds, _ in shown)

    def test_each_visitor_sees_their_own_commands(self, demo: Demo) -> None:
        """However many visitors there are at a time, no page shows a command of another."""

        def stroll(_: int) -> None:
            visit = Visit(demo)
            for _ in range(5):
                visit.page = visit.app.get("/")
                assert [("GET /", ["find", "update"])] == visit.requests()
                ids = set(re.findall(r"_id: '(\w{8})…'", text_of(visit.page)))
                assert {visit.session_id[:8]} == ids

        with ThreadPoolExecutor(6) as pool:
            assert [None] * 6 == list(pool.map(stroll, range(6)))

    @pytest.mark.filterwarnings("ignore:Invalidating corrupt session")
    def test_an_unavailable_database_is_told(self, visit: Visit, fail_point: FailPoint) -> None:
        """Without a database there is a page that says so, and the session goes on afterwards."""
        before = visit.session_id
        with fail_point("find", error_code=50):
            page = visit.app.get("/", status=503)
        assert "Service Unavailable" in text_of(page)
        assert "2 visits" in text_of(visit.app.get("/"))
        assert before == visit.session_id

    def test_an_unreadable_document_is_told(self, visit: Visit, fail_point: FailPoint) -> None:
        """Where only the look at the document fails, the rest of the page is there."""
        with fail_point("find", error_code=50, app_name=ONLOOKER):
            page = visit.app.get("/")
        assert "The document cannot be read" in text_of(page)
        assert "2 visits to this page" in text_of(page)


def _spread(document: dict[str, Any]) -> str:
    return " ".join(plain(line) for line in lines(document, None))
