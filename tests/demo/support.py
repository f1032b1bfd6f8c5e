"""A browser with the demo, and the text of its page."""

from __future__ import annotations

import html
import re
from typing import Any

from pymongo.database import Database
from webtest import TestApp, TestResponse

from examples.demo.app import Demo
from examples.demo.notation import Line
from examples.demo.shops import SESSION_COOKIE


def text_of(page: TestResponse | str) -> str:
    """Return the visible text of a page, with single spaces between the words."""
    source = page if isinstance(page, str) else page.text
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", source)).split())


_SIGNATURE_LENGTH = 40


class Visit:
    """A browser at the shop of the demo."""

    def __init__(self, demo: Demo) -> None:
        """Open the page."""
        self.app = TestApp(demo)
        self.page = self.app.get("/shop")

    @property
    def session_id(self) -> str:
        """The full session id, which only the cookie contains."""
        cookie = self.app.cookies[SESSION_COOKIE]
        assert cookie is not None
        return cookie[_SIGNATURE_LENGTH:]

    def fields(self) -> dict[str, Any]:
        """The hidden fields of the forms."""
        form = self.page.forms[0]
        return {"token": form["token"].value, "panel": "shop"}

    def submit(self, path: str, **fields: str) -> TestResponse:
        """Send a form of the page, and follow the redirect."""
        redirect = self.app.post(path, [*self.fields().items(), *fields.items()], status=303)
        self.page = redirect.follow()
        return self.page

    def marked(self) -> list[str]:
        """The lines of the document that are marked as changed."""
        marks = re.findall(r'<mark class="line[^>]*>(.*?)</mark>', self.page.text, re.DOTALL)
        return [text_of(mark) for mark in marks]

    def requests(self) -> list[tuple[str, list[str]]]:
        """The requests listed on the page, with the names of their commands."""
        found = re.findall(r'<div class="request">(.*?)</div>', self.page.text, re.DOTALL)
        titles = [text_of(re.findall(r"<h3>(.*?)<span>", part)[0]) for part in found]
        names = [re.findall(r'class="what"><strong>(\w+)', part) for part in found]
        return list(zip(titles, names, strict=True))


def is_live(database: Database[dict[str, Any]], session_id: str) -> bool:
    """Tell whether a session can be loaded; a document that points to a new id cannot."""
    query = {"_id": session_id, "moved_to": {"$exists": False}}
    return database.sessions.find_one(query) is not None


def stored(database: Database[dict[str, Any]], session_id: str) -> dict[str, Any]:
    """Return the document of a session, which has to exist."""
    document = database.sessions.find_one({"_id": session_id})
    assert document is not None
    return document


def plain(line: Line) -> str:
    """Return a line of a document without its colors."""
    return "".join(token.text for token in line.tokens)
