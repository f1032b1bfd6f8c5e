"""Locks of sessions: one request at a time, across all processes."""

from typing import Any

from beaker.session import Session

from beaker_mongo_soajs.backend.cookie_options import without_configured
from beaker_mongo_soajs.backend.express_cookie import cookie_maker
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.session_cookie import SessionWithCookie
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, Changes, merged
from beaker_mongo_soajs.sessions.coder import SessionCoder
from beaker_mongo_soajs.sessions.common import CommonSession
from beaker_mongo_soajs.sessions.document import is_time
from beaker_mongo_soajs.sessions.encryption import check_cipher
from beaker_mongo_soajs.sessions.record import COOKIE_KEYS, SessionRecord
from beaker_mongo_soajs.sessions.store import SessionStore

CREATION_TIME = "_creation_time"


class SessionCipher:
    """Encrypt and decrypt with Beaker's Session, or use the application's serializer.

    :param session: the Session.
    """

    has_exact_times = False

    def __init__(self, session: Session) -> None:
        self.is_encryption = bool(session.encrypt_key)
        self.encrypt = session._encrypt_data  # noqa: SLF001 - Beaker has no public method for it
        self._decrypt = session._decrypt_data  # noqa: SLF001

    def decrypt(self, text: str) -> dict[Any, Any]:
        """Return the session of a text.

        :param text: the stored text.
        :raises SerializationError: when it is not the text of a session.
        """
        try:
            session = self._decrypt(text)
        except Exception as error:  # noqa: BLE001 - garbage may fail in any step
            raise SerializationError(
                f"The stored session cannot be decrypted ({type(error).__name__}).",
                path="session",
                hint="Check encrypt_key, validate_key and data_serializer.",
            ) from None
        if not isinstance(session, dict) or not is_time(session.get(ACCESSED_TIME, 0)):
            raise SerializationError("The decrypted text is not a session.", path="session")
        return session

    def touch(self, text: str, accessed_time: float) -> str:
        """Return the text of the same session with another access time.

        :param text: the stored text.
        :param accessed_time: seconds since 1970.
        """
        touched: str = self.encrypt(self.decrypt(text) | {ACCESSED_TIME: accessed_time})
        return touched


class LockableSession(CommonSession, SessionWithCookie):
    """A session with a record and a lock; subclasses load and save."""

    _own_record: SessionRecord | None = None

    @property
    def store(self) -> SessionStore:
        """Return the store of all sessions, for finding and destroying those of a user."""
        return self._stores.sessions

    @property
    def _record(self) -> SessionRecord:
        if self._own_record is None:
            self._own_record = self._make_record()
        return self._own_record

    @property
    def coder(self) -> SessionCoder:
        """Return how the session is stored: its form, its serializer and its cipher."""
        return self._record.coder

    def _make_record(self) -> SessionRecord:
        if self.encrypt_key:
            check_cipher(self.crypto_module, signed=bool(self.config.store.signing_keys))
        elif self.data_serializer in ("json", "pickle"):
            make_cookie = cookie_maker(self, self.config)
            return self.store.record(serializer=self.data_serializer, make_cookie=make_cookie)
        return self.store.record(SessionCipher(self))

    def _load_again(self) -> None:
        last_accessed = self.last_accessed
        super()._load_again()
        if not self._is_unsaved():
            # This is the time of the previous request, which applications expect.
            self.last_accessed = last_accessed

    def _load_now(self) -> None:
        self.load()

    def _save_now(self) -> None:
        self.save()

    def _apply(self, changes: Changes) -> None:
        self._become(merged(dict(self), changes))

    def _take_back(self) -> None:
        if self._record.id is None:
            self.revert()
        else:
            self._become(
                self._record.session() | {ACCESSED_TIME: self.accessed_dict[ACCESSED_TIME]}
            )

    def _content(self) -> dict[Any, Any]:
        return without_configured(self, self)

    def _become(self, session: dict[Any, Any]) -> None:
        self.clear()
        self.update(session)

    @property
    def _is_untouched(self) -> bool:
        own_keys = COOKIE_KEYS | {CREATION_TIME, ACCESSED_TIME}
        return self._is_unsaved() and self.keys() <= own_keys
