"""What Django's own tests ask of the table of sessions, answered from MongoDB."""

import asyncio
from datetime import datetime
from typing import Any

from beaker_mongo_soajs.django import SessionStore, find_store


class _Row:
    """One session.

    :param session_key: its id.
    """

    def __init__(self, session_key: str) -> None:
        self.session_key = session_key
        self.expire_date: datetime | None = None

    def __str__(self) -> str:
        return self.session_key

    def get_decoded(self) -> dict[str, Any]:
        """Return what is stored."""
        assert SessionStore().exists(self.session_key)
        return SessionStore(self.session_key).load()


class _Rows:
    """All sessions."""

    def get(self, session_key: str) -> _Row:
        """Return a session, which has to exist."""
        assert SessionStore().exists(session_key)
        return _Row(session_key)

    def save(self, session_key: str, session: dict[str, Any], _expire_date: object) -> None:
        """Replace a session."""
        find_store().set(session_key, session)

    def count(self) -> int:
        """Return the number of documents, also of expired sessions."""
        store = find_store()
        return store._collection.count({})

    async def acount(self) -> int:
        """Return the same as :meth:`count`."""
        return await asyncio.to_thread(self.count)

    def clear(self) -> None:
        """Delete all documents."""
        find_store().clear()


class Sessions:
    """The model of the table."""

    objects = _Rows()
