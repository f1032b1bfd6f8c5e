"""A visitor with a browser profile: cookies and tabs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response
from pymongo.collection import Collection

WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}

# The id itself; a signed cookie has the signature before it.
_ID_LENGTH = 32


class StoredCookie(TypedDict, total=False):
    """A cookie in the browser; ``expires`` is -1 if it ends with the browser."""

    name: str
    value: str
    domain: str
    path: str
    expires: float
    httpOnly: bool
    secure: bool
    sameSite: str


@dataclass(frozen=True)
class Site:
    """A site to visit.

    :param address: its URL.
    :param cookie: the name of its session cookie.
    :param sessions: the collection of its sessions, which may contain other sessions.
    """

    address: str
    cookie: str
    sessions: Collection[dict[str, Any]]


class Visitor:
    """A visitor with a browser profile of their own.

    :param browser: the browser.
    :param site: the site.
    :param settings: more arguments for Playwright's ``Browser.new_context``.
    """

    def __init__(self, browser: Browser, site: Site, **settings: Any) -> None:
        self._site = site
        self._session_ids: set[str] = set()
        defaults: dict[str, Any] = {"viewport": WIDE, "reduced_motion": "reduce"}
        self._context: BrowserContext = browser.new_context(
            base_url=site.address, **(defaults | settings)
        )
        self.problems: list[str] = []
        self._context.on("weberror", lambda error: self.problems.append(str(error.error)))
        self._context.on("console", self._note_message)
        self._context.on("response", self._note_response)

    def open(self, path: str = "/") -> Page:
        """Open a page in a new tab."""
        tab = self._context.new_page()
        tab.goto(path)
        self._note_session()
        return tab

    def cookies(self, name: str | None = None) -> list[StoredCookie]:
        """Return the cookies of a name in the browser's store, whatever their paths.

        :param name: the name; by default, that of the session cookie.
        """
        stored: list[Any] = self._context.cookies()
        return [cookie for cookie in stored if cookie["name"] == (name or self._site.cookie)]

    @property
    def session_id(self) -> str:
        """The session id in the browser's cookie, which has to exist once."""
        (cookie,) = self.cookies()
        return cookie["value"][-_ID_LENGTH:]

    def stored(self) -> dict[str, Any] | None:
        """Return the document of the session, if there is one."""
        return self._site.sessions.find_one({"_id": self.session_id})

    def expire(self) -> None:
        """Make the session expire; its document stays in MongoDB."""
        self._note_session()
        past = datetime.now(UTC) - timedelta(seconds=1)
        change = {"$set": {"expires": past}}
        expired = self._site.sessions.update_one({"_id": self.session_id}, change)
        assert expired.modified_count == 1

    def finish(self, screenshots: str) -> None:
        """Save a screenshot of each tab, close the tabs, and remove the sessions.

        :param screenshots: the path of the pictures, without number and suffix.
        """
        for number, tab in enumerate(self._context.pages, 1):
            tab.screenshot(path=f"{screenshots}-{number}.png", full_page=True)
        self._note_session()
        self._context.close()
        self._site.sessions.delete_many({"_id": {"$in": list(self._session_ids)}})

    def _note_session(self) -> None:
        # Beaker's own sessions leave a document under the id from before a login.
        self._session_ids |= {cookie["value"][-_ID_LENGTH:] for cookie in self.cookies()}

    def _note_message(self, message: ConsoleMessage) -> None:
        # A test may expect a page to return 403; _note_response checks files.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.problems.append(message.text)

    def _note_response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            self.problems.append(f"{response.status} {response.url}")


def press(tab: Page, selector: str) -> None:
    """Press a button, and wait for the next page."""
    with tab.expect_navigation():
        tab.locator(selector).click()
