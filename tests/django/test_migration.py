"""Sessions of Django's own engine, which move to MongoDB when their visitors return."""

from typing import Any

import pytest
from django import conf
from django.contrib.sessions.backends.db import SessionStore as TableSession
from django.test import Client, override_settings

from tests.conftest import Db
from tests.django.conftest import Act


@pytest.fixture
def extra(_project: None) -> dict[str, Any]:
    """Read Django's table."""
    table = conf.settings.DATABASES["default"]["NAME"]
    return {"store": {"migrateFrom": {"type": "django", "url": f"sqlite:///{table}"}}}


def test_nobody_is_logged_out(client: Client, act: Act, database: Db) -> None:
    """A visitor keeps the session and the cookie of the time before."""
    before = Client()
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.db"):
        act(before, lambda request: request.session.update({"cart": [1]}))
    session_key = before.cookies["sessionid"].value
    client.cookies = before.cookies
    assert TableSession().exists(session_key)
    assert b"[1]" == act(client, lambda request: request.session["cart"]).content
    act(client, lambda request: request.session.update({"n": 1}))
    assert session_key == client.cookies["sessionid"].value
    document = database.sessions.find_one({"_id": session_key})
    assert document is not None
    assert {"cart": [1], "n": 1}.items() <= document["session"].items()
