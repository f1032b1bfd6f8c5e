"""What the sessions of all frameworks have in common: their lock, and how they end others."""

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from beaker_mongo_soajs.exceptions import StoreUnavailable
from beaker_mongo_soajs.mongo.outages import OutageLog
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, Changes, changes_between
from beaker_mongo_soajs.sessions.lock import SessionLock
from beaker_mongo_soajs.sessions.record import SessionRecord
from beaker_mongo_soajs.sessions.store import SessionStore
from beaker_mongo_soajs.sessions.user_key import get_user

_outages = OutageLog(logging.getLogger(__name__), "Requests are answered without their sessions.")


class CommonSession:
    """The session of one request. Subclasses hold its values, and load and save them."""

    id: str
    """The session id, which a session that is not stored yet has, too."""
    timeout: float | None
    """The idle timeout in seconds; ``None`` if ``expires`` alone decides."""
    available: bool = True
    """Whether the database answered; otherwise the session is empty and cannot be saved."""

    _other_ids: list[str]
    """More session ids that the request brought; the first that leads to a session counts."""

    @property
    def store(self) -> SessionStore:
        """Return the store of all sessions, for finding and destroying those of a user."""
        raise NotImplementedError

    @property
    def _record(self) -> SessionRecord:
        raise NotImplementedError

    def _load_now(self) -> None:
        """Load the session, or start a new one if it does not exist any more."""
        raise NotImplementedError

    def _save_now(self) -> None:
        """Save what changed."""
        raise NotImplementedError

    @property
    def _is_untouched(self) -> bool:
        """Whether this is a new session without values."""
        raise NotImplementedError

    def _content(self) -> dict[Any, Any]:
        """Return what the session holds, as it is to be stored."""
        raise NotImplementedError

    def _apply(self, changes: Changes) -> None:
        """Change values of the session."""
        raise NotImplementedError

    def _take_back(self) -> None:
        """Restore the session as it was loaded or last saved."""
        raise NotImplementedError

    @functools.cached_property
    def _lock(self) -> SessionLock:
        return SessionLock(self.store.config)

    def lock(self, timeout: float | None = None) -> None:
        """Lock the session against other requests, in all processes, and load it again.

        Unsaved changes of this request are kept. Call :meth:`unlock` afterwards, or use
        :meth:`locked`, which does both. Locks of one request can be nested.

        :param timeout: seconds to wait at most; four times ``store.lockLease`` by default.
        :raises LockTimeout: if the lock is not acquired in time.
        :raises StoreUnavailable: when the database does not answer.
        """
        if self.available and self._lock.acquire(self._record.id or self.id, timeout):
            try:
                self._load_again()
            except BaseException:
                self._lock.release()
                raise

    def unlock(self) -> None:
        """Save the session, and unlock it.

        :raises LockTimeout: if this process was stopped for longer than the lease; nothing is
            saved then.
        :raises SerializationError: as ``save()``; the session is unlocked all the same.
        :raises StoreUnavailable: the same.
        """
        try:
            if self._lock.is_last and not self._is_untouched:
                self._lock.check()
                self._save_now()
        finally:
            self._lock.release()

    @contextmanager
    def locked(self, timeout: float | None = None) -> Iterator[None]:
        """Hold the session's lock while a block runs: ``with session.locked(timeout=5): …``.

        The session is loaded again when the block begins, and saved when it ends. If the block
        raises an error, nothing is saved, and the session is as it was loaded.

        :param timeout: as for :meth:`lock`.
        :raises LockTimeout: as :meth:`lock` and :meth:`unlock`.
        """
        self.lock(timeout)
        try:
            yield
        except BaseException:
            if self.available and self._lock.is_last:
                self._take_back()
            self._lock.release()
            raise
        self.unlock()

    def destroy_others(self, **fields: object) -> int:
        """Save the session, and delete all other sessions in which some keys have certain values.

        After a change of the password, for example::

            session.regenerate_id()
            session.destroy_others()

        :param fields: as for :meth:`~beaker_mongo_soajs.SessionStore.find`. Without any, the
            sessions of the same user are deleted: those with the same value under the key that
            ``store.userKey`` names.
        :returns: how many sessions were deleted.
        :raises ValueError: without fields, if the session has no user.
        :raises ConfigError: with ``stringify``.
        :raises StoreUnavailable: when the database does not answer.
        """
        user = None if fields else get_user(self._content(), self.store.config.store.user_key)
        self._save_now()
        if fields:
            return self.store.destroy_where(self._record.stored_id, **fields)
        return self.store.destroy_user(user, self._record.stored_id)

    @property
    def handle(self) -> str | None:
        """Return the public name of this session, if it is stored.

        ``store.find`` returns the same for it: ``id.handle``.
        """
        stored_id = self._record.stored_id
        return None if stored_id is None else stored_id.handle

    @property
    def _continues_in_outages(self) -> bool:
        return self.store.config.store.on_unavailable == "anonymous"

    def _if_available(self, act: Callable[[], object]) -> None:
        """Call a function whose effect a request can do without during an outage."""
        try:
            act()
        except StoreUnavailable as error:
            if not self._continues_in_outages:
                raise
            self._report_outage(error)

    def _stay_anonymous(self, error: StoreUnavailable) -> None:
        """Become an empty session that is not saved, for the rest of the request."""
        self._report_outage(error)
        self.available = False

    def _report_outage(self, error: Exception) -> None:
        """Log that a request continues without its session, at most once a minute."""
        _outages.report(error)

    def _find_first(self, now: float) -> dict[Any, Any] | None:
        """Load the session of the first id that exists, and use that id."""
        other_ids, self._other_ids = self._other_ids, []
        session = self._find(self._record.id or self.id, now)
        while session is None and other_ids:
            self.id = other_ids.pop(0)
            session = self._find(self.id, now)
        return session

    def _find(self, session_id: str, now: float) -> dict[Any, Any] | None:
        """Load the stored session, unless it is past its timeout."""
        record = self._record
        session: dict[Any, Any] | None = record.find(session_id, self.timeout)
        timeout = record.idle_seconds or self.timeout
        if session is None or timeout is None or record.ends_by_date:
            return session
        if now - session.get(ACCESSED_TIME, now) <= timeout:
            return session
        self._time_out()
        record.forget()
        return None

    def _time_out(self) -> None:
        """Remove a session that is past its timeout."""
        self._record.remove()

    def _load_again(self) -> None:
        if self._is_unsaved():
            return
        changes = changes_between(self._record.session(), self._content())
        self._load_now()
        if not self._is_unsaved():
            self._apply(changes)

    def _is_unsaved(self) -> bool:
        return self._record.id is None
