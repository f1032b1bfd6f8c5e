"""Flask-Login and Flask-WTF, the real packages, with sessions in MongoDB."""

import re
from datetime import timedelta
from typing import Any

import flask
import pytest
from flask import Flask
from flask_login import (
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
    user_logged_in,
)
from flask_wtf import CSRFProtect, FlaskForm
from werkzeug.test import TestResponse
from wtforms import StringField

from beaker_mongo_soajs.flask import session
from tests.application import live_documents
from tests.conftest import Db, Options
from tests.flask.support import make_app, store_of

# Flask-Login 0.6 and Flask-Session 0.8 call it.
pytestmark = pytest.mark.filterwarnings(r"ignore:datetime\.datetime\.utcnow\(\):DeprecationWarning")


class User(UserMixin):
    """A user of the site."""

    def __init__(self, name: str) -> None:
        self.id = name


def login_site(options: Options, **settings: Any) -> Flask:
    """Return an application with Flask-Login.

    :param options: the setting ``BEAKER_MONGO``.
    :param settings: more settings of Flask and Flask-Login.
    """
    app = make_app(options, **settings)
    manager = LoginManager(app)
    manager.user_loader(User)

    def log_in(name: str) -> str:
        login_user(User(name), remember="remember" in flask.request.args)
        return ""

    def log_out() -> str:
        logout_user()
        return ""

    def confirm() -> str:
        confirm_login()
        return ""

    def name() -> str:
        user: Any = current_user
        return str(user.id)

    app.add_url_rule("/login/<name>", "login", log_in)
    app.add_url_rule("/logout", "logout", log_out)
    app.add_url_rule("/confirm", "confirm", confirm)
    app.add_url_rule("/me", "me", login_required(name))
    app.add_url_rule("/fresh", "fresh", fresh_login_required(name))
    app.add_url_rule("/cart", "cart", lambda: session.update(cart=1) or "")
    return app


def status(response: TestResponse) -> int:
    """Return the status of a response."""
    return response.status_code


def get_with(app: Flask, setter: TestResponse, path: str, **headers: str) -> TestResponse:
    """Make a request with the session cookie that a response set, as a thief of it would."""
    (cookie,) = (
        text.partition(";")[0]
        for text in setter.headers.getlist("Set-Cookie")
        if text.startswith("session=")
    )
    client = app.test_client(use_cookies=False)
    return client.get(path, headers=headers, environ_overrides={"HTTP_COOKIE": cookie})


