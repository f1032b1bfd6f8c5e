"""The demonstration: its page, what it says of MongoDB, and the process that serves it."""

import html
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import bson
import pytest
from bson.int64 import Int64
from pymongo.database import Database
from webtest import TestApp, TestResponse

from beaker_mongo_soajs.testing import MongodNotFound, MongoServer, find_mongod
from examples.demo.app import DATABASE, ONLOOKER, SESSION_COOKIE, Demo
from examples.demo.notation import Line, inline, lines
from tests.conftest import Client, FailPoint
from tests.recorder import Commands
from tests.testing.support import alive
from tests.waiting import wait_until

_ROOT = Path(__file__).resolve().parent.parent
_LIFETIME = timedelta(minutes=10)


def _text(page: TestResponse | str) -> str:
    """Return what a reader of the page sees."""
    return html.unescape(re.sub(r"<[^>]+>", "", page if isinstance(page, str) else page.text))


class Visit:
    """A browser at the page."""

    def __init__(self, demo: Demo) -> None:
        """Open the page."""
        self.app = TestApp(demo)
        self.page = self.app.get("/")

    @property
    def session_id(self) -> str:
        """The whole id, which only the cookie holds."""
        session_id = self.app.cookies[SESSION_COOKIE]
        assert session_id is not None
        return session_id

    def submit(self, path: str, **fields: str) -> TestResponse:
        """Send a form of the page, and follow to the page that comes after it."""
        token = self.page.forms[0]["token"].value
        redirect = self.app.post(path, [("token", token), *fields.items()], status=303)
        self.page = redirect.follow()
        return self.page

    def marked(self) -> list[str]:
        """The lines of the document that are marked as changed."""
        marks = re.findall(r'<mark class="line[^>]*>(.*?)</mark>', self.page.text, re.DOTALL)
        return [_text(mark).strip() for mark in marks]

    def requests(self) -> list[tuple[str, list[str]]]:
        """The requests that the page tells of, with the names of their commands."""
        found = re.findall(r'<div class="request">(.*?)</div>', self.page.text, re.DOTALL)
        titles = [_text(re.findall(r"<h3>(.*?)<span>", part)[0]).strip() for part in found]
        names = [re.findall(r'class="what"><strong>(\w+)', part) for part in found]
        return list(zip(titles, names, strict=True))


@pytest.fixture
def demo(mongo_url: str, database_name: str) -> Iterator[Demo]:
    """Make the application, with the test's own database."""
    demo = Demo(mongo_url, database_name)
    yield demo
    demo.close()


@pytest.fixture
def visit(demo: Demo) -> Visit:
    """Open the page in a browser."""
    return Visit(demo)


def _stored(database: Database[dict[str, Any]], session_id: str) -> dict[str, Any]:
    document = database.sessions.find_one({"_id": session_id})
    assert document is not None
    return document


