"""MongoSession: a Beaker session with the protections that a backend cannot add."""

import logging
import time
from datetime import timedelta
from typing import Any

from beaker_mongo_soajs.backend.identity_cache import IdentityCache
from beaker_mongo_soajs.backend.response_headers import mark_response_above
from beaker_mongo_soajs.backend.session_options import SESSION_TYPE
from beaker_mongo_soajs.exceptions import SerializationError, StoreUnavailable
from beaker_mongo_soajs.log_records import warn
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.namespace import MongoNamespaceManager, SessionNamespaceManager
from beaker_mongo_soajs.session_cookie import SessionSettings
from beaker_mongo_soajs.session_lock import CREATION_TIME, LockableSession
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, changes_between
from beaker_mongo_soajs.sessions.document import first_time, is_time
from beaker_mongo_soajs.sessions.express import with_max_age
from beaker_mongo_soajs.sessions.lifetime import check_idle_seconds
from beaker_mongo_soajs.sessions.record import COOKIE_KEYS
from beaker_mongo_soajs.sessions.session_ids import is_possible_id, new_session_id

logger = logging.getLogger(__name__)

_settings: IdentityCache[SessionSettings] = IdentityCache()


class MongoSession(LockableSession):
    """A session of Beaker that is stored in MongoDB and protected against known attacks.

    With Beaker's own ``SessionMiddleware``, or with pyramid_beaker::

        {"session.type": "ext:mongodb_soajs", "session.session_class": MongoSession,
         "session.name": "core_session"}

    It stores the same documents as ``session.type = ext:mongodb_soajs`` alone, so that an
    application can switch between the two at any time. In addition:

    - It reads the ``Cookie`` header itself, so that cookies of other sites and scripts do not hide
      the session's cookie.
    - An id of a cookie that the store does not contain is never adopted, and new ids have 192
      random bits.
    - :meth:`invalidate`, :meth:`regenerate_id` and :meth:`delete` remove the old document. A
      session past its timeout is removed when a request loads it.
    - :meth:`locked` gives one request at a time access to the session, across all processes.
    - With ``store.onUnavailable = anonymous``, a request gets an empty session while the database
      does not answer, and :attr:`available` is false.

    It takes the arguments of ``beaker.session.Session`` and the dbConfig. ``httponly`` is on by
    default. With ``use_cookies`` off, loading a session does not move its times.

    :param request: Beaker's dict of cookies. With ``use_cookies`` off, it may be anything.
    :param id: the id of another session than the visitor's. With ``use_cookies`` off, a new session
        gets this id if there is none, so it must not come from a client.
    :param type: ``ext:mongodb_soajs``, or nothing.
    :param httponly: whether scripts in the browser cannot read the cookie.
    :param invalidate_corrupt: whether a visitor whose session cannot be read gets a new one.
    :param options: Beaker's other session options, and the dbConfig.
    :raises ConfigError: when the options cannot be used.
    :raises StoreUnavailable: when the database does not answer, also with ``invalidate_corrupt``.
    :raises SerializationError: when the document cannot be read, without ``invalidate_corrupt``.
    """

    def __init__(
        self,
        request: Any,
        id: str | None = None,  # noqa: A002 - Beaker's name
        type: str | None = None,  # noqa: A002 - Beaker's name
        httponly: bool | None = True,
        invalidate_corrupt: bool = False,
        **options: Any,
    ) -> None:
        options |= {"type": type, "httponly": httponly}
        self._settings = settings = _settings.get(options, SessionSettings)
        # Beaker would treat every error as a corrupt session, even an outage.
        self._replaces_corrupt = invalidate_corrupt
        self._is_over = False
        self._created = time.time()
        # Without cookies, the application chose the id.
        self._keeps_id = bool(id) and not settings.uses_cookies
        if not settings.uses_cookies and not isinstance(request, dict):
            # Beaker does not read it then, and applications pass that of Pyramid.
            request = {}
        # Beaker's middleware asks for this even with use_cookies off.
        request.setdefault("set_cookie", False)
        # Beaker's own parser gives up at many cookies of others, so it gets none.
        header = request.pop("cookie", None)
        ids = [id] if id else settings.cookie_ids(header)
        self._other_ids = ids[1:]
        self._ids_with_old_secret: set[str] = set()
        if settings.has_old_secrets and not id:
            # Their cookies are signed again, so that the old secret can be removed some day.
            newest = settings.cookie_ids(header, from_old_secrets=False)
            self._ids_with_old_secret = set(ids).difference(newest)
        try:
            super().__init__(
                request,
                id=ids[0] if ids else None,
                type=SESSION_TYPE,
                namespace_class=MongoNamespaceManager,
                **settings.options,
            )
        finally:
            request["cookie"] = header
        if self._own_record is None:
            # A visitor who brings no id has loaded nothing that would have checked the cipher.
            self._own_record = self._make_record()
        # Beaker forgets this for a visitor who brings no id.
        self.accessed_dict = self.accessed_dict or dict(self)

    def __repr__(self) -> str:
        # A dict's repr would show the session's data in logs and error pages.
        return f"<{type(self).__name__} with {len(self)} keys>"

    @property
    def namespace(self) -> MongoNamespaceManager:
        """Return Beaker's view of what is stored."""
        return SessionNamespaceManager(self.id, **self.namespace_args)

    def load(self) -> None:
        """Load the session, or start a new one if it does not exist.

        :raises StoreUnavailable: when the database does not answer.
        :raises SerializationError: when the document cannot be read, without
            ``invalidate_corrupt``.
        """
        if self.use_cookies:
            self.request["set_cookie"] = True
        now = time.time()
        try:
            session = self._find_first(now)
        except StoreUnavailable as error:
            if not self._continues_in_outages:
                raise
            self.clear()
            self._stay_anonymous(error)
            return
        except SerializationError as error:
            if not self._replaces_corrupt:
                raise
            warn(
                logger,
                "A session cannot be read; its visitor gets a new one. %s",
                error,
                event="session.unreadable",
                collection=self.store.namespace,
            )
            self.was_invalidated = True
            session = None
        keeps_id, self._keeps_id = self._keeps_id, False
        if session is None:
            self._start(keeps_id=keeps_id and not self.was_invalidated and is_possible_id(self.id))
            return
        self.last_accessed = session.get(ACCESSED_TIME)
        self._hold(session, now)
        if self._settings.is_rolling and isinstance(self.cookie_expires, timedelta):
            self._update_cookie_out()
        if not self.save_atime and self.use_cookies:
            self._if_available(self._record.extend_if_half_over)
        if self.id in self._ids_with_old_secret:
            self._update_cookie_out()

    def save(self, accessed_only: bool = False) -> None:
        """Save what changed.

        :param accessed_only: save only the access time, of a session without changes.
        :raises SerializationError: for a value that cannot be stored, naming its path.
        :raises StoreUnavailable: when the database does not answer.
        """
        if self.available:
            self._save_changes(accessed_only)
        if self.use_cookies and not self._settings.adds_headers:
            mark_response_above(self.request)

    def _save_changes(self, accessed_only: bool) -> None:
        if accessed_only:
            if self._record.id not in (None, self.id):
                self._move()
            elif self.save_atime and not self.is_new:
                accessed_time = self.accessed_dict[ACCESSED_TIME]
                self._if_available(lambda: self._record.touch(accessed_time))
            return
        self._save()
        if self.use_cookies and self.is_new and self.available:
            self.request["set_cookie"] = True

    def delete(self) -> None:
        """Delete the session from the store, and the cookie from the browser.

        A later save stores a new session.

        :raises StoreUnavailable: when the database does not answer.
        """
        self._record.remove()
        self._is_over = True
        cookie_expires = self.cookie_expires
        super().delete()
        # Beaker leaves the past date that removes the cookie.
        self.cookie_expires = cookie_expires

    def invalidate(self) -> None:
        """Delete the session from the store, and continue with an empty one under a new id.

        :raises StoreUnavailable: when the database does not answer.
        """
        self._record.remove()
        self.was_invalidated = True
        self._start()

    def regenerate_id(self) -> None:
        """Give the session a new id, at the next save or at the end of the request.

        Two ids are never valid at the same time. If the change fails or the process crashes, the
        old id stays valid.
        """
        self._create_id(set_new=False)
        if not self.save_atime:
            # Beaker's middleware does not save a session that only has a new id.
            self.save(accessed_only=True)

    def set_lifetime(self, seconds: float | None) -> None:
        """Save the session with a lifetime of its own: "remember me".

        It replaces the idle timeout and the expiry of the cookie, and is kept when the session gets
        a new id. The session is saved at once; this costs one command more than a save.

        :param seconds: the lifetime; ``None`` for the configured ones.
        :raises ValueError: it is not a positive number.
        :raises StoreUnavailable: when the database does not answer.
        """
        if seconds is not None:
            check_idle_seconds(seconds)
        configured = self._settings.options.get("cookie_expires", True)
        if seconds is not None or not isinstance(configured, bool | timedelta):
            configured = timedelta(seconds=configured if seconds is None else seconds)
        self.cookie_expires = configured
        if self._express_cookie is not None:
            max_age = self._new_express_cookie().max_age_seconds
            self._express_cookie = with_max_age(self._express_cookie, max_age, utc_now())
        if self.use_cookies:
            self._update_cookie_out()
        self.save()
        self._record.set_lifetime(seconds)

    @property
    def created(self) -> float:
        """Return when the session began, in seconds since 1970.

        For a session that another application began, that is its last use before this request.
        """
        created = self.get(CREATION_TIME)
        return float(created) if is_time(created) else self._created

    def _create_id(self, set_new: bool = True) -> None:
        self.id = new_session_id()
        if set_new:
            self.is_new = True
            self.last_accessed = None
        if self.use_cookies:
            self._update_cookie_out(set_cookie=not set_new)

    def _update_cookie_out(self, set_cookie: bool = True) -> None:
        # While nothing can be saved, the browser keeps its cookie.
        if self.available:
            super()._update_cookie_out(set_cookie)

    def _find_first(self, now: float) -> dict[Any, Any] | None:
        first_id = self.id
        session = super()._find_first(now)
        if session is not None and self.id != first_id:
            self.was_invalidated = False
        return session

    def _time_out(self) -> None:
        if self.use_cookies:
            super()._time_out()
        self.was_invalidated = True

    def _hold(self, session: dict[Any, Any], now: float) -> None:
        """Become a loaded session."""
        self._created = first_time(session.get(CREATION_TIME), session.get(ACCESSED_TIME), now)
        session[ACCESSED_TIME] = now
        self.clear()
        self.update(session)
        if self._record.idle_seconds is not None:
            self.cookie_expires = timedelta(seconds=self._record.idle_seconds)
        elif self._settings.is_express:
            self.cookie_expires = True
        if self._settings.is_express:
            self._express_cookie = self._record.native_cookie
        self.accessed_dict = session

    def _start(self, *, keeps_id: bool = False) -> None:
        """Become a new session."""
        self.clear()
        self._record.forget()
        self._is_over = False
        self._forget_cookie()
        if keeps_id:
            self.is_new = True
        else:
            self._create_id()
        self[ACCESSED_TIME] = self[CREATION_TIME] = self._created = time.time()
        self.accessed_dict = dict(self)

    def _forget_cookie(self) -> None:
        """Use the configured cookie again: an earlier session may have had one of its own."""
        if self.config.store.express_cookie:
            self.cookie_expires = self._settings.options.get("cookie_expires", True)
            self._express_cookie = None

    def _stay_anonymous(self, error: StoreUnavailable) -> None:
        super()._stay_anonymous(error)
        self.is_new = True
        self.last_accessed = None
        self[ACCESSED_TIME] = self[CREATION_TIME] = self._created = time.time()
        self.accessed_dict = dict(self)
        if self.use_cookies:
            self.request.update(cookie_out=None, set_cookie=False)

    def _save(self) -> None:
        record = self._record
        if self._is_over and not self.keys() <= COOKIE_KEYS:
            # The old id is not used again.
            self._is_over = False
            self._forget_cookie()
            self._create_id()
            for key in (CREATION_TIME, ACCESSED_TIME):
                self.setdefault(key, time.time())
        if not self.keys() <= COOKIE_KEYS:
            # The application may have cleared the session before it filled it again.
            self.setdefault(CREATION_TIME, self._created)
        try:
            was_stored = record.id is not None
            renews_cookie = self._renews_cookie
            record.save(self.id, self._content())
            if renews_cookie:
                self._update_cookie_out()
            # An emptied session was removed.
            is_removed = record.id is None and not record.is_destroyed
            self._is_over |= was_stored and is_removed
        except StoreUnavailable as error:
            # Without a session nothing was loaded, so the outage is noticed here.
            if not self.is_new or not self._continues_in_outages:
                raise
            self._stay_anonymous(error)
        if record.is_destroyed or record.is_moved:
            self._keep_cookie()

    @property
    def _renews_cookie(self) -> bool:
        """Whether a save sends the cookie of Express again: it expires, and the session changes."""
        if self._express_cookie is None or not isinstance(self.cookie_expires, timedelta):
            return False
        if not self.use_cookies or self._record.id is None:
            return False
        return bool(changes_between(self._record.session(), self._content()))

    def _move(self) -> None:
        """Save the stored session under the new id, without unsaved changes."""
        times = {ACCESSED_TIME: self.accessed_dict[ACCESSED_TIME]}
        self._record.save(self.id, self._record.session() | times)
        if self._record.is_destroyed or self._record.is_moved:
            self._keep_cookie()

    def _keep_cookie(self) -> None:
        # Another request gave the session a new id, or ended it; the browser has to keep the cookie
        # of that request.
        if self.use_cookies:
            self.request.update(cookie_out=None, set_cookie=False)