class TestFlaskLogin:
    """Flask-Login."""

    def test_login_and_logout(self, options: Options, database: Db) -> None:
        """A user logs in, is known in the next request, and logs out."""
        client = login_site(options).test_client()
        assert 401 == status(client.get("/me"))
        client.get("/login/ann")
        assert b"ann" == client.get("/me").data
        assert 200 == status(client.get("/fresh"))
        (document,) = live_documents(database)
        assert "ann" == document["session"]["_user_id"]
        client.get("/logout")
        assert 401 == status(client.get("/me"))

    def test_the_session_of_a_user_can_be_found(self, options: Options) -> None:
        """The store ends all sessions of a user, by the key of Flask-Login."""
        app = login_site(options)
        phone, laptop = app.test_client(), app.test_client()
        for client in (phone, laptop):
            client.get("/login/ann")
        assert 2 == store_of(app).destroy_where(_user_id="ann")
        assert [401, 401] == [status(client.get("/me")) for client in (phone, laptop)]

    def test_remember_cookie(self, options: Options, database: Db) -> None:
        """After the end of the session, the remember cookie logs in, but not freshly."""
        client = login_site(options, REMEMBER_COOKIE_DURATION=timedelta(days=9)).test_client()
        client.get("/login/ann?remember=1")
        database.sessions.delete_many({})
        assert b"ann" == client.get("/me").data
        assert 401 == status(client.get("/fresh"))
        client.get("/confirm")
        assert b"ann" == client.get("/fresh").data
        client.get("/logout")
        assert 401 == status(client.get("/me"))

    @pytest.mark.parametrize(("protection", "expected"), [("strong", 401), ("basic", 200)])
    def test_session_protection(
        self, options: Options, database: Db, protection: str, expected: int
    ) -> None:
        """With strong protection, a stolen cookie opens no session in another browser."""
        app = login_site(options, SESSION_PROTECTION=protection)
        login = app.test_client().get("/login/ann")
        phone = {"User-Agent": "a phone"}
        assert 200 == status(get_with(app, login, "/fresh"))
        assert expected == status(get_with(app, login, "/me", **phone))
        assert 401 == status(get_with(app, login, "/fresh", **phone))

    def test_a_new_id_at_each_login(self, options: Options) -> None:
        """The signal of Flask-Login can give the session a new id at each login."""
        app = login_site(options)

        def change_id(*_: Any, **__: Any) -> None:
            session.regenerate_id()

        user_logged_in.connect(change_id, app)
        client = app.test_client()
        planted = client.get("/cart")
        client.get("/login/ann")
        assert b"ann" == client.get("/me").data
        assert 401 == status(get_with(app, planted, "/me"))

    def test_a_logout_beside_another_request(self, options: Options) -> None:
        """A request that overlaps a logout does not log in again."""
        app = login_site(options)
        client = app.test_client()

        def add_slowly() -> str:
            session["cart"] = 2
            client.get("/logout")
            return ""

        app.add_url_rule("/slow", "slow", add_slowly)
        login = client.get("/login/ann")
        assert 200 == status(get_with(app, login, "/me"))
        get_with(app, login, "/slow")
        assert 401 == status(client.get("/me"))
        assert 401 == status(get_with(app, login, "/me"))


class NameForm(FlaskForm):
    """A form with one field, and the token that Flask-WTF adds."""

    name = StringField()


class TestFlaskWtf:
    """Flask-WTF: tokens against cross-site request forgery."""

    @pytest.fixture
    def app(self, options: Options) -> Flask:
        """Return an application whose forms are protected."""
        app = make_app(options)
        CSRFProtect(app)

        def form() -> str:
            made = NameForm()
            if made.validate_on_submit():
                session["name"] = made.name.data
                return f"Hello {made.name.data}"
            return flask.render_template_string("{{ form.csrf_token }}", form=made)

        app.add_url_rule("/", "form", form, methods=["GET", "POST"])
        app.add_url_rule("/api", "api", lambda: "done", methods=["POST"])
        return app

    @staticmethod
    def token(page: TestResponse) -> str:
        """Return the token in a form."""
        found = re.search(r'value="([^"]+)"', page.get_data(as_text=True))
        assert found is not None
        return found[1]

    def test_a_form(self, app: Flask) -> None:
        """A form with the token of the session is accepted, also a second time."""
        client = app.test_client()
        token = self.token(client.get("/"))
        for name in ("ann", "bob"):
            answer = client.post("/", data={"name": name, "csrf_token": token})
            assert f"Hello {name}".encode() == answer.data

    def test_without_a_token(self, app: Flask) -> None:
        """A form without the token, or with that of another session, is refused."""
        client, other = app.test_client(), app.test_client()
        client.get("/")
        token = self.token(other.get("/"))
        for data in ({"name": "x"}, {"name": "x", "csrf_token": token}):
            assert 400 == status(client.post("/", data=data))
        assert 400 == status(client.post("/api"))

    def test_a_new_session_id_keeps_the_token(self, app: Flask) -> None:
        """After ``regenerate_id()``, the token of an open page is still valid, in a header."""
        client = app.test_client()
        token = self.token(client.get("/"))
        with client.session_transaction() as found:
            found.regenerate_id()  # type: ignore[attr-defined]  # Flask names its own
        assert b"done" == client.post("/api", headers={"X-CSRFToken": token}).data
