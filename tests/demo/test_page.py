"""The HTML of the page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from webtest import TestApp, TestResponse

from examples.demo.app import Demo
from examples.demo.panels import PANELS
from tests.demo.support import Visit, text_of


class Checker(HTMLParser):
    """Reads a page and records its faults."""

    _VOID = frozenset({"meta", "link", "input", "img", "br", "hr"})

    def __init__(self) -> None:
        """Start without a page."""
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag."""
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"] or ""] if "id" in attributes else []
        for name in ("for", "aria-labelledby"):
            self.references += [attributes[name] or ""] if name in attributes else []
        target = attributes.get("href") or ""
        self.references += [target[1:]] if tag == "a" and target.startswith("#") else []
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an empty tag."""
        self.handle_starttag(tag, attrs)
        if tag not in self._VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close the last open tag."""
        assert tag == self.open.pop()


class TestPage:
    """The HTML of the page."""

    @pytest.fixture
    def pages(self, visit: Visit) -> list[TestResponse]:
        """Make each kind of page."""
        return [
            *(visit.app.get(f"/{name}") for name in PANELS),
            visit.submit("/login", name="ann"),
            visit.submit("/cart/add", product="flask"),
            visit.app.get("/nothing", status=404),
        ]

    def test_markup_is_in_order(self, pages: list[TestResponse]) -> None:
        """Tags are closed in order, ids are unique, and references have a target."""
        for page in pages:
            checker = Checker()
            checker.feed(page.text)
            assert [] == checker.open
            assert len(set(checker.ids)) == len(checker.ids)
            assert set(checker.references) <= set(checker.ids)

    def test_nothing_is_inline_or_from_elsewhere(self, pages: list[TestResponse]) -> None:
        """Scripts and styles are files of this site, and a header enforces it."""
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
                    assert (attributes.get(name) or "/").startswith(("/", "#"))

    def test_files_that_the_page_refers_to_are_there(self, visit: Visit) -> None:
        """Style, script and icons are served with the content type that browsers require."""
        paths = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', visit.page.text))
        types = {path.rpartition(".")[2]: visit.app.get(path).content_type for path in paths}
        assert {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"} == types

    def test_every_control_has_a_name(self, pages: list[TestResponse]) -> None:
        """Fields have labels, and each button names its product."""
        for page in pages:
            checker = Checker()
            checker.feed(page.text)
            for tag, attributes in checker.tags:
                if tag == "input" and attributes.get("type") != "hidden":
                    assert attributes["id"] in checker.references
            for product in ("Beaker", "Flask", "Test tubes", "Pipette"):
                if "Your cart" in page.text:
                    assert f'aria-label="Add {product} to the cart"' in page.text

    def test_whatever_a_visitor_types_stays_text(self, visit: Visit) -> None:
        """A name with HTML or quotes is shown as it was typed."""
        name = "\"'><script>alert(1)</script>&"
        visit.submit("/login", name=name)
        assert name[:40] in text_of(visit.page)
        assert "<script>" not in visit.page.text
        visit.submit("/form", stringify="true")
        assert "<script>" not in visit.page.text
        checker = Checker()
        checker.feed(visit.page.text)
        assert 1 == [tag for tag, _ in checker.tags].count("script")

    def test_the_page_is_not_kept_by_caches(self, pages: list[TestResponse]) -> None:
        """Pages of a session are not stored by caches."""
        assert {"no-store"} == {page.headers["Cache-Control"] for page in pages}

    def test_cookies_are_out_of_reach_of_scripts_and_other_sites(self, demo: Demo) -> None:
        """Both cookies are HttpOnly and SameSite=Lax."""
        cookies = TestApp(demo).get("/").headers.getall("Set-Cookie")
        assert 2 == len(cookies)
        for cookie in cookies:
            assert {"httponly", "samesite=lax"} <= set(cookie.lower().split("; "))
