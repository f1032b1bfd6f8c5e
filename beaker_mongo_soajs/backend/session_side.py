"""The session side of a namespace manager: Beaker's payload of one session, loaded and saved."""

import sys
import time

from beaker.session import Session

from beaker_mongo_soajs.backend.caller import find_caller
from beaker_mongo_soajs.backend.cookie_options import (
    COOKIE_KEYS,
    check_session_cookie,
    without_configured,
    without_invalid,
)
from beaker_mongo_soajs.backend.payload import (
    Payload,
    Presented,
    pack_json,
    pickle_session,
    through_pickles,
)
from beaker_mongo_soajs.exceptions import BeakerMongoError, SerializationError, StoreError
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.codec import has_escapes
from beaker_mongo_soajs.sessions.document import is_time
from beaker_mongo_soajs.sessions.encryption import EncryptedText, check_cipher, unencrypted
from beaker_mongo_soajs.sessions.serializer import json_text
from beaker_mongo_soajs.sessions.store import SessionStore
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredSession

SESSION_KEY = "session"
"""The key under which Beaker's Session keeps everything (``beaker.session.Session.load``)."""

_UNKNOWN = "Beaker's payload is neither a pickle nor JSON, and no Session is there to ask."


class SessionSide:
    """One session, as Beaker's Session reads and writes it.

    :param sessions: where sessions are.
    :param session_id: its id.
    :param timeout: seconds that it lives untouched, as Beaker passed them.
    """

    def __init__(self, sessions: SessionStore, session_id: str, timeout: float | None) -> None:
        self._sessions = sessions
        self._store_options = sessions.config.store
        self._id = session_id
        self._timeout = timeout
        self._stored: StoredSession | None = None
        self._presented: Presented | None = None
        self._handled: BaseException | None = None

    def load(self) -> str:
        """Return Beaker's payload of the session.

        :raises KeyError: when it is absent or has expired: exactly then.
        :raises StoreUnavailable: when the database does not answer.
        :raises SerializationError: when the document cannot be read.
        """
        caller = find_caller()
        session = None if caller is None else caller.session
        if session is not None and not self._sessions.is_possible_id(self._id):
            # No session can have it, so Beaker must not adopt it for a new one.
            session._create_id()  # noqa: SLF001 - Beaker's own way to a new id
            raise KeyError(SESSION_KEY)
        if session is not None:
            check_session_cookie(session)
        self._stored = self._presented = None
        try:
            self._stored = stored = self._sessions.load(self._id)
            text = None if stored is None else self._payload(stored, session)
        except StoreError:
            # With invalidate_corrupt, its default, Beaker answers any error of a load with a new
            # session. For a database that does not answer, that would log the visitor out.
            if session is not None:
                session.invalidate_corrupt = False
            raise
        except (KeyError, TypeError, RecursionError) as error:
            # Beaker takes the first two for the sign of a new session, which it then writes over
            # the stored one.
            raise SerializationError(
                f"The stored session cannot be read ({type(error).__name__}).", path="session"
            ) from None
        if text is None:
            raise KeyError(SESSION_KEY)
        return text

    def save(self, text: object) -> None:
        """Save what changed in the session since it was loaded.

        :param text: Beaker's payload.
        :raises StoreUnavailable: when the database does not answer.
        :raises SerializationError: for a value that cannot be stored, naming its path.
        """
        if not isinstance(text, str):
            raise SerializationError(
                f"Beaker's payload is a {type(text).__name__} and no text.", path="session"
            )
        if self._stored is not None and self._presented is not None:
            accessed_time = self._presented.new_time_in(text)
            if accessed_time is not None and is_time(accessed_time):
                self._sessions.saver.move_times(self._stored, accessed_time)
                return
        presented, self._presented = self._presented, None
        unpacked = Payload(text).unpack()
        if unpacked is None:
            self._save_opaque(text)
            return
        session, serializer = unpacked
        caller = find_caller()
        if caller is not None:
            check_session_cookie(caller.session)
            session = without_configured(session, caller.session)
        if session.keys() <= COOKIE_KEYS:
            self.destroy()
        else:
            before = None
            if presented is not None and self._store_options.pickle:
                before = through_pickles(presented.pickled)
            self._stored = self._sessions.saver.save(
                self._id, session, self._stored, serializer, before
            )

    def exists(self) -> bool:
        """Tell whether there is such a session."""
        return self._sessions.load(self._id) is not None

    def destroy(self) -> int:
        """Delete the session; return 1, or 0 where there was none."""
        self._stored = self._presented = None
        return self._sessions.destroy(self._id)

    def begin_save(self) -> None:
        """Note that Beaker is about to serialize its session."""
        self._handled = sys.exception()

    def end_save(self) -> None:
        """Replace Beaker's error about a session that it cannot serialize.

        That is an error of :mod:`pickle` or :mod:`json`, which does not name the value.

        :raises SerializationError: for a value that cannot be stored; names its path.
        """
        error = sys.exception()
        if error is self._handled or isinstance(error, BeakerMongoError):
            return
        caller = find_caller()
        if caller is None:
            return
        if caller.session.data_serializer == "json":
            json_text(dict(caller.session))
        else:
            self._sessions.check(dict(caller.session))

    def _payload(self, stored: StoredSession, session: Session | None) -> str:
        if stored.form is StorageForm.ENCRYPTED:
            return self._open(stored, session)
        if session is not None and session.encrypt_key:
            raise unencrypted()
        times = self._presented_times(stored)
        serializer = self._serializer(stored, session)
        content = without_invalid(self._sessions.peek(stored))
        if times:
            content = content | times
        if serializer == "json":
            return pack_json(content)
        if serializer != "pickle" and session is not None:
            text: str = session._encrypt_data(content)  # noqa: SLF001 - as it serializes itself
            return text
        is_told_by_text = ACCESSED_TIME in content and _names_time_once(stored)
        self._presented = Presented(pickle_session(content), is_told_by_text=is_told_by_text)
        return self._presented.text

    def _serializer(self, stored: StoredSession, session: Session | None) -> object:
        if session is not None:
            return session.data_serializer
        return stored.serializer or self._store_options.data_serializer

    def _open(self, stored: StoredSession, session: Session | None) -> str:
        if session is not None:
            if not session.encrypt_key:
                raise _without_key()
            check_cipher(session.crypto_module, signed=bool(self._store_options.signing_keys))
        return EncryptedText(stored.text)

    def _presented_times(self, stored: StoredSession) -> dict[str, float]:
        """Return the time that Beaker is to take for that of the last request.

        With ``touchAfter`` the stored one may lie up to that much before the true one, and Beaker
        would end a session in use that much too early.
        """
        late = self._store_options.touch_after
        before = stored.accessed_time
        if not late or before is None:
            return {}
        return {ACCESSED_TIME: max(before, min(before + late, time.time()))}

    def _save_opaque(self, text: str) -> None:
        """Save a payload that only its Session can open: ciphertext, or a serializer of its own."""
        caller = find_caller()
        if caller is None:
            raise SerializationError(
                _UNKNOWN, path="session", hint="Save it through Beaker's Session, or SessionStore."
            )
        session, accessed_only = caller
        check_session_cookie(session)
        if not accessed_only and session.keys() <= COOKIE_KEYS:
            self.destroy()
            return
        saver = self._sessions.saver
        if not session.encrypt_key:
            content = session.accessed_dict if accessed_only else session
            self._stored = saver.save(self._id, without_configured(content, session), self._stored)
            return
        check_cipher(session.crypto_module, signed=bool(self._store_options.signing_keys))
        if not accessed_only:
            text = session._encrypt_data(without_configured(session, session))  # noqa: SLF001
        # With a timeout, Beaker's Session goes by the time in the ciphertext, which cannot be
        # presented to it as later than it is stored.
        self._stored = saver.save_encrypted(
            self._id,
            text,
            self._stored,
            accessed_only=accessed_only,
            may_be_late=self._timeout is None,
        )


def _names_time_once(stored: StoredSession) -> bool:
    # A JSON text's reader makes equal keys one object, which a pickle then holds only once.
    return stored.form is StorageForm.NATIVE or (
        stored.text.count(f'"{ACCESSED_TIME}"') == 1 and not has_escapes(stored.text)
    )


def _without_key() -> SerializationError:
    return SerializationError(
        "The stored session is ciphertext, and there is no encrypt_key.",
        path="session",
        hint="Set the encrypt_key and validate_key that it was saved with.",
    )