class TestVisitor:
    """What a visitor can do."""

    def test_visits_are_counted(self, visit: Visit, database: Database[dict[str, Any]]) -> None:
        """Each look at the page is one visit more, for this visitor alone."""
        visit.app.get("/")
        page = visit.app.get("/")
        assert "3 visits to this page" in " ".join(_text(page).split())
        assert 3 == _stored(database, visit.session_id)["session"]["visits"]

    def test_only_the_page_itself_is_a_visit(self, demo: Demo) -> None:
        """Neither a HEAD nor a file that belongs to the page starts a session."""
        app = TestApp(demo)
        app.head("/")
        app.get("/static/style.css")
        assert SESSION_COOKIE not in app.cookies

    def test_log_in(self, visit: Visit, database: Database[dict[str, Any]]) -> None:
        """A name logs in; the session goes on under a new id, and the old id is worth nothing."""
        visit.submit("/cart/add", product="flask")
        before = visit.session_id
        form = visit.page.forms[0]
        assert "/login" == form.action
        form["name"] = "ann"
        visit.page = form.submit().follow()
        assert before != visit.session_id
        assert database.sessions.find_one({"_id": before}) is None
        session = _stored(database, visit.session_id)["session"]
        assert "ann" == session["user"]
        assert 1 == session["cart"]["flask"]["quantity"]
        assert "Hello ann." in _text(visit.page)

    def test_a_name_is_needed_to_log_in(self, visit: Visit) -> None:
        """Blanks, and characters that nobody can see, are no name."""
        before = visit.session_id
        visit.submit("/login", name=" \u202e\x00 ")
        assert "A name is needed" in _text(visit.page)
        assert before == visit.session_id

    def test_log_out(self, visit: Visit, database: Database[dict[str, Any]]) -> None:
        """Logging out deletes the document; the next page belongs to a new session."""
        visit.submit("/login", name="ann")
        before = visit.session_id
        visit.submit("/logout")
        assert database.sessions.find_one({"_id": before}) is None
        assert before != visit.session_id
        assert "Your name" in _text(visit.page)
        assert "1 visit to this page" in " ".join(_text(visit.page).split())

    def test_cart(self, visit: Visit, database: Database[dict[str, Any]]) -> None:
        """Products are added and taken out one by one, or removed at once."""

        def quantities() -> dict[str, int]:
            cart = _stored(database, visit.session_id)["session"]["cart"]
            return {key: item["quantity"] for key, item in cart.items()}

        visit.submit("/cart/add", product="flask")
        visit.submit("/cart/add", product="flask")
        visit.submit("/cart/add", product="tubes")
        assert {"flask": 2, "tubes": 1} == quantities()
        assert "€ 19.30" in _text(visit.page)
        visit.submit("/cart/take", product="flask")
        assert {"flask": 1, "tubes": 1} == quantities()
        visit.submit("/cart/take", product="flask")
        assert {"tubes": 1} == quantities()
        visit.submit("/cart/drop", product="tubes")
        assert {} == quantities()
        assert "Nothing in it yet." in _text(visit.page)

    def test_a_session_goes_on_after_a_restart(
        self, visit: Visit, mongo_url: str, database_name: str
    ) -> None:
        """A cookie from before a restart of the demonstration still works."""
        visit.submit("/login", name="ann")
        restarted = Demo(mongo_url, database_name)
        page = TestApp(restarted, cookiejar=visit.app.cookiejar).get("/")
        restarted.close()
        assert "3 visits to this page" in " ".join(_text(page).split())
        assert "ann" in _text(page)


class TestForms:
    """Forms do what their visitor wants, and nothing else."""

    @pytest.mark.parametrize("path", ["/login", "/logout", "/cart/add", "/stringify"])
    def test_a_form_from_elsewhere_is_refused(
        self, demo: Demo, visit: Visit, database: Database[dict[str, Any]], path: str
    ) -> None:
        """Without this session's token nothing is done, with another session's neither."""
        before = _stored(database, visit.session_id)
        fields = {"name": "eve", "product": "flask", "stringify": "true"}
        visit.app.post(path, fields, status=403)
        other = Visit(demo).page.forms[0]["token"].value
        page = visit.app.post(path, [("token", other), *fields.items()], status=403)
        assert "Nothing was changed." in _text(page)
        assert before == _stored(database, visit.session_id)

    def test_a_form_of_the_session_before_the_login_is_refused(self, visit: Visit) -> None:
        """With its new id a session gets a new token."""
        token = visit.page.forms[0]["token"].value
        visit.submit("/login", name="ann")
        visit.app.post("/logout", {"token": token}, status=403)

    def test_an_unknown_product_is_refused(self, visit: Visit) -> None:
        """What is not in the shop cannot get into the cart."""
        token = visit.page.forms[0]["token"].value
        page = visit.app.post("/cart/add", {"token": token, "product": "gold"}, status=400)
        assert "There is no such product." in _text(page)

    def test_forms_are_posted(self, visit: Visit) -> None:
        """A link can change nothing."""
        for path in ("/login", "/logout", "/cart/add", "/cart/take", "/cart/drop", "/stringify"):
            visit.app.get(path, status=405)

    @pytest.mark.parametrize("charset", ["utf-16", "rubbish"])
    def test_only_utf_8_is_read(self, visit: Visit, charset: str) -> None:
        """A form in another encoding is refused, not guessed at."""
        content_type = f"application/x-www-form-urlencoded; charset={charset}"
        visit.app.post("/login", "name=ann", {"Content-Type": content_type}, status=400)

    def test_a_file_is_no_name(self, visit: Visit) -> None:
        """A file in the place of a text is taken for nothing."""
        token = visit.page.forms[0]["token"].value
        page = visit.app.post("/login", {"token": token}, upload_files=[("name", "n", b"ann")])
        assert "A name is needed" in _text(page.follow())

    def test_cookies_of_other_programs_do_no_harm(self, demo: Demo) -> None:
        """Cookies know no ports, so those of anything on this host arrive too."""
        environ = {"HTTP_COOKIE": "demo_visitor=\xc3; other=\xff"}
        TestApp(demo).get("/", extra_environ=environ)

    def test_unknown_pages(self, visit: Visit) -> None:
        """An unknown path is answered by a page that says so."""
        assert "There is no such page." in _text(visit.app.get("/nothing", status=404))


