"""The actions of a visitor, and forms that are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from webtest import TestApp

from examples.demo.app import Demo
from examples.demo.database import GivenDatabase
from examples.demo.shops import SESSION_COOKIE
from tests.conftest import Db
from tests.demo.support import Visit, is_live, stored, text_of

_CLICKS = 12


class TestVisitor:
    """The actions of a visitor."""

    def test_visits_are_counted(self, visit: Visit, database: Db) -> None:
        """Each load of the page counts one visit of this visitor."""
        visit.app.get("/")
        page = visit.app.get("/shop")
        assert "3 visits to this page" in text_of(page)
        assert 3 == stored(database, visit.session_id)["session"]["visits"]

    def test_a_form_is_no_visit(self, visit: Visit) -> None:
        """The page to which a form leads is not counted as another visit."""
        page = visit.submit("/cart/add", product="flask")
        assert "1 visit to this page" in text_of(page)
        assert "2 visits to this page" in text_of(visit.app.get("/shop"))

    def test_parallel_clicks_lose_nothing(self, demo: Demo, visit: Visit, database: Db) -> None:
        """Each of many clicks at once is in the cart afterwards."""
        cookies = "; ".join(f"{name}={text}" for name, text in visit.app.cookies.items())
        form = {**visit.fields(), "product": "flask"}

        def click(_: int) -> None:
            TestApp(demo, {"HTTP_COOKIE": cookies}).post("/cart/add", form, status=303)

        with ThreadPoolExecutor(_CLICKS) as pool:
            list(pool.map(click, range(_CLICKS)))
        assert _CLICKS == stored(database, visit.session_id)["session"]["cart"]["flask"]["quantity"]

    def test_a_visitor_is_greeted(self, visit: Visit) -> None:
        """Without an action, the page says whether the visitor has a session."""
        assert "Welcome. This is a new session." in text_of(visit.page)
        assert "Welcome back" in text_of(visit.app.get("/"))
        assert "Welcome" not in text_of(visit.submit("/cart/add", product="flask"))

    def test_only_the_page_itself_is_a_visit(self, demo: Demo) -> None:
        """A HEAD request or a static file does not create a session."""
        app = TestApp(demo)
        app.head("/")
        app.get("/static/style.css")
        assert SESSION_COOKIE not in app.cookies

    def test_log_in(self, visit: Visit, database: Db) -> None:
        """A login continues the session under a new id, and the old id becomes invalid."""
        visit.submit("/cart/add", product="flask")
        before = visit.session_id
        form = next(form for form in visit.page.forms.values() if "/login" == form.action)
        form["name"] = "ann"
        visit.page = form.submit().follow()
        assert before != visit.session_id
        assert not is_live(database, before)
        session = stored(database, visit.session_id)["session"]
        assert "ann" == session["user"]
        assert 1 == session["cart"]["flask"]["quantity"]
        assert "Hello ann." in text_of(visit.page)

    def test_a_name_is_needed_to_log_in(self, visit: Visit) -> None:
        """A name of spaces or invisible characters is refused."""
        before = visit.session_id
        visit.submit("/login", name=" \u202e\x00 ")
        assert "Enter a name" in text_of(visit.page)
        assert before == visit.session_id

    def test_log_out(self, visit: Visit, database: Db) -> None:
        """A logout deletes the document and the cookie."""
        visit.submit("/login", name="ann")
        before = visit.session_id
        visit.submit("/logout")
        assert not is_live(database, before)
        assert SESSION_COOKIE not in visit.app.cookies
        assert "Your name" in text_of(visit.page)
        assert "Welcome. This is a new session." not in text_of(visit.page)

    def test_cart(self, visit: Visit, database: Db) -> None:
        """Products are added and removed one by one, or all at once."""

        def quantities() -> dict[str, int]:
            cart = stored(database, visit.session_id)["session"]["cart"]
            return {key: item["quantity"] for key, item in cart.items()}

        visit.submit("/cart/add", product="flask")
        visit.submit("/cart/add", product="flask")
        visit.submit("/cart/add", product="tubes")
        assert {"flask": 2, "tubes": 1} == quantities()
        assert "€ 19.30" in text_of(visit.page)
        visit.submit("/cart/take", product="flask")
        assert {"flask": 1, "tubes": 1} == quantities()
        visit.submit("/cart/take", product="flask")
        assert {"tubes": 1} == quantities()
        visit.submit("/cart/drop", product="tubes")
        assert {} == quantities()
        assert "The cart is empty." in text_of(visit.page)

    def test_a_session_continues_after_a_restart(
        self, visit: Visit, mongo_url: str, database_name: str
    ) -> None:
        """A cookie works after a restart of the demo."""
        visit.submit("/login", name="ann")
        restarted = Demo(GivenDatabase(mongo_url), database_name)
        page = TestApp(restarted, cookiejar=visit.app.cookiejar).get("/shop")
        restarted.close()
        assert "2 visits to this page" in text_of(page)
        assert "ann" in text_of(page)


class TestForms:
    """Forms that are accepted and refused."""

    @pytest.mark.parametrize("path", ["/login", "/logout", "/cart/add", "/form"])
    def test_a_form_from_elsewhere_is_refused(
        self, demo: Demo, visit: Visit, database: Db, path: str
    ) -> None:
        """A form without a token, or with the token of another visitor, is refused."""
        before = stored(database, visit.session_id)
        fields = {"name": "eve", "product": "flask", "stringify": "true"}
        visit.app.post(path, fields, status=403)
        other = Visit(demo).page.forms[0]["token"].value
        page = visit.app.post(path, [("token", other), *fields.items()], status=403)
        assert "Nothing was saved." in text_of(page)
        assert before == stored(database, visit.session_id)

    def test_an_unknown_product_is_refused(self, visit: Visit) -> None:
        """An unknown product cannot be added to the cart."""
        page = visit.app.post(
            "/cart/add", [*visit.fields().items(), ("product", "gold")], status=400
        )
        assert "This product does not exist." in text_of(page)

    def test_forms_are_posted(self, visit: Visit) -> None:
        """A GET request changes nothing."""
        for path in ("/login", "/logout", "/cart/add", "/cart/take", "/cart/drop", "/form"):
            visit.app.get(path, status=405)

    @pytest.mark.parametrize("charset", ["utf-16", "rubbish"])
    def test_only_utf_8_is_read(self, visit: Visit, charset: str) -> None:
        """A form in another encoding than UTF-8 is refused."""
        content_type = f"application/x-www-form-urlencoded; charset={charset}"
        visit.app.post("/login", "name=ann", {"Content-Type": content_type}, status=400)

    def test_a_file_is_not_a_name(self, visit: Visit) -> None:
        """A file instead of a text is treated as an empty text."""
        file = [("name", "n", b"ann")]
        page = visit.app.post("/login", visit.fields(), upload_files=file)
        assert "Enter a name" in text_of(page.follow())

    def test_cookies_of_other_programs_do_no_harm(self, demo: Demo) -> None:
        """Cookies of other programs on this host, on any port, are ignored."""
        environ = {"HTTP_COOKIE": "demo_visitor=\xc3; other=\xff"}
        TestApp(demo).get("/", extra_environ=environ)

    def test_unknown_pages(self, visit: Visit) -> None:
        """An unknown path returns a page that says so."""
        assert "This page does not exist." in text_of(visit.app.get("/nothing", status=404))
