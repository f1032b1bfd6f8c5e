"""The demo in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from examples.demo.app import SESSION_COOKIE, VISITOR_COOKIE
from tests.browser.conftest import MakeVisitor
from tests.browser.demo import expect_visits, log_in
from tests.browser.visitor import NARROW, Site, Visitor, press


@pytest.fixture
def site(demo: Site) -> Site:
    """Visit the demo."""
    return demo


class TestSession:
    """The actions of a visitor, and their effect on the session."""

    def test_reload(self, visitor: Visitor) -> None:
        """Each load of the page counts a visit."""
        tab = visitor.open()
        expect_visits(tab, 1)
        tab.reload()
        expect_visits(tab, 2)
        assert 1 == len(visitor.cookies())

    def test_log_in(self, visitor: Visitor, site: Site) -> None:
        """After a reload the login is kept under a new session id, and the old id is removed."""
        tab = visitor.open()
        before = visitor.session_id
        log_in(tab, "Zoë")
        expect(tab.locator(".user .name strong")).to_have_text("Zoë")
        expect(tab.locator("#message")).to_have_text("Hello Zoë. Your session has a new id.")
        tab.reload()
        expect(tab.locator(".user .name strong")).to_have_text("Zoë")
        assert before != visitor.session_id
        assert 0 == site.sessions.count_documents({"_id": before})
        document = visitor.stored()
        assert document is not None
        assert "Zoë" == document["session"]["user"]

    def test_second_tab(self, visitor: Visitor) -> None:
        """A tab that is opened after the login shows the login and the cart."""
        first = visitor.open()
        log_in(first, "ann")
        press(first, "#add-flask")
        second = visitor.open()
        expect(second.locator(".user .name strong")).to_have_text("ann")
        expect(second.locator(".cart .name")).to_have_text(["Flask"])
        press(second, "#add-tubes")
        first.reload()
        expect(first.locator(".cart .name")).to_have_text(["Flask", "Test tubes"])

    def test_log_out_in_one_tab(self, visitor: Visitor, site: Site) -> None:
        """After a logout in one tab, an action in another tab is refused with an explanation."""
        first = visitor.open()
        log_in(first, "ann")
        second, third = visitor.open(), visitor.open()
        before = visitor.session_id
        press(first, "#logout")
        expect(first.get_by_label("Your name")).to_be_visible()
        assert 0 == site.sessions.count_documents({"_id": before})
        press(second, "#add-flask")
        expect(second.get_by_role("heading", level=1)).to_have_text("Forbidden")
        third.reload()
        expect(third.get_by_label("Your name")).to_be_visible()
        assert 0 == site.sessions.count_documents({"_id": before})

    def test_back_after_log_out(self, visitor: Visitor) -> None:
        """After a logout, going back does not show the name of the user."""
        tab = visitor.open()
        log_in(tab, "ann")
        tab.goto("/nothing")
        press(visitor.open(), "#logout")
        # Playwright's own go_back() waits forever if the browser has cached the page.
        tab.evaluate("history.back()")
        expect(tab.get_by_role("heading", name="The document in MongoDB")).to_be_visible()
        expect(tab.get_by_label("Your name")).to_be_visible()
        expect(tab.get_by_text("ann")).to_have_count(0)

    def test_two_visitors(self, make_visitor: MakeVisitor) -> None:
        """Two browsers have separate sessions."""
        ann, bea = make_visitor(), make_visitor()
        of_ann, of_bea = ann.open(), bea.open()
        log_in(of_ann, "ann")
        press(of_ann, "#add-flask")
        of_bea.reload()
        expect(of_bea.get_by_label("Your name")).to_be_visible()
        expect(of_bea.locator(".empty")).to_contain_text("The cart is empty.")
        assert ann.session_id != bea.session_id

    def test_expired_session(self, visitor: Visitor) -> None:
        """An expired session is not loaded, even if its document still exists."""
        tab = visitor.open()
        log_in(tab, "ann")
        visitor.expire()
        tab.reload()
        expect_visits(tab, 1)
        expect(tab.get_by_label("Your name")).to_be_visible()

    def test_cookies(self, visitor: Visitor) -> None:
        """Scripts cannot read the cookies, which are for this site and end with the browser."""
        tab = visitor.open()
        assert "" == tab.evaluate("document.cookie")
        for name in (SESSION_COOKIE, VISITOR_COOKIE):
            (cookie,) = visitor.cookies(name)
            assert (True, "Lax") == (cookie["httpOnly"], cookie["sameSite"])
            assert ("127.0.0.1", "/") == (cookie["domain"], cookie["path"])
            assert (-1, False) == (cookie["expires"], cookie["secure"])


class TestPage:
    """The behaviour of the page in the browser."""

    def test_the_document_is_shown(self, visitor: Visitor) -> None:
        """The document is shown beside the cart, and its changes are marked."""
        tab = visitor.open()
        expect(tab.locator("mark")).to_have_count(0)
        press(tab, "#add-pipette")
        marks = tab.locator("mark.line")
        expect(marks.get_by_text("pipette")).to_have_count(1)
        expect(marks.get_by_text("visits")).to_have_count(1)
        expect(tab.locator(".request")).to_have_count(2)

    def test_the_storage_form_is_switched(self, visitor: Visitor) -> None:
        """The same session is shown as JSON text, then as a document again."""
        tab = visitor.open()
        document = tab.get_by_role("group", name="The session document")
        press(tab, "#text")
        expect(document).to_contain_text("session: '{\"")
        expect(tab.locator("#text")).to_have_attribute("aria-pressed", "true")
        press(tab, "#native")
        expect(document).to_contain_text("session: {")

    def test_expiry_counts_down(self, visitor: Visitor) -> None:
        """The clock counts down, warns in the last minute, and reports the end of the session."""
        tab = visitor.open("/static/icon.svg")
        tab.clock.install()
        tab.goto("/")
        clock, expiry = tab.locator("#expiry-clock"), tab.locator("#expiry")
        expect(clock).to_have_text(re.compile(r"9:\d\d"))
        expect(expiry).to_have_class("expiry")
        tab.clock.fast_forward("09:15")
        expect(clock).to_have_text(re.compile(r"0:\d\d"))
        expect(expiry).to_have_class("expiry late")
        tab.clock.fast_forward("01:00")
        expect(clock).to_be_hidden()
        expect(tab.locator("#expiry-words")).to_have_text(
            "expired: the next request starts a new session"
        )

    def test_the_scroll_position_is_kept(self, make_visitor: MakeVisitor) -> None:
        """After an action far down on a small screen, the page keeps its scroll position."""
        tab = make_visitor(viewport=NARROW, has_touch=True).open()
        tab.locator("#add-pipette").scroll_into_view_if_needed()
        tab.evaluate("scrollBy(0, 100)")
        before = tab.evaluate("scrollY")
        assert before > 0
        press(tab, "#add-pipette")
        expect(tab.locator(".cart .name")).to_have_text(["Pipette"])
        assert before == tab.evaluate("scrollY")

    def test_keyboard(self, visitor: Visitor) -> None:
        """All actions work with the keyboard, and the focus is kept on the next page."""
        tab = visitor.open()
        tab.locator("#name").focus()
        tab.keyboard.type("ann")
        with tab.expect_navigation():
            tab.keyboard.press("Enter")
        expect(tab.locator(".user .name strong")).to_have_text("ann")
        add = tab.locator("#add-flask")
        add.focus()
        for quantity in ("1", "2"):
            with tab.expect_navigation():
                tab.keyboard.press("Enter")
            expect(tab.locator(".quantity")).to_have_text(quantity)
            expect(add).to_be_focused()

    def test_without_scripts(self, make_visitor: MakeVisitor) -> None:
        """Without scripts, everything but the countdown works."""
        tab = make_visitor(java_script_enabled=False).open()
        log_in(tab, "ann")
        press(tab, "#add-flask")
        expect(tab.locator(".cart .name")).to_have_text(["Flask"])
        expect(tab.locator(".user .name strong")).to_have_text("ann")
