"""The session middleware of the demo, in each of its forms, on one collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from wsgiref.types import WSGIApplication

import beaker.middleware
from pymongo.monitoring import CommandListener

from beaker_mongo_soajs import SessionMiddleware, SessionStore

SESSION_COOKIE = "demo_session"
LIFETIME_SECONDS = 600
SELECTION_TIMEOUT_MS = 1_000


def selection_timeout(url: str) -> dict[str, Any]:
    """Return a short server selection timeout, unless a connection string sets one.

    :param url: the connection string.
    """
    is_set = "serverselectiontimeoutms=" in url.lower()
    return {} if is_set else {"serverSelectionTimeoutMS": SELECTION_TIMEOUT_MS}


class Shops:
    """The application within MongoSession, and within Beaker's own Session.

    :param application: the application.
    :param url: the connection string.
    :param database: the name of the database.
    :param listener: hears the commands.
    """

    def __init__(
        self, application: WSGIApplication, url: str, database: str, listener: CommandListener
    ) -> None:
        self.dbconfig: Mapping[str, object] = {
            "url": url,
            "name": database,
            "URLParam": {**selection_timeout(url), "event_listeners": [listener]},
        }
        common = {
            "session.dbConfig": self.dbconfig,
            "session.key": SESSION_COOKIE,
            # A real application keeps its secret out of its code.
            "session.secret": "a secret of the demo, which is no secret",
            "session.timeout": LIFETIME_SECONDS,
            "session.httponly": True,
            "session.secure": False,
        }
        self._mongo_session = {
            form: SessionMiddleware(application, common | {"session.stringify": form})
            for form in (False, True)
        }
        self._plain = {
            form: beaker.middleware.SessionMiddleware(
                application,
                common | {"session.type": "ext:mongodb_soajs", "session.stringify": form},
            )
            for form in (False, True)
        }

    def get(self, *, stringify: bool, plain: bool) -> WSGIApplication:
        """Return the application.

        :param stringify: whether new sessions are stored as JSON text.
        :param plain: whether sessions are Beaker's own, with ``session.type`` alone.
        """
        return self._plain[stringify] if plain else self._mongo_session[stringify]

    def store(self, *, stringify: bool) -> SessionStore:
        """Return the sessions.

        :param stringify: as for :meth:`get`.
        """
        return self._mongo_session[stringify].store
