"""A Beaker session that knows its store: what a backend cannot do from below."""

import logging
import secrets
import time
from typing import Any

from beaker.session import Session

from beaker_mongo_soajs.changes import ACCESSED_TIME, changes_between, merged
from beaker_mongo_soajs.document import Form, StoredSession
from beaker_mongo_soajs.exceptions import ConfigError, SerializationError, StoreUnavailable
from beaker_mongo_soajs.namespace import HUSK, MongoNamespaceManager
from beaker_mongo_soajs.outage import OutageLog
from beaker_mongo_soajs.payload import SealedText, Serializer
from beaker_mongo_soajs.stores import Stores, find_stores

logger = logging.getLogger(__name__)

SESSION_TYPE = "ext:mongodb_soajs"

_ID_BYTES = 24
_CREATION_TIME = "_creation_time"

_outages = OutageLog(logger)


class MongoSession(Session):
    """Beaker's session, hardened.

    With Beaker's own ``SessionMiddleware``, or with pyramid_beaker::

        {"session.session_class": MongoSession, "session.name": "core_session"}

    It keeps the documents that ``session.type = ext:mongodb_soajs`` keeps, so that one can be put
    in the place of the other at any time. Beyond that:

    - A request that only reads costs one command, which loads the session and moves its times.
      (Two, where a document holds text or ciphertext.)
    - An id that the store does not know is never adopted, and ids have 192 random bits.
    - :meth:`invalidate`, :meth:`regenerate_id` and :meth:`delete` remove what was stored; a session
    past its timeout is removed when it is met. - With ``store.onUnavailable = anonymous``, a
    request meets an empty session while the database does not answer, and :attr:`available` is
    false.

    Takes the arguments of ``beaker.session.Session`` and the dbConfig; ``httponly`` is on unless it
    is turned off.

    :param request: Beaker's dict of cookies.
    :param id: the id of a session to look at; without it, the cookie's.
    :param type: ``ext:mongodb_soajs`` if anything.
    :param httponly: whether scripts in the browser are kept from the cookie.
    :param options: as above.
    :raises ConfigError: when the options cannot be used.
    :raises StoreUnavailable: when the database does not answer, also with ``invalidate_corrupt``.
    :raises SerializationError: when the document cannot be read, unless ``invalidate_corrupt`` is
        on.
    """

    available: bool
    """Whether the database answered; a session that is not available is empty, and not saved."""

    def __init__(
        self,
        request: dict[str, Any],
        id: str | None = None,  # noqa: A002 - Beaker's name
        type: str | None = None,  # noqa: A002 - Beaker's name
        httponly: bool | None = True,
        **options: Any,
    ) -> None:
        if type not in (None, SESSION_TYPE):
            raise ConfigError(
                f"session.type is {type!r}, and session_class is MongoSession.",
                option="type",
                value=type,
                hint=f"Leave session.type out, or make it {SESSION_TYPE!r}.",
            )
        self.available = True
        self._stored: StoredSession | None = None
        self._left_id: str | None = None
        self._is_destroyed = False
        options["namespace_class"] = MongoNamespaceManager
        super().__init__(request, id=id, type=SESSION_TYPE, httponly=httponly, **options)

    def __repr__(self) -> str:
        # A dict's repr would carry the session's data into logs and error pages.
        return f"<{type(self).__name__} with {len(self)} keys>"

    @property
    def _stores(self) -> Stores:
        options = {key: value for key, value in self.namespace_args.items() if key != "timeout"}
        return find_stores(self.namespace_args.get("timeout"), options)

    def load(self) -> None:
        """Load the session, or start a new one where there is none.

        :raises StoreUnavailable: when the database does not answer.
        :raises SerializationError: when the document cannot be read, unless ``invalidate_corrupt``
            is on.
        """
        if self.use_cookies:
            self.request["set_cookie"] = True
        self.clear()
        now = time.time()
        try:
            session = self._find(now)
        except StoreUnavailable as error:
            # Beaker would take the error for the sign of a corrupt session, and start a new one.
            self.invalidate_corrupt = False
            if self._stores.config.store.on_unavailable != "anonymous":
                raise
            self._stay_anonymous(error)
            return
        except SerializationError as error:
            if not self.invalidate_corrupt:
                raise
            logger.warning("A session cannot be read; its visitor gets a new one. %s", error)
            session = None
        if session is None:
            self._start()
            return
        self.last_accessed = session.get(ACCESSED_TIME)
        session[ACCESSED_TIME] = now
        self.update(session)
        self.accessed_dict = session.copy()

    def save(self, accessed_only: bool = False) -> None:
        """Save what changed.

        :param accessed_only: nothing did; only the times are to move.
        :raises SerializationError: for a value that cannot be stored, naming its path.
        :raises StoreUnavailable: when the database does not answer.
        """
        if not self.available or self._is_destroyed:
            return
        if accessed_only and self._left_id is None and (self.is_new or not self.save_atime):
            return
        if self._left_id is not None:
            self._move(self._left_id, dict(self.accessed_dict if accessed_only else self))
        elif accessed_only:
            self._move_times()
        elif self.keys() <= HUSK:
            self._remove_stored()
        else:
            self._save(dict(self))
        if self.use_cookies and self.is_new and self.available:
            self.request["set_cookie"] = True

    def delete(self) -> None:
        """Delete the session from the store, and the cookie from the browser.

        :raises StoreUnavailable: when the database does not answer.
        """
        self._remove_stored()
        super().delete()

    def invalidate(self) -> None:
        """Delete the session from the store, and go on with an empty one under a new id.

        :raises StoreUnavailable: when the database does not answer.
        """
        self._remove_stored()
        self.was_invalidated = True
        self._start()

    def regenerate_id(self) -> None:
        """Give the session a new id; once it is saved, the old one is dead.

        The old document is removed before the new one is written. A crash between the two logs the
        visitor out; there are never two live ids.
        """
        if self._stored is not None and self._left_id is None:
            self._left_id = self.id
        self._create_id(set_new=False)

    def _create_id(self, set_new: bool = True) -> None:
        # Beaker's own, with more random bits and without a uuid's fixed ones.
        self.id = secrets.token_urlsafe(_ID_BYTES)
        if set_new:
            self.is_new = True
            self.last_accessed = None
        if self.use_cookies:
            self._update_cookie_out(set_cookie=not set_new)

    def _find(self, now: float) -> dict[Any, Any] | None:
        """Load the stored session, if there is one that this visitor may have."""
        stores = self._stores
        if not stores.sessions.is_possible_id(self.id):
            return None
        touches = self.use_cookies and self.save_atime and not stores.config.store.touch_after
        if touches and not stores.config.stringify and not self.encrypt_key:
            stored = stores.sessions.saver.find_and_touch(self.id, now, self.timeout)
        else:
            stored = stores.sessions.load(self.id)
        if stored is None:
            return None
        session = self._session_of(stored)
        if self._is_timed_out(session, now):
            if self.use_cookies:
                stores.sessions.destroy(self.id)
            return None
        self._stored = stored
        return session

    def _session_of(self, stored: StoredSession) -> dict[Any, Any]:
        if stored.form is not Form.SEALED:
            return self._stores.sessions.session_of(stored)
        try:
            session = self._decrypt_data(SealedText(stored.value))
        except SerializationError:
            raise
        except Exception as error:  # noqa: BLE001 - garbage may fail anywhere on its way
            raise SerializationError(
                f"The stored session cannot be decrypted ({type(error).__name__}).",
                path="session",
                hint="Check encrypt_key, validate_key and data_serializer.",
            ) from None
        if not isinstance(session, dict):
            raise SerializationError("The decrypted session is no dict.", path="session")
        return session

    def _is_timed_out(self, session: dict[Any, Any], now: float) -> bool:
        if self.timeout is None or ACCESSED_TIME not in session:
            return False
        # The stored time may lie touchAfter seconds before the true one.
        idle = now - session[ACCESSED_TIME]
        return bool(idle > self.timeout + self._stores.config.store.touch_after)

    def _start(self) -> None:
        """Be a new session."""
        self.clear()
        self._create_id()
        self._stored = self._left_id = None
        self[ACCESSED_TIME] = self[_CREATION_TIME] = time.time()
        self.accessed_dict = dict(self)

    def _stay_anonymous(self, error: StoreUnavailable) -> None:
        _outages.report(error)
        self.available = False
        self.is_new = True
        self.last_accessed = None
        self[ACCESSED_TIME] = self[_CREATION_TIME] = time.time()
        self.accessed_dict = dict(self)
        if self.use_cookies:
            self.request.update(cookie_out=None, set_cookie=False)

    def _serializer(self) -> Serializer | None:
        return "json" if self.data_serializer == "json" else None

    def _move_times(self) -> None:
        stored, saver = self._stored, self._stores.sessions.saver
        if stored is None:
            return
        if stored.form is Form.SEALED:
            text = self._encrypt_data(dict(self.accessed_dict))
            self._stored = saver.save_sealed(self.id, text, stored, accessed_only=True)
        else:
            saver.move_times(stored, self.accessed_dict[ACCESSED_TIME])

    def _save(self, session: dict[Any, Any]) -> None:
        saver = self._stores.sessions.saver
        try:
            if self.encrypt_key:
                self._stores.sessions.check(session)
                text = self._encrypt_data(session)
                self._stored = saver.save_sealed(self.id, text, self._stored, accessed_only=False)
            else:
                self._stored = saver.save(self.id, session, self._stored, self._serializer())
        except StoreUnavailable as error:
            # A visitor without a session had nothing loaded that would have told of the outage.
            if not self.is_new or self._stores.config.store.on_unavailable != "anonymous":
                raise
            self._stay_anonymous(error)

    def _move(self, left_id: str, session: dict[Any, Any]) -> None:
        """Take the session away from its old id, and save it under the new one."""
        sessions, known = self._stores.sessions, self._stored
        sessions.check(session)
        taken = sessions.saver.take(left_id)
        self._left_id = self._stored = None
        if taken is None:
            logger.info("A session was destroyed before it got its new id; its save is dropped.")
            self._is_destroyed = True
            return
        if known is not None and Form.SEALED not in (known.form, taken.form):
            changes = changes_between(sessions.session_of(known), session)
            times = {ACCESSED_TIME: session[ACCESSED_TIME]}
            session = merged(sessions.session_of(taken), changes) | times
        self._save(session)

    def _remove_stored(self) -> None:
        if not self.available:
            return
        stored_under = self._left_id or self.id
        if self._stored is not None:
            self._stores.sessions.destroy(stored_under)
        self._stored = self._left_id = None
