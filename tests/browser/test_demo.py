"""The demo in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from examples.demo.app import VISITOR_COOKIE
from examples.demo.shops import SESSION_COOKIE
from tests.browser.conftest import MakeVisitor
from tests.browser.demo import expect_visits, is_live, log_in, run
from tests.browser.visitor import NARROW, Site, Visitor, press


@pytest.fixture
def site(demo: Site) -> Site:
    """Visit the demo."""
    return demo


class TestSession:
    """The actions of a visitor, and their effect on the session."""

    def test_reload(self, visitor: Visitor) -> None:
        """Each load of the page counts a visit."""
        tab = visitor.open("/shop")
        expect_visits(tab, 1)
        tab.reload()
        expect_visits(tab, 2)
        assert 1 == len(visitor.cookies())

    def test_log_in(self, visitor: Visitor, site: Site) -> None:
        """After a reload the login is kept under a new session id, and the old id is removed."""
        tab = visitor.open("/shop")
        before = visitor.session_id
        log_in(tab, "Zoë")
        expect(tab.locator(".user .name strong")).to_have_text("Zoë")
        expect(tab.locator("#message")).to_have_text("Hello Zoë. Your session has a new id.")
        tab.reload()
        expect(tab.locator(".user .name strong")).to_have_text("Zoë")
        assert before != visitor.session_id
        assert not is_live(site, before)
        document = visitor.stored()
        assert document is not None
        assert "Zoë" == document["session"]["user"]

    def test_second_tab(self, visitor: Visitor) -> None:
        """A tab that is opened after the login shows the login and the cart."""
        first = visitor.open("/shop")
        log_in(first, "ann")
        press(first, "#add-flask")
        second = visitor.open("/shop")
        expect(second.locator(".user .name strong")).to_have_text("ann")
        expect(second.locator(".cart .name")).to_have_text(["Flask"])
        press(second, "#add-tubes")
        first.reload()
        expect(first.locator(".cart .name")).to_have_text(["Flask", "Test tubes"])

    def test_log_out_in_one_tab(self, visitor: Visitor, site: Site) -> None:
        """After a logout in one tab, an action in another tab begins a new session."""
        first = visitor.open("/shop")
        log_in(first, "ann")
        second, third = visitor.open("/shop"), visitor.open("/shop")
        before = visitor.session_id
        press(first, "#logout")
        expect(first.get_by_label("Your name")).to_be_visible()
        assert not is_live(site, before)
        press(second, "#add-flask")
        expect(second.locator(".cart .name")).to_have_text(["Flask"])
        expect(second.get_by_label("Your name")).to_be_visible()
        third.reload()
        expect(third.get_by_label("Your name")).to_be_visible()
        assert not is_live(site, before)

    def test_back_after_log_out(self, visitor: Visitor) -> None:
        """After a logout, going back does not show the name of the user."""
        tab = visitor.open("/shop")
        log_in(tab, "ann")
        tab.goto("/nothing")
        press(visitor.open("/shop"), "#logout")
        # Playwright's own go_back() waits forever if the browser has cached the page.
        tab.evaluate("history.back()")
        expect(tab.get_by_role("heading", name="Your session in MongoDB")).to_be_visible()
        expect(tab.get_by_label("Your name")).to_be_visible()
        expect(tab.get_by_text("ann")).to_have_count(0)

    def test_two_visitors(self, make_visitor: MakeVisitor) -> None:
        """Two browsers have separate sessions."""
        ann, bea = make_visitor(), make_visitor()
        of_ann, of_bea = ann.open("/shop"), bea.open("/shop")
        log_in(of_ann, "ann")
        press(of_ann, "#add-flask")
        of_bea.reload()
        expect(of_bea.get_by_label("Your name")).to_be_visible()
        expect(of_bea.locator(".empty")).to_contain_text("The cart is empty.")
        assert ann.session_id != bea.session_id

    def test_expired_session(self, visitor: Visitor) -> None:
        """An expired session is not loaded, even if its document still exists."""
        tab = visitor.open("/shop")
        log_in(tab, "ann")
        visitor.expire()
        tab.reload()
        expect_visits(tab, 1)
        expect(tab.get_by_label("Your name")).to_be_visible()

    def test_cookies(self, visitor: Visitor) -> None:
        """Scripts cannot read the cookies, which are for this site and end with the browser."""
        tab = visitor.open("/shop")
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
        tab = visitor.open("/shop")
        expect(tab.locator("mark.line")).to_have_count(0)
        press(tab, "#add-pipette")
        marks = tab.locator("mark.line")
        expect(marks.get_by_text("pipette")).to_have_count(1)
        expect(tab.locator(".request")).to_have_count(2)

    def test_the_storage_form_is_switched(self, visitor: Visitor) -> None:
        """The same session is shown as JSON text, then as a document again."""
        tab = visitor.open("/shop")
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
        tab.goto("/shop")
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
        tab = make_visitor(viewport=NARROW, has_touch=True).open("/shop")
        tab.locator("#add-pipette").scroll_into_view_if_needed()
        tab.evaluate("scrollBy(0, 100)")
        before = tab.evaluate("scrollY")
        assert before > 0
        press(tab, "#add-pipette")
        expect(tab.locator(".cart .name")).to_have_text(["Pipette"])
        assert before == tab.evaluate("scrollY")

    def test_keyboard(self, visitor: Visitor) -> None:
        """All actions work with the keyboard, and the focus is kept on the next page."""
        tab = visitor.open("/shop")
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
        tab = make_visitor(java_script_enabled=False).open("/shop")
        log_in(tab, "ann")
        press(tab, "#add-flask")
        expect(tab.locator(".cart .name")).to_have_text(["Flask"])
        expect(tab.locator(".user .name strong")).to_have_text("ann")


class TestPanels:
    """The experiments, and what they leave in the database."""

    def test_race(self, visitor: Visitor, site: Site) -> None:
        """Beaker's backend loses changes, and this package none."""
        tab = visitor.open("/race")
        run(tab)
        expect(tab.locator(".outcome.bad .verdict")).to_contain_text("of 8 changes lost")
        expect(tab.locator(".outcome.good .verdict")).to_contain_text("0 of 8 changes lost")
        expect(tab.locator(".bar-track")).to_have_count(16)
        tab.locator(".outcome.good summary").click()
        expect(tab.locator(".outcome.good .code")).to_contain_text("'change 8'")
        last = site.sessions.database.lab.find_one({"session.change 1": {"$exists": True}})
        assert last is not None
        assert 8 == sum(key.startswith("change") for key in last["session"])

    def test_logout(self, visitor: Visitor, site: Site) -> None:
        """A slow request undoes a logout with Beaker's backend only."""
        tab = visitor.open("/late")
        run(tab)
        expect(tab.locator(".outcome.bad .verdict")).to_contain_text("logged in again")
        expect(tab.locator(".outcome.good .verdict")).to_contain_text("stays logged out")
        assert 0 == site.sessions.database.lab.count_documents({"session.note": {"$exists": True}})

    def test_lock(self, visitor: Visitor) -> None:
        """Under a lock, all clicks are counted."""
        tab = visitor.open("/lock")
        run(tab)
        expect(tab.locator(".outcome.good .verdict")).to_contain_text("counted 20 of 20")

    def test_id_change(self, visitor: Visitor) -> None:
        """The cookie from before a login works with Beaker's backend only."""
        tab = visitor.open("/id")
        run(tab)
        expect(tab.locator(".outcome.bad .verdict")).to_contain_text("still works")
        expect(tab.locator(".outcome.good .verdict")).to_contain_text("is refused")

    def test_devices(self, make_visitor: MakeVisitor, site: Site) -> None:
        """One browser logs out the other by its handle, then all that are left."""
        desk, phone = make_visitor(), make_visitor()
        at_desk, on_phone = desk.open("/devices"), phone.open("/devices")
        log_in(at_desk, "cleo")
        log_in(on_phone, "cleo")
        at_desk.reload()
        expect(at_desk.locator(".devices li")).to_have_count(2)
        assert phone.session_id[:9] not in at_desk.content()
        press(at_desk, ".devices button")
        expect(at_desk.locator(".devices li")).to_have_count(1)
        on_phone.reload()
        expect(on_phone.get_by_label("Your name")).to_be_visible()
        press(at_desk, "#end-all")
        expect(at_desk.get_by_label("Your name")).to_be_visible()
        assert 0 == site.sessions.count_documents({"session.user": "cleo"})

    def test_expiry(self, visitor: Visitor) -> None:
        """A session of 20 seconds counts down, and is kept alive by a click."""
        tab = visitor.open("/expiry")
        run(tab)
        expect(tab.locator("#short strong")).to_have_text(re.compile(r"0:1\d"))
        run(tab)
        expect(tab.locator("#message")).to_contain_text("Used in time")

    def test_code_is_copied(self, make_visitor: MakeVisitor) -> None:
        """The button copies the code of a framework."""
        tab = make_visitor(permissions=["clipboard-read", "clipboard-write"]).open("/code")
        tab.locator(".copy").first.click()
        expect(tab.locator(".copy").first).to_have_text("Copied")
        assert "SessionMiddleware" in tab.evaluate("navigator.clipboard.readText()")

    def test_the_kind_of_session_is_switched(self, visitor: Visitor) -> None:
        """The page can be read by session.type alone; the session is the same."""
        tab = visitor.open("/shop")
        press(tab, "#kind-plain")
        expect(tab.locator("#kind-plain")).to_have_attribute("aria-pressed", "true")
        tab.reload()
        expect_visits(tab, 2)
        expect(tab.locator(".request .what strong")).to_have_text(["find", "update"])

    def test_tabs_on_a_phone(self, make_visitor: MakeVisitor) -> None:
        """On a phone, one view is shown at a time."""
        tab = make_visitor(viewport=NARROW, has_touch=True).open("/race")
        expect(tab.locator("#document")).to_be_hidden()
        tab.locator(".views a", has_text="Document").click()
        expect(tab.locator("#document")).to_be_visible()
        expect(tab.locator("#try")).to_be_hidden()


class TestOutage:
    """A demo with a server of its own."""

    @pytest.fixture
    def site(self, own_demo: Site) -> Site:
        """Visit that demo."""
        return own_demo

    def test_outage(self, visitor: Visitor) -> None:
        """The page says that the session is safe, and recovers; Beaker's visitor is logged out."""
        tab = visitor.open("/shop")
        log_in(tab, "ann")
        cookies = visitor.cookies()
        tab.goto("/outage")
        press(tab, "#stop")
        expect(tab.locator("#message")).to_have_text(
            "The database is not answering. Your session is safe."
        )
        assert cookies == visitor.cookies()
        press(tab, "#start")
        expect(tab.locator(".outcomes").last.locator(".outcome.good")).to_contain_text("logged in")
        tab.goto("/shop")
        expect(tab.locator(".user .name strong")).to_have_text("ann")
