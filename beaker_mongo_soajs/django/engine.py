"""Django's session, stored in MongoDB."""

import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeGuard, TypeVar

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import VALID_KEY_CHARS, CreateError, UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted

from beaker_mongo_soajs.django.content import Times, with_storable_values
from beaker_mongo_soajs.django.lockable import ID_LENGTH, LockableSession
from beaker_mongo_soajs.django.settings import find_store
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.log_records import warn
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.lifetime import MOST_SECONDS
from beaker_mongo_soajs.sessions.record import SessionRecord

logger = logging.getLogger("django.security.SuspiciousSession")

_EXPIRY = "_session_expiry"
_ID = re.compile(f"[{VALID_KEY_CHARS}]{{{ID_LENGTH}}}")

_Result = TypeVar("_Result")


class SessionEnded(UpdateError, SessionInterrupted):
    """Another request ended the session or changed its id. Django answers with status 400."""


class SessionStore(LockableSession):
    """A session of Django that is stored in MongoDB.

    ::

        SESSION_ENGINE = "beaker_mongo_soajs.django"
        BEAKER_MONGO = {"url": "mongodb://127.0.0.1:27017", "name": "core_session"}

    In contrast to Django's own engines:

    - A save writes only the keys that changed, so that requests at the same time do not undo each
      other's changes.
    - What a request saves after another one called :meth:`cycle_key` is saved under the new id.
    - :meth:`locked` gives one request at a time access to the session, across all processes.
    - Values come back with their types. ``SESSION_SERIALIZER`` is used for values that a document
      cannot hold.

    Methods that use the database raise :class:`~beaker_mongo_soajs.StoreUnavailable` if it does
    not answer. Those that save raise :class:`~beaker_mongo_soajs.SerializationError` for a value
    that cannot be stored.

    :param session_key: the session id that the browser sent.
    """

    @classmethod
    def clear_expired(cls) -> None:
        """Delete the sessions that have expired, as ``manage.py clearsessions`` does."""
        find_store().delete_expired()

    def exists(self, session_key: str | None) -> bool:
        """Check whether a session is stored.

        :param session_key: its id.
        """
        return _is_id(session_key) and self.store.record().load(session_key)

    def load(self) -> dict[str, Any]:
        """Return the session as it is stored; if it is not, an empty one without an id."""
        record = self.store.record()
        session = self._load_from(record)
        # Changes are what differs from what the cached session was loaded from.
        is_cached = hasattr(self, "_session_cache")
        if session is None:
            if not is_cached:
                self._own_record = self._session_key = None
            return {}
        times = Times.pop(session)
        if not is_cached:
            self._own_record, self._times = record, times
        return session

    def create(self) -> None:
        """Store the session under a new id."""
        data = self._get_session(no_load=True)
        session_key = self._get_new_session_key()
        while not self._insert(session_key, data):
            session_key = self._get_new_session_key()
        self._session_key = session_key
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        """Save what changed.

        :param must_create: store a new session instead.
        :raises SessionEnded: another request ended the session, and nothing was saved; or it
            changed the id, and the changes were saved under the new one, which this request must
            not get to know.
        :raises CreateError: with ``must_create``, if there is a session with the id.
        """
        data = self._get_session(no_load=must_create)
        # An id that the store does not know is never adopted: load() has removed it.
        if self.session_key is None:
            self.create()
        elif not must_create:
            self._update(self.session_key, data)
        elif not self._insert(self.session_key, data):
            raise CreateError

    def delete(self, session_key: str | None = None) -> None:
        """Delete a session from the store.

        :param session_key: its id; this session's by default.
        """
        session_key = self.session_key if session_key is None else session_key
        if _is_id(session_key):
            self.store.destroy(session_key)
        if session_key == self.session_key:
            self._own_record = None

    def cycle_key(self) -> None:
        """Give the session a new id, at once.

        :raises SessionEnded: another request ended the session.
        """
        data, record = self._session, self._record
        if record.id is None:
            super().cycle_key()
            return
        session_key = self._get_new_session_key()
        self._write(record, data, lambda session: record.save(session_key, session))
        if record.is_destroyed:
            raise _ended()
        if record.is_moved:
            # Another request changed the id first. This one, a second click on a login button for
            # example, continues with a copy, as with Django's own engines.
            self.create()
            return
        self._session_key = session_key
        self._set_lifetime(record, data)
        self.modified = True

    async def acycle_key(self) -> None:
        """Give the session a new id, as :meth:`cycle_key` does."""
        await sync_to_async(self.cycle_key)()

    def _load_from(self, record: SessionRecord) -> dict[str, Any] | None:
        if not _is_id(self.session_key):
            return None
        try:
            session: dict[str, Any] | None = record.find(self.session_key)
        except SerializationError as error:
            warn(
                logger,
                "A session cannot be read; its visitor gets a new one. %s",
                error,
                event="session.unreadable",
                collection=self.store.namespace,
            )
            return None
        idle_seconds = record.idle_seconds
        if session is None or idle_seconds is None or record.ends_by_date:
            return session
        is_over = time.time() - session.get(ACCESSED_TIME, 0) > idle_seconds
        return None if is_over else session

    def _insert(self, session_key: str, data: dict[str, Any]) -> bool:
        """Store a new session; return whether no session had the id."""
        record, self._times = self.store.record(), Times()
        if not self._write(record, data, lambda session: record.create(session_key, session)):
            return False
        self._own_record = record
        self._set_lifetime(record, data)
        return True

    def _update(self, session_key: str, data: dict[str, Any]) -> None:
        """Save the changes of a stored session."""
        record = self._record
        if record.id is None:
            # clear() does not load the session.
            if not record.load(session_key):
                raise _ended()
            self._times = Times.pop(record.session())
        self._write(record, data, lambda session: record.save(session_key, session))
        if record.is_destroyed or record.is_moved:
            raise _ended()
        self._set_lifetime(record, data)

    def _write(
        self,
        record: SessionRecord,
        data: dict[str, Any],
        send: Callable[[dict[str, Any]], _Result],
    ) -> _Result:
        """Call a function that stores a session, or raises an error before it changes anything."""
        session = self._times.add_to(data)
        try:
            return send(session)
        except SerializationError:
            return send(with_storable_values(session, record.check, self.serializer()))

    def _set_lifetime(self, record: SessionRecord, data: dict[str, Any]) -> None:
        """Store what set_expiry() set, if it is another than before."""
        expiry = data.get(_EXPIRY)
        if not expiry:
            record.set_lifetime(None)
        elif isinstance(expiry, int | float) and expiry > 0:
            record.set_lifetime(min(expiry, MOST_SECONDS))
        else:
            date: datetime = self.get_expiry_date(expiry=expiry)
            ends = date.astimezone(UTC).replace(tzinfo=None)
            # MongoDB stores milliseconds.
            record.set_lifetime(None, ends.replace(microsecond=ends.microsecond // 1000 * 1000))


def _is_id(session_key: object) -> TypeGuard[str]:
    return isinstance(session_key, str) and _ID.fullmatch(session_key) is not None


def _ended() -> SessionEnded:
    return SessionEnded(
        "The session has ended, or has a new id, since this request loaded it: another request "
        "logged in or out. Load the page again."
    )
