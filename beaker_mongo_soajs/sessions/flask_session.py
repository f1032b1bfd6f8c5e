"""Sessions that Flask-Session stored in MongoDB: ``{id, val, expiration}``."""

import dataclasses
import logging
import time
from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from typing import Any

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import ConfigError, SerializationError
from beaker_mongo_soajs.log_records import warn
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import Document, utc_now
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.lifetime import CREATION_TIME
from beaker_mongo_soajs.sessions.record import SessionRecord
from beaker_mongo_soajs.sources.mongodb import read_flask

logger = logging.getLogger(__name__)


class FlaskSessionDocuments:
    """Move sessions out of the collection of Flask-Session, each when a request brings its id.

    :param config: the configuration of the new sessions, whose server is used.
    :param settings: the settings of Flask-Session; those that are missing have its defaults.
    :raises ConfigError: a setting is invalid, or msgspec is not installed.
    """

    def __init__(self, config: DbConfig, settings: Mapping[str, Any]) -> None:
        names = {
            "name": settings.get("SESSION_MONGODB_DB", "flask_session"),
            "collection": settings.get("SESSION_MONGODB_COLLECT", "sessions"),
        }
        client = settings.get("SESSION_MONGODB")
        if client is not None:
            old_config = DbConfig.from_options({"client": client, **names})
        else:
            # With other names, it still shares the client of the new sessions.
            named = DbConfig.from_options({"servers": "127.0.0.1", **names})
            old_config = dataclasses.replace(config, database=named.database)
        self._collection = StoreCollection(old_config, names["collection"])
        self._prefix = str(settings.get("SESSION_KEY_PREFIX", "session:"))
        if find_spec("msgspec") is None:
            raise ConfigError(
                "The sessions of Flask-Session cannot be read: msgspec is not installed.",
                hint='Install "beaker_mongo_soajs[flask-session]".',
            )

    def move(self, session_id: str, record: SessionRecord) -> dict[Any, Any] | None:
        """Move a session into a record, under its id.

        Several requests may do so at the same time. One of them inserts the new document, and then
        deletes the old one. If there is none to delete, another request has moved and ended the
        session in between, and it is not restored.

        :param session_id: the id from a cookie of Flask-Session.
        :param record: stores the session.
        :returns: the session, or ``None`` if there is none.
        :raises StoreUnavailable: when the database does not answer.
        """
        query: Document = {"id": self._prefix + session_id}
        values = next(filter(None, map(self._read, self._collection.find(query))), None)
        if values is None:
            return None
        now = time.time()
        if record.create(session_id, values | {CREATION_TIME: now, ACCESSED_TIME: now}):
            if not self._collection.delete(query):
                record.remove()
                return None
            return dict(record.session())
        session: dict[Any, Any] | None = record.find(session_id)
        return session

    def _read(self, document: Document) -> dict[Any, Any] | None:
        """Return the session of a document; ``None`` if it has expired or cannot be read."""
        expiration = document.get("expiration")
        if type(expiration) is datetime and expiration <= utc_now():
            return None
        try:
            return read_flask(document.get("val"))
        except SerializationError:
            warn(
                logger,
                "A session in %s is not moved, because it is neither msgpack nor JSON. If "
                "Flask-Session pickled it, load and save it with Flask-Session 0.8 first.",
                self._collection.namespace,
                event="session.unreadable",
                collection=self._collection.namespace,
            )
        return None