class TestDocument:
    """The document beside the shop."""

    def test_it_is_the_one_in_mongodb(
        self, visit: Visit, database: Database[dict[str, Any]]
    ) -> None:
        """What the page shows is what MongoDB holds when it is shown."""
        visit.submit("/login", name="ann")
        visit.submit("/cart/add", product="tubes")
        document = _stored(database, visit.session_id)
        shown = _text(visit.page)
        assert f"visits: {document['session']['visits']}" in shown
        assert "user: 'ann'" in shown
        assert f"_accessed_time: {document['session']['_accessed_time']!r}" in shown
        expires = document["expires"].isoformat(timespec="milliseconds")
        assert f"expires: ISODate('{expires}Z')" in shown

    def test_changes_are_marked(self, visit: Visit) -> None:
        """What differs from the page before is marked, and nothing is on the first page."""
        assert [] == visit.marked()
        visit.submit("/login", name="ann")
        visit.submit("/cart/add", product="tubes")
        visit.submit("/cart/add", product="tubes")
        names = [line.partition(":")[0] for line in visit.marked()]
        assert ["_accessed_time", "visits", "quantity", "expires"] == names

    def test_what_is_gone_marks_what_held_it(self, visit: Visit) -> None:
        """A value that is removed marks the object that it was in."""
        visit.submit("/cart/add", product="tubes")
        visit.submit("/cart/add", product="flask")
        visit.submit("/cart/drop", product="tubes")
        assert "cart: {" in visit.marked()

    def test_expiry_counts_down(self, visit: Visit, database: Database[dict[str, Any]]) -> None:
        """The page holds the seconds until the stored date, for the script to count down."""
        match = re.search(r'data-seconds="([\d.]+)" data-lifetime="600"', visit.page.text)
        assert match is not None
        shown = datetime.now(UTC) + timedelta(seconds=float(match[1]))
        expires = _stored(database, visit.session_id)["expires"].replace(tzinfo=UTC)
        assert abs(shown - expires) < timedelta(seconds=5)
        assert abs(expires - datetime.now(UTC) - _LIFETIME) < timedelta(seconds=5)

    def test_stringify_shows_the_same_session_as_text(
        self, visit: Visit, database: Database[dict[str, Any]]
    ) -> None:
        """The session is stored as JSON text and back, with everything that is in it."""
        visit.submit("/login", name="ann")
        visit.submit("/cart/add", product="flask")
        before = visit.session_id, _stored(database, visit.session_id)["session"]["cart"]
        visit.submit("/stringify", stringify="true")
        assert isinstance(_stored(database, visit.session_id)["session"], str)
        assert '"user":"ann"' in _text(visit.page)
        visit.submit("/login", name="bea")
        assert isinstance(_stored(database, visit.session_id)["session"], str)
        visit.submit("/stringify", stringify="false")
        session = _stored(database, visit.session_id)["session"]
        assert "bea" == session["user"]
        assert before[1] == session["cart"]

    def test_no_session_id_is_shown_in_full(self, visit: Visit) -> None:
        """Neither the document nor a command shows more than the first characters of an id."""
        pages, ids = [visit.page.text], {visit.session_id}
        for path, fields in (
            ("/login", {"name": "ann"}),
            ("/cart/add", {"product": "flask"}),
            ("/stringify", {"stringify": "true"}),
            ("/cart/add", {"product": "flask"}),
            ("/stringify", {"stringify": "false"}),
            ("/logout", {}),
        ):
            pages.append(visit.submit(path, **fields).text)
            ids.add(visit.session_id)
        assert 3 == len(ids)
        for page in pages:
            assert re.search(r"_id</span>: <span class=\"string\">&#x27;\w{8}…", page)
            assert [] == [session_id for session_id in ids if session_id[:9] in page]


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
        assert expected == [_text(block) for block in blocks]
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
        shown = re.findall(
            r"([\d,]+) µs ([\d,]+) B → [\d,]+ B", " ".join(_text(visit.page).split())
        )
        assert lengths == [int(sent.replace(",", "")) for _, sent in shown]
        assert all(int(microseconds.replace(",", "")) > 0 for microseconds, _ in shown)

    def test_each_visitor_sees_their_own_commands(self, demo: Demo) -> None:
        """However many visitors there are at a time, no page shows a command of another."""

        def stroll(_: int) -> None:
            visit = Visit(demo)
            for _ in range(5):
                visit.page = visit.app.get("/")
                assert [("GET /", ["find", "update"])] == visit.requests()
                ids = set(re.findall(r"_id: '(\w{8})…'", _text(visit.page)))
                assert {visit.session_id[:8]} == ids

        with ThreadPoolExecutor(6) as pool:
            assert [None] * 6 == list(pool.map(stroll, range(6)))

    @pytest.mark.filterwarnings("ignore:Invalidating corrupt session")
    def test_an_unavailable_database_is_told(self, visit: Visit, fail_point: FailPoint) -> None:
        """Without a database there is a page that says so, and the session goes on afterwards."""
        before = visit.session_id
        with fail_point("find", error_code=50):
            page = visit.app.get("/", status=503)
        assert "Service Unavailable" in _text(page)
        assert "2 visits" in " ".join(_text(visit.app.get("/")).split())
        assert before == visit.session_id

    def test_an_unreadable_document_is_told(self, visit: Visit, fail_point: FailPoint) -> None:
        """Where only the look at the document fails, the rest of the page is there."""
        with fail_point("find", error_code=50, app_name=ONLOOKER):
            page = visit.app.get("/")
        assert "The document cannot be read" in _text(page)
        assert "2 visits to this page" in " ".join(_text(page).split())


