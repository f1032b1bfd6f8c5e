"""The stored side of one request's session: found, saved, moved to another id, removed."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, changes_between, merged
from beaker_mongo_soajs.sessions.encryption import EncryptedText, unencrypted
from beaker_mongo_soajs.sessions.serializer import Serializer, through_json
from beaker_mongo_soajs.sessions.store import SessionStore
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredSession

logger = logging.getLogger(__name__)


class Cipher(NamedTuple):
    """How Beaker's Session turns its dict into ciphertext and back.

    :param encrypt: takes the session, and returns the text.
    :param decrypt: takes the text, and returns the session.
    """

    encrypt: Callable[[dict[Any, Any]], str]
    decrypt: Callable[[str], Any]


class SessionRecord:
    """What one request knows of its session in the store.

    Every method raises :class:`~beaker_mongo_soajs.StoreUnavailable` when the database does not
    answer, and :class:`~beaker_mongo_soajs.SerializationError` for a document that cannot be read
    and a session that cannot be stored.

    :param sessions: where sessions are.
    :param cipher: of a session that Beaker encrypts.
    :param is_json: whether Beaker serializes sessions as JSON.
    """

    def __init__(self, sessions: SessionStore, cipher: Cipher | None, *, is_json: bool) -> None:
        self._sessions = sessions
        self._cipher = cipher
        self._is_json = is_json
        config = sessions.config
        self._can_touch = not (config.stringify or config.store.touch_after or cipher)
        self._stored: StoredSession | None = None
        self._id: str | None = None
        self.is_destroyed = False
        """Whether somebody destroyed the session before this request gave it a new id."""

    @property
    def id(self) -> str | None:
        """Return the id under which the session is stored, if it is."""
        return self._id

    def is_stored(self) -> bool:
        """Tell whether the session is stored, under any id."""
        return self._id is not None

    def is_known_as(self, session_id: str) -> bool:
        """Tell whether the session is stored under an id, or not at all."""
        return self._id is None or self._id == session_id

    def find(
        self, session_id: object, now: float, timeout: float | None, *, touch: bool
    ) -> dict[Any, Any] | None:
        """Load a session, and return it if there is one.

        :param session_id: the id as a cookie brought it: anything.
        :param now: seconds since 1970.
        :param timeout: seconds that a session may lie idle, if that is limited.
        :param touch: whether to move its times to now, where the same command can do that.
        """
        self.forget()
        if not isinstance(session_id, str) or not self._sessions.is_possible_id(session_id):
            return None
        if touch and self._can_touch:
            stored = self._sessions.saver.find_and_touch(session_id, now, timeout)
        else:
            stored = self._sessions.load(session_id)
        if stored is None:
            return None
        session = self._read(stored)
        self._id, self._stored = session_id, stored
        return session

    def session(self) -> dict[Any, Any]:
        """Return the session as it was loaded or last saved, made anew; empty without one."""
        return {} if self._stored is None else self._read(self._stored)

    def save(self, session_id: str, session: dict[Any, Any]) -> None:
        """Save what changed; under a new id the session is taken away from its old one first.

        A crash between the two commands of a move logs the visitor out. At no time are there two
        live ids.

        :param session_id: the id that the session is to have.
        :param session: the session.
        """
        if self.is_destroyed:
            return
        if not self.is_known_as(session_id):
            self._move(session_id, session)
            return
        self._stored = self._save(session_id, session, self._stored)
        self._id = session_id

    def touch(self, accessed_time: float) -> None:
        """Move the times of the session, and nothing else of it.

        :param accessed_time: seconds since 1970.
        """
        if self._id is None or self._stored is None:
            return
        saver = self._sessions.saver
        if self._cipher is None:
            saver.move_times(self._stored, accessed_time)
            return
        # Made from what was loaded: what the application did to it since is not to be saved.
        text = self._encrypt(self._read(self._stored) | {ACCESSED_TIME: accessed_time})
        self._stored = saver.save_encrypted(self._id, text, self._stored, accessed_only=True)

    def remove(self) -> bool:
        """Delete the session; return whether this request knew of one."""
        if self._id is None:
            return False
        self._sessions.destroy(self._id)
        self.forget()
        return True

    def forget(self) -> None:
        """Know of nothing stored, as before any request."""
        self._stored = self._id = None
        self.is_destroyed = False

    def _read(self, stored: StoredSession) -> dict[Any, Any]:
        if self._cipher is None:
            return self._sessions.session_of(stored)
        if stored.form is not StorageForm.ENCRYPTED:
            raise unencrypted()
        try:
            session = self._cipher.decrypt(EncryptedText(stored.text))
        except SerializationError:
            raise
        except Exception as error:  # noqa: BLE001 - garbage may fail anywhere on its way
            raise SerializationError(
                f"The stored session cannot be decrypted ({type(error).__name__}).",
                path="session",
                hint="Check encrypt_key, validate_key and data_serializer.",
            ) from None
        if not isinstance(session, dict) or not isinstance(
            session.get(ACCESSED_TIME, 0), (int, float)
        ):
            raise SerializationError("The decrypted text is no session.", path="session")
        return session

    def _encrypt(self, session: dict[Any, Any]) -> str:
        assert self._cipher is not None
        try:
            return self._cipher.encrypt(session)
        except Exception as error:
            self._sessions.check(session)  # names the path of what cannot be stored at all
            raise SerializationError(
                f"The session cannot be serialized ({type(error).__name__}).",
                path="session",
                hint="Store plain values, of the kinds that data_serializer knows.",
            ) from error

    def _save(
        self, session_id: str, session: dict[Any, Any], stored: StoredSession | None
    ) -> StoredSession:
        saver = self._sessions.saver
        if self._cipher is not None:
            text = self._encrypt(session)
            return saver.save_encrypted(session_id, text, stored, accessed_only=False)
        serializer: Serializer | None = "json" if self._is_json else None
        return saver.save(session_id, self._as_serialized(session), stored, serializer)

    def _as_serialized(self, session: dict[Any, Any]) -> dict[Any, Any]:
        """Return a session as Beaker's serializer would: JSON makes lists of tuples."""
        return through_json(session) if self._is_json else session

    def _move(self, session_id: str, session: dict[Any, Any]) -> None:
        left_id, known = self._id, self.session()
        assert left_id is not None
        # An error here leaves everything as it was.
        if self._cipher is None:
            self._sessions.check(self._as_serialized(session))
        else:
            self._encrypt(session)
        taken = self._sessions.saver.take(left_id)
        self.forget()
        if taken is None:
            logger.info("A session was destroyed before it got its new id; its save is dropped.")
            self.is_destroyed = True
            return
        newest = self._read(taken)
        moved = merged(newest, changes_between(known, session))
        if ACCESSED_TIME in session:
            moved[ACCESSED_TIME] = session[ACCESSED_TIME]
        try:
            self.save(session_id, moved)
        except SerializationError:
            # Too large, or too deep: only the server tells. The session stays what it was.
            self._stored = self._save(left_id, newest, None)
            self._id = left_id
            raise
