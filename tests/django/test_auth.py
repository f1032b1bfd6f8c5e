"""What Django builds on sessions: users, the admin, messages, CSRF tokens, the test client."""

import secrets
from datetime import timedelta
from http.cookies import Morsel
from typing import Any

import pytest
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.messages import get_messages, success
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.test import Client, override_settings

from beaker_mongo_soajs import StoreUnavailable
from beaker_mongo_soajs.django import find_store
from tests.conftest import Db
from tests.django.conftest import Act
from tests.django.project import PASSWORD


@pytest.fixture
def user(settings: Any) -> Any:
    """Return a new user, who may use the admin."""
    from django.contrib.auth.models import User  # noqa: PLC0415 - needs the settings

    return User.objects.create_superuser(secrets.token_hex(8), password=PASSWORD)


def cookie(client: Client) -> Morsel[str]:
    """Return the session cookie."""
    found: Morsel[str] = client.cookies["sessionid"]
    return found


def who(request: HttpRequest) -> str:
    """Return the name of the request's user."""
    return str(request.user.username)


class TestUsers:
    """contrib.auth."""

    def test_login_and_logout(self, client: Client, act: Act, user: Any, database: Db) -> None:
        """A login changes the id and keeps the values; a logout removes everything."""
        act(client, lambda request: request.session.update({"cart": [1]}))
        first = cookie(client).value
        act(client, lambda request: login(request, user))
        second = cookie(client).value
        assert first != second
        assert user.username.encode() == act(client, who).content
        document = database.sessions.find_one({"_id": second})
        assert document is not None
        assert [1] == document["session"]["cart"]
        assert str(user.pk) == document["session"]["_auth_user_id"]
        act(client, logout)
        assert "" == cookie(client).value
        assert 0 == database.sessions.count_documents({"session": {"$exists": True}})
        assert b"" == act(client, who).content

    def test_client(self, client: Client, act: Act, user: Any) -> None:
        """The test client logs users in and out, and has the session."""
        assert client.login(username=user.username, password=PASSWORD)
        session = client.session
        session["n"] = 1
        session.save()
        assert b"1" == act(client, lambda request: request.session["n"]).content
        client.logout()
        assert b"" == act(client, who).content

    def test_change_of_the_password(self, client: Client, act: Act, user: Any) -> None:
        """A new password ends the other sessions of the user, and keeps that of the request."""
        other = Client()
        for each in (client, other):
            each.force_login(user)

        def change(request: HttpRequest) -> None:
            request.user.set_password(PASSWORD[::-1])
            request.user.save()
            update_session_auth_hash(request, request.user)

        old = cookie(client).value
        act(client, change)
        assert old != cookie(client).value
        assert user.username.encode() == act(client, who).content
        assert b"" == act(other, who).content

    def test_destroy_others(self, client: Client, act: Act, user: Any, database: Db) -> None:
        """request.session.destroy_others() ends the other sessions of the user."""
        other = Client()
        for each in (client, other):
            each.force_login(user)
        assert b"1" == act(client, lambda request: request.session.destroy_others()).content
        assert user.username.encode() == act(client, who).content
        assert b"" == act(other, who).content
        assert 1 == find_store().destroy_user(str(user.pk))
        assert b"" == act(client, who).content


class TestAdmin:
    """The admin."""

    def test_log_in_and_work(self, settings: Any, user: Any) -> None:
        """The user logs in by the form, with its CSRF token, makes an object, and sees messages."""
        client = Client(enforce_csrf_checks=True)
        form = {"username": user.username, "password": PASSWORD, "next": "/admin/"}
        assert 403 == client.post("/admin/login/", form).status_code
        client.get("/admin/login/")

        def token() -> dict[str, str]:
            return {"csrfmiddlewaretoken": client.cookies["csrftoken"].value}

        assert 302 == client.post("/admin/login/", form | token()).status_code
        assert 200 == client.get("/admin/").status_code
        name = secrets.token_hex(8)
        added = client.post("/admin/auth/group/add/", {"name": name} | token(), follow=True)
        assert 200 == added.status_code
        assert "was added successfully" in added.content.decode()
        client.post("/admin/logout/", token())
        assert 302 == client.get("/admin/").status_code


class TestMessages:
    """contrib.messages, stored in the session."""

    def test_shown_once(self, settings: Any, client: Client, act: Act) -> None:
        """A message of one request is shown by the next one, once."""

        def show(request: HttpRequest) -> str:
            return ", ".join(map(str, get_messages(request)))

        with override_settings(
            MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage"
        ):
            act(client, lambda request: success(request, "Saved."))
            assert b"Saved." == act(client, show).content
            assert b"" == act(client, show).content


class TestCookie:
    """The cookie, which Django's middleware makes."""

    @pytest.mark.parametrize(
        ("expiry", "ages"),
        [(60, {60}), (timedelta(hours=1), range(3500, 3601)), (0, {""}), (None, {1209600})],
    )
    def test_set_expiry(self, client: Client, act: Act, expiry: Any, ages: Any) -> None:
        """set_expiry() sets the age of the cookie."""

        def change(request: HttpRequest) -> None:
            request.session["n"] = 1
            request.session.set_expiry(expiry)

        assert act(client, change).cookies["sessionid"]["max-age"] in ages

    @pytest.mark.parametrize("method", ["create", "cycle_key"])
    def test_a_new_id(self, client: Client, act: Act, method: str) -> None:
        """create() and cycle_key() set the cookie, also if nothing else changes."""
        act(client, lambda request: request.session.update({"n": 1}))
        old = cookie(client).value
        act(client, lambda request: getattr(request.session, method)())
        assert old != cookie(client).value

    def test_save_every_request(self, client: Client, act: Act) -> None:
        """SESSION_SAVE_EVERY_REQUEST renews the cookie in each response."""
        act(client, lambda request: request.session.update({"n": 1}))
        assert "sessionid" not in act(client, who).cookies
        with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
            assert "sessionid" in act(client, who).cookies

    def test_csrf_token_in_the_session(self, settings: Any, act: Act) -> None:
        """CSRF_USE_SESSIONS stores the token in the session."""
        client = Client(enforce_csrf_checks=True)
        with override_settings(CSRF_USE_SESSIONS=True):
            token = act(client, get_token).content.decode()
            assert 403 == client.post("/admin/login/").status_code
            posted = client.post("/admin/login/", {"csrfmiddlewaretoken": token})
            assert 200 == posted.status_code


class TestErrors:
    """How Django answers."""

    @pytest.mark.parametrize("saves", [True, False])
    def test_logout_in_another_request(
        self, client: Client, act: Act, user: Any, *, saves: bool
    ) -> None:
        """A request whose session ends meanwhile is answered with 400, and sets no cookie."""
        client.force_login(user)

        def change(request: HttpRequest) -> None:
            request.session["n"] = 1
            find_store().destroy(request.session.session_key)
            if saves:
                request.session.save()

        response = act(client, change)
        assert 400 == response.status_code
        assert "sessionid" not in response.cookies

    def test_outage(self, client: Client, act: Act, user: Any) -> None:
        """During an outage, Django answers with 500, and the browser keeps its cookie."""
        client.force_login(user)
        url = {"url": "mongodb://127.0.0.1:1", "URLParam": {"serverSelectionTimeoutMS": 100}}
        with override_settings(BEAKER_MONGO=url | {"name": "x"}):
            response = client.get("/private")
            assert 500 == response.status_code
            assert isinstance(response.exc_info[1], StoreUnavailable)
            assert "sessionid" not in response.cookies
        assert user.username.encode() == act(client, who).content