def _spread(document: dict[str, Any]) -> str:
    return "".join(f"{_plain(line)}\n" for line in lines(document, None))


def _plain(line: Line) -> str:
    return "".join(token.text for token in line.tokens)


class Checker(HTMLParser):
    """Reads a page and notes what is wrong with it."""

    _VOID = frozenset({"meta", "link", "input", "img", "br", "hr"})

    def __init__(self) -> None:
        """Read nothing yet."""
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"] or ""] if "id" in attributes else []
        for name in ("for", "aria-labelledby"):
            self.references += [attributes[name] or ""] if name in attributes else []
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that holds nothing."""
        self.handle_starttag(tag, attrs)
        if tag not in self._VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last."""
        assert tag == self.open.pop()


class TestPage:
    """The page as a document of its own."""

    @pytest.fixture
    def pages(self, visit: Visit) -> list[TestResponse]:
        """Make each kind of page."""
        return [
            visit.page,
            visit.submit("/login", name="ann"),
            visit.submit("/cart/add", product="flask"),
            visit.app.get("/nothing", status=404),
        ]

    def test_markup_is_in_order(self, pages: list[TestResponse]) -> None:
        """Tags are closed in order, ids are unique, and references lead to one."""
        for page in pages:
            checker = Checker()
            checker.feed(page.text)
            assert [] == checker.open
            assert len(set(checker.ids)) == len(checker.ids)
            assert set(checker.references) <= set(checker.ids)

    def test_nothing_is_inline_or_from_elsewhere(self, pages: list[TestResponse]) -> None:
        """Scripts and styles are files of the page's own, and the browser is told to insist."""
        for page in pages:
            policy = page.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none';")
            assert "unsafe" not in policy
            checker = Checker()
            checker.feed(page.text)
            for tag, attributes in checker.tags:
                assert tag != "style"
                assert tag != "script" or (attributes["src"] or "").startswith("/static/")
                assert [] == [name for name in attributes if name.startswith(("on", "style"))]
                for name in ("src", "href", "action", "formaction"):
                    assert (attributes.get(name) or "/").startswith("/")

    def test_files_that_the_page_refers_to_are_there(self, visit: Visit) -> None:
        """Style, script and icons are served, with the type that a browser insists on."""
        paths = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', visit.page.text))
        types = {path.rpartition(".")[2]: visit.app.get(path).content_type for path in paths}
        assert {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"} == types

    def test_every_control_has_a_name(self, pages: list[TestResponse]) -> None:
        """Fields have labels, and each button says which product it is about."""
        for page in pages:
            checker = Checker()
            checker.feed(page.text)
            for tag, attributes in checker.tags:
                if tag == "input" and attributes.get("type") != "hidden":
                    assert attributes["id"] in checker.references
            for product in ("Beaker", "Flask", "Test tubes", "Pipette"):
                if "Shop" in page.text:
                    assert f'aria-label="Add {product} to the cart"' in page.text

    def test_whatever_a_visitor_types_stays_text(self, visit: Visit) -> None:
        """A name that is HTML, or full of quotes, is shown as it was typed."""
        name = "\"'><script>alert(1)</script>&"
        visit.submit("/login", name=name)
        assert name in _text(visit.page)
        assert "<script>" not in visit.page.text
        visit.submit("/stringify", stringify="true")
        assert "<script>" not in visit.page.text
        checker = Checker()
        checker.feed(visit.page.text)
        assert 1 == [tag for tag, _ in checker.tags].count("script")

    def test_the_page_is_not_kept_by_caches(self, pages: list[TestResponse]) -> None:
        """A page of a session is for its visitor, once."""
        assert {"no-store"} == {page.headers["Cache-Control"] for page in pages}

    def test_cookies_are_out_of_reach_of_scripts_and_other_sites(self, demo: Demo) -> None:
        """Both cookies are HttpOnly and SameSite=Lax."""
        cookies = TestApp(demo).get("/").headers.getall("Set-Cookie")
        assert 2 == len(cookies)
        for cookie in cookies:
            assert {"httponly", "samesite=lax"} <= set(cookie.lower().split("; "))


class TestNotation:
    """BSON values as MongoDB's shell writes them."""

    @pytest.mark.parametrize(
        ("value", "shown", "bson_type"),
        [
            (None, "null", "null"),
            (True, "true", "bool"),
            (3, "3", "int"),
            (Int64(3), "3", "long"),
            (1.5, "1.5", "double"),
            ("it's \\ \n\u202e", r"'it\'s \\ \n\u202e'", "string"),
            (datetime(2026, 1, 2, 3, 4, 5, 6000), "ISODate('2026-01-02T03:04:05.006Z')", "date"),
            ({}, "{}", "object"),
            ([], "[]", "array"),
            (b"abc", "BinData(0, …)", "binData"),
        ],
    )
    def test_scalars(self, value: object, shown: str, bson_type: str) -> None:
        """Each value has its notation and the name of its type."""
        _, line, _ = lines({"value": value}, None)
        assert (f"value: {shown}", bson_type) == (_plain(line), line.type)

    def test_nesting(self) -> None:
        """Objects and arrays are spread over lines, and keys are quoted where they must be."""
        spread = [(line.depth, _plain(line)) for line in lines({"a.b": [1, {"c": 2}]}, None)]
        assert [
            (0, "{"),
            (1, "'a.b': ["),
            (2, "1,"),
            (2, "{"),
            (3, "c: 2"),
            (2, "}"),
            (1, "]"),
            (0, "}"),
        ] == spread

    def test_inline_is_short(self) -> None:
        """On one line, long texts end early, and what lies deep is left out."""
        value = {"$set": {"a": {"b": {"c": 1}}, "t": "x" * 30}}
        shown = "".join(token.text for token in inline(value))
        assert f"{{$set: {{a: {{b: {{…}}}}, t: '{'x' * 24}…'}}}}" == shown

    def test_a_value_of_another_type_has_changed(self) -> None:
        """True is not 1, though Python takes them for equal."""
        assert [line.changed for line in lines({"a": True}, {"a": 1})] == [False, True, False]


class Process:
    """``python -m examples.demo``, in a folder for temporary files of its own."""

    def __init__(self, folder: Path, **env: str) -> None:
        """Start it."""
        self.folder = folder
        inherited = {key: text for key, text in os.environ.items() if key != "MONGODB_URL"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "examples.demo"],
            cwd=_ROOT,
            env={**inherited, "PORT": "0", "TMPDIR": str(folder), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""

    def address(self) -> str:
        """Wait until it says where the page is."""
        assert self.process.stdout is not None
        while " ends it" not in self.said:
            line = self.process.stdout.readline()
            assert line, f"it ended: {self.process.communicate()[1]}"
            self.said += line
        match = re.search(r"http://127\.0\.0\.1:\d+/", self.said)
        assert match is not None
        return match[0]

    def mongod_pids(self) -> list[int]:
        """Return the servers that it runs, which note their ids beside their data."""
        locks = self.folder.rglob("mongod.lock")
        return [int(text) for lock in locks if (text := lock.read_text().strip())]

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Send a signal, and return the exit code and all that was said."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=30)
        return self.process.returncode, self.said + output, errors


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Lend a function that starts the demonstration as a process, ended with the test."""
    with ExitStack() as processes:

        def start(**env: str) -> Process:
            demo = Process(tmp_path, **env)
            processes.enter_context(demo.process)
            processes.callback(demo.process.kill)
            return demo

        yield start


@pytest.fixture
def _mongod() -> None:
    try:
        find_mongod()
    except MongodNotFound as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("_mongod")
class TestEmbeddedServer:
    """The demonstration with a MongoDB server of its own."""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_it_starts_serves_and_leaves_nothing(
        self, start_demo: Callable[..., Process], tmp_path: Path, number: int
    ) -> None:
        """It prints its address and serves; a signal ends it, its server, and its data."""
        demo = start_demo()
        with urlopen(demo.address()) as page:
            assert "1 visit to this page" in " ".join(_text(page.read().decode()).split())
        (mongod,) = demo.mongod_pids()
        assert alive(mongod)
        code, output, errors = demo.end(number)
        assert (0, "") == (code, errors)
        assert "The demo has ended." in output
        assert not alive(mongod)
        assert [] == list(tmp_path.iterdir())

    def test_it_can_be_ended_while_it_starts(
        self, start_demo: Callable[..., Process], tmp_path: Path
    ) -> None:
        """Ctrl-C before the server is ready ends it just as well."""
        demo = start_demo()
        wait_until(lambda: any(tmp_path.rglob("mongod.log")), 30)
        code, _, errors = demo.end()
        assert (0, "") == (code, errors)
        assert [] == list(tmp_path.iterdir())


class TestGivenServer:
    """The demonstration with a MongoDB server that is already there."""

    @pytest.fixture(autouse=True)
    def _tidy(self, mongo_client: Client) -> Iterator[None]:
        yield
        mongo_client.drop_database(DATABASE)

    def test_it_uses_the_server_and_leaves_it_running(
        self,
        start_demo: Callable[..., Process],
        mongo_client: Client,
        mongo_url: str,
        tmp_path: Path,
    ) -> None:
        """Sessions are in its own database there, and stay; no server is started or stopped."""
        demo = start_demo(MONGODB_URL=mongo_url)
        with urlopen(demo.address()) as page:
            assert 200 == page.status
        assert [] == list(tmp_path.iterdir())
        code, output, errors = demo.end()
        assert (0, "") == (code, errors)
        assert f"{DATABASE}.sessions" in output
        assert 1 == mongo_client[DATABASE].sessions.count_documents({})

    def test_the_next_free_port_is_taken(
        self, start_demo: Callable[..., Process], mongo_url: str
    ) -> None:
        """Where somebody listens on the port already, a later one is printed and used."""
        with socket.create_server(("127.0.0.1", 0)) as occupied:
            port = occupied.getsockname()[1]
            demo = start_demo(MONGODB_URL=mongo_url, PORT=str(port))
            address = demo.address()
            found = int(address.rstrip("/").rpartition(":")[2])
            assert port < found <= port + 50
            with urlopen(address) as page:
                assert 200 == page.status

    def test_no_password_is_printed_or_shown(
        self, start_demo: Callable[..., Process], mongo_server: MongoServer
    ) -> None:
        """Of a URL with a password only the servers are shown, even when it is refused."""
        password = secrets.token_hex(8)
        url = f"mongodb://ann:{password}@127.0.0.1:{mongo_server.port}/"
        output, errors = start_demo(MONGODB_URL=url).process.communicate(timeout=30)
        assert "MONGODB_URL" in errors
        assert password not in output + errors


class TestMistakes:
    """What is set wrong ends the demonstration with one sentence."""

    @pytest.mark.parametrize(
        ("env", "sentence"),
        [
            ({"PORT": "http"}, "PORT is 'http': it must be a number from 0 to 65535."),
            ({"PORT": "65536"}, "PORT is '65536': it must be a number from 0 to 65535."),
            ({"MONGODB_URL": "mongodb://127.0.0.1:1/"}, "MongoDB does not answer: check MONGODB"),
            ({"MONGODB_URL": "http://127.0.0.1/"}, "url"),
            ({"MONGOD": "nowhere"}, "MONGOD names nowhere"),
        ],
    )
    def test_one_sentence(
        self, start_demo: Callable[..., Process], env: dict[str, str], sentence: str
    ) -> None:
        """It names the variable and the remedy, without a traceback."""
        demo = start_demo(**env)
        output, errors = demo.process.communicate(timeout=30)
        assert 1 == demo.process.returncode
        assert "" == output
        assert sentence in errors
        assert 1 == errors.count("\n")
