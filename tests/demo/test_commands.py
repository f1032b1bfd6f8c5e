"""The commands listed on the page."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bson

from examples.demo.app import Demo
from examples.demo.notation import lines
from examples.demo.observer import OBSERVER
from tests.conftest import FailPoint
from tests.demo.support import Visit, plain, text_of
from tests.recorder import Commands


class TestCost:
    """The commands listed on the page."""

    def test_the_commands_shown_are_those_sent(self, demo: Demo, commands: Commands) -> None:
        """The page shows exactly the commands of each request, in full and in order."""
        visit = Visit(demo)
        commands.clear()
        visit.submit("/cart/add", product="flask")
        *sent, look = commands.started
        # The page reads the document with a client of its own, which is not listed.
        assert "find" == look.command_name
        blocks = re.findall(
            r'<pre class="code" role="group" aria-label="The whole command">(.*?)</pre>',
            visit.page.text,
            re.DOTALL,
        )
        expected = [_as_shown(bson.decode(bson.encode(event.command))) for event in sent]
        assert expected == [text_of(block) for block in blocks]
        names = [event.command_name for event in sent]
        count = len(names) - 1
        assert [("POST /cart/add", names[:count]), ("GET /shop", names[count:])] == visit.requests()

    def test_a_request_costs_two_commands(self, visit: Visit) -> None:
        """A visit costs a find and an update."""
        visit.page = visit.app.get("/shop")
        assert [("GET /shop", ["find", "update"])] == visit.requests()

    def test_time_and_size_are_shown(self, demo: Demo, commands: Commands) -> None:
        """Each command has its duration in microseconds and its size in bytes."""
        visit = Visit(demo)
        commands.clear()
        visit.page = visit.app.get("/shop")
        lengths = [len(bson.encode(event.command)) for event in commands.started[:-1]]
        shown = re.findall(r"([\d,]+) µs ([\d,]+) B → [\d,]+ B", text_of(visit.page))
        assert lengths == [int(sent.replace(",", "")) for _, sent in shown]
        assert all(int(microseconds.replace(",", "")) > 0 for microseconds, _ in shown)

    def test_each_visitor_sees_their_own_commands(self, demo: Demo) -> None:
        """With many visitors at a time, no page shows another visitor's command."""

        def browse(_: int) -> None:
            visit = Visit(demo)
            for _ in range(5):
                visit.page = visit.app.get("/shop")
                assert [("GET /shop", ["find", "update"])] == visit.requests()
                ids = set(re.findall(r"_id: '([\w-]{8})…'", text_of(visit.page)))
                assert {visit.session_id[:8]} == ids

        with ThreadPoolExecutor(6) as pool:
            assert [None] * 6 == list(pool.map(browse, range(6)))

    def test_an_unavailable_database(self, visit: Visit, fail_point: FailPoint) -> None:
        """If the database is unavailable, a page says so, and the session continues afterwards."""
        before = visit.session_id
        with fail_point("find", error_code=50):
            page = visit.app.get("/shop", status=503)
        assert "The database is not answering. Your session is safe." in text_of(page)
        assert "demo_session" not in str(page.headers.getall("Set-Cookie"))
        assert "2 visits" in text_of(visit.app.get("/shop"))
        assert before == visit.session_id

    def test_an_unreadable_document(self, visit: Visit, fail_point: FailPoint) -> None:
        """If only the display of the document fails, the rest of the page is shown."""
        with fail_point("find", error_code=50, app_name=OBSERVER):
            page = visit.app.get("/shop")
        assert "The document cannot be read" in text_of(page)
        assert "2 visits to this page" in text_of(page)


def _as_shown(document: dict[str, Any]) -> str:
    return " ".join(plain(line) for line in lines(document, None))
