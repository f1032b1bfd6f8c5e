"""The base of Django's session: its record, and its lock."""

from typing import Any

from django.contrib.sessions.backends.base import VALID_KEY_CHARS, SessionBase
from django.utils.crypto import get_random_string

from beaker_mongo_soajs.django.content import Times
from beaker_mongo_soajs.django.settings import find_store
from beaker_mongo_soajs.sessions.changes import Changes
from beaker_mongo_soajs.sessions.common import CommonSession
from beaker_mongo_soajs.sessions.record import SessionRecord
from beaker_mongo_soajs.sessions.store import SessionStore

ID_LENGTH = 32


class LockableSession(CommonSession, SessionBase):
    """A session of Django with a record and a lock. The subclass loads and saves.

    :param session_key: the session id that the browser sent.
    """

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        # Where the cached session was loaded from or saved to.
        self._own_record: SessionRecord | None = None
        self._times = Times()

    @property
    def store(self) -> SessionStore:
        """Return the store of all sessions, for finding and destroying those of a user."""
        return find_store(self.get_session_cookie_age())

    def lock(self, timeout: float | None = None) -> None:
        """Lock the session against other requests, in all processes, and load it again.

        Unsaved changes of this request are kept. Call :meth:`unlock` afterwards, or use
        :meth:`locked`, which does both. Locks of one request can be nested.

        :param timeout: seconds to wait at most; four times ``store.lockLease`` by default.
        :raises LockTimeout: if the lock is not acquired in time.
        :raises StoreUnavailable: if the database does not answer.
        """
        # No other request has the session of a new visitor.
        self.id = self._record.id or self._get_new_session_key()
        super().lock(timeout)

    @property
    def _record(self) -> SessionRecord:
        # Django loads a session on first use.
        self._get_session()
        if self._own_record is None:
            self._own_record = self.store.record()
        return self._own_record

    def _get_new_session_key(self) -> str:
        # Nothing asks whether it exists: 165 random bits never do, and an insert would notice.
        key: str = get_random_string(ID_LENGTH, VALID_KEY_CHARS)
        return key

    def _load_now(self) -> None:
        del self._session_cache
        self._get_session()

    def _save_now(self) -> None:
        self.save()

    @property
    def _is_untouched(self) -> bool:
        return self._is_unsaved() and not self._session

    def _content(self) -> dict[str, Any]:
        return self._times.add_to(self._session)

    def _apply(self, changes: Changes) -> None:
        for key in changes.removed:
            self._session.pop(key, None)
        self._session.update(changes.assigned)
        Times.pop(self._session)

    def _take_back(self) -> None:
        session = self._record.session()
        Times.pop(session)
        self._session_cache = session
