"""Documents that another program wrote, as sessions of Flask."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_mongo_soajs import MongoSession, SerializationError, StoreError
from beaker_mongo_soajs.flask import FlaskSession, _signer
from tests.application import KEYS
from tests.behaviour.test_planted_data import FIELDS, HYPOTHESIS, SESSIONS
from tests.conftest import Db, Options
from tests.effort import times
from tests.flask.support import SECRET, Browser

_ID = "p" * 32


def _log_in(session: FlaskSession) -> None:
    session.regenerate_id()
    session["user"] = "ann"


_ACTIONS: list[Callable[[FlaskSession], object]] = [
    dict,
    _log_in,
    lambda session: session.update(n=1),
    lambda session: session.delete(),
]


@pytest.fixture
def visitor(app: Flask) -> Browser:
    """Return a visitor whose cookie leads to the planted document."""
    browser = Browser(app)
    browser.cookies["session"] = _signer(SECRET).sign(_ID).decode()
    return browser


@pytest.mark.timeout(600)
@settings(HYPOTHESIS, max_examples=times(40))
@given(fields=SESSIONS | FIELDS, action=st.sampled_from(_ACTIONS))
def test_sessions(
    visitor: Browser, database: Db, fields: dict[str, Any], action: Callable[[FlaskSession], object]
) -> None:
    """A session of any content is read, or ends in a documented error."""
    database.sessions.replace_one({"_id": _ID}, fields, upsert=True)
    with suppress(SerializationError, StoreError):
        Browser(visitor.app, visitor).request(action)


def test_an_encrypted_session(visitor: Browser, options: Options, database: Db) -> None:
    """An encrypted session of Beaker is not loaded and stays as it is; its visitor gets another."""
    session = MongoSession({}, use_cookies=False, **(options | KEYS))
    session.id = _ID
    session.save()
    before = database.sessions.find_one()
    assert {} == visitor.read()
    visitor.save(n=1)
    assert _ID != visitor.session_id
    assert {"n": 1} == visitor.read()
    assert before == database.sessions.find_one({"_id": _ID})
