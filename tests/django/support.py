"""Sessions of the engine, stored and read by a test."""

from typing import Any

from beaker_mongo_soajs.django import SessionStore
from tests.conftest import Db


def begin(**values: object) -> str:
    """Store a new session, and return its id."""
    session = SessionStore()
    session.update(values)
    session.save()
    assert session.session_key is not None
    return str(session.session_key)


def read(session_key: str) -> dict[str, Any]:
    """Return the values of a session; none if it is not stored."""
    return dict(SessionStore(session_key).items())


def stored(database: Db) -> dict[str, Any]:
    """Return the only document."""
    (document,) = database.sessions.find({"session": {"$exists": True}})
    return document
