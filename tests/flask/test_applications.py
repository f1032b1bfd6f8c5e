"""What applications of Flask do with sessions."""

from collections.abc import Iterator
from typing import Any

import flask
import pytest
from babel.support import LazyProxy
from flask import Blueprint, Flask, Response, get_flashed_messages, stream_with_context
from markupsafe import Markup

from beaker_mongo_soajs.flask import FlaskSession, session
from tests.application import Site
from tests.conftest import Options
from tests.flask.support import Browser, make_app


class TestFlash:
    """``flash()``."""

    def test_messages_are_shown_once(self, browser: Browser) -> None:
        """A message is shown by the next request that asks, and not again."""

        def add(_: FlaskSession) -> None:
            flask.flash("one")
            flask.flash("two", "error")

        browser.request(add)
        shown = [
            browser.request(lambda _: get_flashed_messages(with_categories=True)) for _ in range(2)
        ]
        assert [[("message", "one"), ("error", "two")], []] == shown

    def test_markup_and_lazy_texts(self, any_form: Options) -> None:
        """``Markup`` stays ``Markup``, and a lazily translated text is shown as text."""
        browser = Browser(make_app(any_form, PROPAGATE_EXCEPTIONS=True))

        def add(_: FlaskSession) -> None:
            flask.flash(Markup("<b>bold</b>"))
            flask.flash(LazyProxy(lambda: "translated"))  # type: ignore[arg-type]  # no str

        browser.request(add)
        bold, translated = browser.request(lambda _: get_flashed_messages())
        assert (Markup("<b>bold</b>"), Markup) == (bold, type(bold))
        assert "translated" == translated

    def test_in_a_template(self, app: Flask) -> None:
        """A template reads messages and values."""
        template = "{% for text in get_flashed_messages() %}{{ text }}{% endfor %}{{ session.n }}"
        app.add_url_rule("/page", "page", lambda: flask.render_template_string(template))
        browser = Browser(app)
        browser.save(n=5)
        browser.request(lambda _: flask.flash("<hello>"))
        text = app.test_client(use_cookies=False).get(
            "/page", environ_overrides={"HTTP_COOKIE": f"session={browser.cookie}"}
        )
        assert "&lt;hello&gt;5" == text.get_data(as_text=True)


class TestClient:
    """``app.test_client()``."""

    def test_session_transaction(self, app: Flask) -> None:
        """``session_transaction()`` reads and changes the session of a test client."""
        app.add_url_rule("/", "visit", lambda: session.update(n=session.get("n", 0) + 1) or "")
        client = app.test_client()
        client.get("/")
        with client.session_transaction() as found:
            assert 1 == found["n"]
            found["n"] = 10
        client.get("/")
        with client.session_transaction() as found:
            assert 11 == found["n"]
            found.clear()
        with client.session_transaction() as found:
            assert {} == dict(found)

    def test_the_session_after_a_request(self, app: Flask) -> None:
        """In a ``with`` block, a test can look at the session of the last request."""
        app.add_url_rule("/", "user", lambda: session.update(user="ann") or "")
        with app.test_client() as client:
            client.get("/")
            assert "ann" == flask.session["user"]

    def test_a_request_context_alone(self, app: Flask) -> None:
        """In a test request context, the session is empty, and is not saved."""
        with app.test_request_context():
            flask.session["a"] = 1
            assert {"a": 1} == dict(flask.session)


class TestParts:
    """Other parts of Flask."""

    def test_blueprints(self, options: Options) -> None:
        """Views and hooks of blueprints use the session of their application."""
        pages = Blueprint("pages", __name__, url_prefix="/pages")

        @pages.before_request
        def count() -> None:
            session["n"] = session.get("n", 0) + 1

        @pages.get("/")
        def show() -> str:
            return str(session["n"])

        app = make_app(options)
        app.register_blueprint(pages)
        client = app.test_client()
        assert [b"1", b"2"] == [client.get("/pages/").data for _ in range(2)]

    def test_hooks(self, options: Options) -> None:
        """Changes in ``after_request`` are saved; those in ``teardown_request`` are not."""
        app = make_app(options)
        app.after_request(lambda response: session.update(after=1) or response)
        app.teardown_request(lambda _: session.update(teardown=1))
        browser = Browser(app)
        browser.request()
        assert {"after": 1} == browser.read()

    def test_error_handlers(self, options: Options) -> None:
        """What a view changed before it failed is saved, as with Flask's own sessions."""
        browser = Browser(make_app(options))

        def fail(found: FlaskSession) -> None:
            found["tries"] = 1
            raise RuntimeError

        browser.request(fail)
        assert 500 == browser.status
        assert {"tries": 1} == browser.read()

    def test_streams(self, app: Flask) -> None:
        """A streamed response reads the session."""

        def stream() -> Iterator[str]:
            yield "user: "
            yield session["user"]

        app.add_url_rule("/stream", "stream", lambda: Response(stream_with_context(stream())))
        client = app.test_client()
        with client.session_transaction() as found:
            found["user"] = "ann"
        assert b"user: ann" == client.get("/stream").data

    def test_one_collection_with_beaker(self, options: Options) -> None:
        """Sessions of Flask and of Beaker can be in one collection."""
        browser = Browser(make_app(options))
        browser.save(user="ann")
        visitor = Site(options).visitor(browser.session_id)
        visitor.save(more=1)
        assert {"user": "ann", "more": 1} == visitor.read() == browser.read()

    @pytest.mark.parametrize("method", ["get", "head", "options"])
    def test_pages_without_a_session(self, app: Flask, method: str) -> None:
        """A page that does not use the session sets no cookie."""
        app.add_url_rule("/", "page", lambda: "")
        response: Any = getattr(app.test_client(), method)("/")
        assert "Set-Cookie" not in response.headers
