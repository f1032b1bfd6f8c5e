"""A session for frameworks that make the cookie themselves. It is loaded on first use."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from beaker_mongo_soajs.exceptions import BeakerMongoError, SerializationError, StoreUnavailable
from beaker_mongo_soajs.log_records import warn
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, Changes, changes_between
from beaker_mongo_soajs.sessions.common import CommonSession
from beaker_mongo_soajs.sessions.document import first_time
from beaker_mongo_soajs.sessions.lifetime import CREATION_TIME, check_idle_seconds
from beaker_mongo_soajs.sessions.record import SessionRecord
from beaker_mongo_soajs.sessions.session_ids import new_session_id
from beaker_mongo_soajs.sessions.store import SessionStore

logger = logging.getLogger(__name__)

_OWN_KEYS = frozenset({CREATION_TIME, ACCESSED_TIME})


class LazySession(CommonSession):
    """The session of one request, as a dict of values without Beaker's times.

    :param store: the store of the sessions.
    :param ids: the session ids that the request brought.
    """

    modified: bool = False
    """Whether the application changed a value, or asks for a save."""
    ignored_keys: frozenset[str] = frozenset()
    """A session with these keys alone counts as empty."""

    # From the load on.
    _created: float
    _accessed: float
    _is_cleared: bool
    _is_new: bool

    def __init__(self, store: SessionStore, ids: Sequence[str]) -> None:
        self._store = store
        self._own_record = store.record()
        self.timeout = store.timeout
        self.id, *self._other_ids = ids or [new_session_id()]
        self.has_cookie = bool(ids)
        self._values: dict[Any, Any] | None = None
        self._has_failed = False

    @property
    def store(self) -> SessionStore:
        """Return the store of all sessions, for finding and destroying those of a user."""
        return self._store

    @property
    def created(self) -> float:
        """Return when the session began, in seconds since 1970.

        For a session that another application began, that is its last use before this request.
        """
        self.load_if_needed()
        return self._created

    def regenerate_id(self) -> None:
        """Give the session a new id, at the next save or at the end of the request.

        Two ids are never valid at the same time. If the change fails or the process crashes, the
        old id stays valid.
        """
        self.load_if_needed()
        self.id = new_session_id()
        self.modified = True

    def set_lifetime(self, seconds: float | None) -> None:
        """Save the session with a lifetime of its own: "remember me".

        It replaces the configured lifetime, also for the cookie.

        :param seconds: the lifetime; ``None`` for the configured one.
        :raises ValueError: it is not a positive number.
        :raises StoreUnavailable: when the database does not answer.
        """
        if seconds is not None:
            check_idle_seconds(seconds)
        self.modified = True
        self.save()
        self._record.set_lifetime(seconds)

    @property
    def lifetime(self) -> float | None:
        """Return the lifetime that :meth:`set_lifetime` gave the session, in seconds."""
        self.load_if_needed()
        return self._record.idle_seconds

    @property
    def handle(self) -> str | None:
        """Return the public name of this session; see :attr:`CommonSession.handle`."""
        self.load_if_needed()
        return super().handle

    def lock(self, timeout: float | None = None) -> None:
        """Lock the session; see :meth:`CommonSession.lock`."""
        # Of several cookies, only one leads to the session.
        self.load_if_needed()
        super().lock(timeout)

    @property
    def is_loaded(self) -> bool:
        """Return whether the session was loaded."""
        return self._values is not None

    def load_if_needed(self) -> dict[Any, Any]:
        """Load the session, unless that was done before, and return its values.

        :raises StoreUnavailable: when the database does not answer.
        """
        if self._values is None:
            self._load_now()
        assert self._values is not None
        return self._values

    def save(self) -> None:
        """Save what changed, before the end of the request.

        :raises SerializationError: for a value that cannot be stored, naming its path.
        :raises StoreUnavailable: when the database does not answer.
        """
        self.load_if_needed()
        if not self.available:
            return
        was_stored = not self._is_unsaved()
        try:
            self._record.save(self.id, self._content(), self._changes())
        except StoreUnavailable as error:
            # Without a session nothing was loaded, so the outage is noticed here.
            if not (self._is_new and self._continues_in_outages):
                raise
            self._stay_anonymous(error)
        self._is_cleared = False
        if was_stored and self._is_unsaved():
            # It was removed. The old id is not used again.
            self.id = new_session_id()

    def clear(self) -> None:
        """Remove all values, and end the session at the next save: log out.

        A session whose last key was removed in another way continues, because another request may
        have added a key meanwhile.
        """
        self.load_if_needed().clear()
        self._is_cleared = self.modified = True

    def copy(self) -> dict[Any, Any]:
        """Return a dict with the values."""
        return dict(self.load_if_needed())

    def delete(self) -> None:
        """End the session at once; the cookie is deleted at the end of the request.

        A value that is set afterwards begins a new session.

        :raises StoreUnavailable: when the database does not answer.
        """
        self.clear()
        self.save()

    def end(self, *, refreshes: bool) -> str | None:
        """Save the session at the end of a request, if it changed or is to be refreshed.

        :param refreshes: whether an unchanged session is to be refreshed.
        :returns: the id for the cookie; an empty text to delete the cookie, ``None`` to leave it.
        """
        if self._has_failed:
            # The error is being answered; it would only occur again.
            return None
        is_changed = self.modified or self._is_changed()
        if not self.available or not (refreshes or is_changed):
            return None
        self._has_failed = True
        if is_changed:
            self.save()
        else:
            self._if_available(self.save)
        self._has_failed = False
        if not self.available or self._record.is_destroyed or self._record.is_moved:
            # Another request ended the session, or gave it a new id. The browser has to keep the
            # cookie of that request.
            return None
        return self._record.id or ("" if self.has_cookie else None)

    def load_unused(self) -> bool:
        """Load a session that the application did not use, without an error.

        :returns: whether it is loaded.
        """
        if not self._has_failed:
            try:
                self.load_if_needed()
            except BeakerMongoError as error:
                self._report_outage(error)
        return self.is_loaded

    @property
    def _record(self) -> SessionRecord:
        return self._own_record

    def _load_now(self) -> None:
        now = time.time()
        session = None
        self._has_failed = True
        try:
            if self.has_cookie or not self._is_unsaved():
                session = self._find_first(now)
        except StoreUnavailable as error:
            if not self._continues_in_outages:
                raise
            self._stay_anonymous(error)
        except SerializationError as error:
            warn(
                logger,
                "A session cannot be read; its visitor gets a new one. %s",
                error,
                event="session.unreadable",
                collection=self.store.namespace,
            )
        self._has_failed = False
        self._is_new = session is None
        if session is None:
            self._record.forget()
            self.id = new_session_id()
        self._accessed = now
        self._become(session or {})

    def _save_now(self) -> None:
        self.save()

    def _become(self, session: dict[Any, Any]) -> None:
        times = [session.pop(key, None) for key in (CREATION_TIME, ACCESSED_TIME)]
        self._created = first_time(*times, self._accessed)
        self._values = session
        self._is_cleared = False

    @property
    def _is_untouched(self) -> bool:
        return self._is_unsaved() and not self._content()

    def _content(self) -> dict[Any, Any]:
        values = self.load_if_needed()
        if values.keys() <= self.ignored_keys and (self._is_cleared or self._is_unsaved()):
            return {}
        return {**values, CREATION_TIME: self._created, ACCESSED_TIME: self._accessed}

    def _changes(self) -> Changes | None:
        """Return what changed since the session was loaded; ``None`` if its id did, too."""
        if self._record.id != self.id:
            return None
        return changes_between(self._record.session(), self._content())

    def _is_changed(self) -> bool:
        changes = None if self._values is None else self._changes()
        return changes is not None and bool(changes.removed or changes.assigned.keys() - _OWN_KEYS)

    def _apply(self, changes: Changes) -> None:
        values = self.load_if_needed()
        for key in changes.removed:
            values.pop(key, None)
        values.update(changes.assigned)
        values.pop(CREATION_TIME, None)

    def _take_back(self) -> None:
        self._become(self._record.session())
