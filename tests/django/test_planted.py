"""Documents that another program wrote, as sessions of Django."""

from typing import Any

import hypothesis
import pytest
from django.contrib.sessions.exceptions import SessionInterrupted
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from beaker_mongo_soajs import MongoSession, SerializationError, StoreError
from tests.application import KEYS
from tests.behaviour.test_planted_data import FIELDS, HYPOTHESIS, SESSIONS
from tests.conftest import Db, Options
from tests.django.conftest import Act, Action
from tests.effort import times

_ID = "p" * 32


def _log_in(request: Any) -> None:
    request.session.cycle_key()
    request.session["user"] = "ann"


def _read(request: Any) -> str:
    return repr(dict(request.session.items()))


def _save(request: Any) -> None:
    request.session.update({"n": 1})


_ACTIONS: list[Action] = [
    _read,
    _log_in,
    _save,
    lambda request: request.session.flush(),
]


@pytest.fixture
def visitor(settings: Any) -> Client:
    """Return a visitor whose cookie leads to the planted document."""
    client = Client()
    client.cookies["sessionid"] = _ID
    return client


@pytest.mark.timeout(600)
@hypothesis.settings(HYPOTHESIS, max_examples=times(40))
@given(fields=SESSIONS | FIELDS, action=st.sampled_from(_ACTIONS))
def test_sessions(
    visitor: Client, act: Act, database: Db, fields: dict[str, Any], action: Action
) -> None:
    """A session of any content is read, or ends in a documented error."""
    database.sessions.replace_one({"_id": _ID}, fields, upsert=True)
    visitor.cookies["sessionid"] = _ID
    try:
        act(visitor, action)
    except (SerializationError, StoreError, SessionInterrupted):
        return


def test_an_encrypted_session(visitor: Client, act: Act, options: Options, database: Db) -> None:
    """An encrypted session of Beaker is not loaded and stays as it is; its visitor gets another."""
    session = MongoSession({}, use_cookies=False, **(options | KEYS))
    session.id = _ID
    session.save()
    before = database.sessions.find_one()
    assert b"{}" == act(visitor, _read).content
    visitor.cookies["sessionid"] = _ID
    act(visitor, _save)
    assert _ID != visitor.cookies["sessionid"].value
    assert b"{'n': 1}" == act(visitor, _read).content
    assert before == database.sessions.find_one({"_id": _ID})
