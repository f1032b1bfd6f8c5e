"""The session side of a namespace manager: what Beaker's Session loads and saves."""

import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from beaker.session import Session

from beaker_mongo_soajs.backend.caller import saves_access_only
from beaker_mongo_soajs.backend.cookie_options import (
    check_session_cookie,
    without_configured,
    without_invalid,
)
from beaker_mongo_soajs.backend.express_cookie import cookie_maker
from beaker_mongo_soajs.backend.payload import HandOver, pack, through_pickle, unpack
from beaker_mongo_soajs.exceptions import BeakerMongoError, SerializationError, StoreError
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, Snapshot
from beaker_mongo_soajs.sessions.document import first_time, is_time
from beaker_mongo_soajs.sessions.encryption import check_cipher
from beaker_mongo_soajs.sessions.lifetime import CREATION_TIME
from beaker_mongo_soajs.sessions.record import COOKIE_KEYS
from beaker_mongo_soajs.sessions.serializer import Serializer, json_text, through_json
from beaker_mongo_soajs.sessions.session_ids import impossible_id, is_possible_id
from beaker_mongo_soajs.sessions.store import SessionStore

SESSION_KEY = "session"
"""The key under which Beaker's Session keeps everything (``beaker.session.Session.load``)."""

_UNKNOWN = "Beaker's payload is neither a pickle nor JSON, and no Session made it."


class _PassedText:
    """Pass the text of a Session through, which alone can read it.

    :param session: the Session.
    :param is_encryption: whether the text is ciphertext; otherwise a serializer of the application
        made it.
    :param has_exact_times: whether the Session ends by the time in the text.
    """

    def __init__(self, session: Session, *, is_encryption: bool, has_exact_times: bool) -> None:
        self._session = weakref.ref(session)
        self.is_encryption = is_encryption
        self.has_exact_times = has_exact_times
        self.text = ""
        """What the Session made in this save."""

    def encrypt(self, session: dict[Any, Any]) -> str:
        """Return what the Session made, or makes of a session that is moved here."""
        caller = self._session()
        if self.text or caller is None:
            return self.text
        text: str = caller._encrypt_data(session)  # noqa: SLF001 - as it serializes itself
        return text

    def decrypt(self, text: str) -> str:
        """Return the text, for the Session to read."""
        return text

    def touch(self, text: str, accessed_time: float) -> str:
        """Return what the Session made, which set the access time itself."""
        del text, accessed_time
        return self.text


class SessionSide:
    """One session, as Beaker's Session loads and saves it.

    :param sessions: the store.
    :param session_id: the session id.
    :param timeout: seconds that an untouched session lives, as Beaker passed them.
    :param session: Beaker's Session, if one made the namespace manager.
    """

    def __init__(
        self,
        sessions: SessionStore,
        session_id: str,
        timeout: float | None,
        session: Session | None,
    ) -> None:
        self._sessions = sessions
        self._id = session_id
        self._timeout = timeout
        # The Session refers to this object; a weak reference avoids a cycle for each request.
        self._session = _no_session if session is None else weakref.ref(session)
        self._hand_over = None if session is None else HandOver.install(session)
        self._cipher = None
        if session is not None and self._hand_over is None:
            self._cipher = self._make_cipher(session)
        name = None if session is None else session.data_serializer
        self._serializer: Serializer | None = name if name in ("json", "pickle") else None
        make_cookie = None
        if session is not None:
            make_cookie = cookie_maker(session, sessions.config, self._hand_over)
        self._record = sessions.record(self._cipher, self._serializer, make_cookie)
        self._loaded: Snapshot | None = None
        self._handled: BaseException | None = None
        # When the session began, if that is not stored.
        self._created: dict[Any, Any] = {}

    def load(self) -> str:
        """Return Beaker's payload of the session.

        :raises KeyError: when it is absent or has expired, and only then.
        :raises StoreUnavailable: when the database does not answer.
        :raises SerializationError: when the document cannot be read.
        """
        caller = self._session()
        if caller is not None:
            check_session_cookie(caller)
        try:
            timeout = None if caller is None else caller.timeout
            session = self._record.find(self._id, timeout)
            if self._hand_over is not None:
                self._hand_over.cookie = self._record.native_cookie
            if session is not None:
                if caller is not None and not caller.save_atime:
                    self._record.extend_if_half_over()
                return self._payload(session, caller)
        except StoreError:
            # With invalidate_corrupt, its default, Beaker answers any error of a load with a new
            # session. If the database does not answer, that would log the visitor out.
            if caller is not None:
                caller.invalidate_corrupt = False
            raise
        except (KeyError, TypeError, RecursionError) as error:
            # Beaker takes the first two for the sign of a new session, and would overwrite the
            # stored one with it.
            raise SerializationError(
                f"The stored session cannot be read ({type(error).__name__}).", path="session"
            ) from None
        if not is_possible_id(self._id):
            if caller is None:
                raise impossible_id()
            # Beaker must not adopt this id for a new session.
            caller._create_id()  # noqa: SLF001 - Beaker's own way to a new id
        raise KeyError(SESSION_KEY)

    def save(self, text: object) -> None:
        """Save what changed in the session since it was loaded.

        :param text: Beaker's payload.
        :raises StoreUnavailable: when the database does not answer.
        :raises SerializationError: for a value that cannot be stored, naming its path.
        """
        hand_over = self._hand_over
        if hand_over is not None and hand_over.saved is not None:
            session, hand_over.saved = hand_over.saved, None
            self._save_handed(session)
            return
        if not isinstance(text, str):
            raise SerializationError(
                f"Beaker's payload is a {type(text).__name__} and not a text.", path="session"
            )
        unpacked = unpack(text)
        if unpacked is not None:
            session, self._record.coder.serializer = unpacked
            self._record.save(self._id, self._content(session))
        else:
            self._save_opaque(text)

    def exists(self) -> bool:
        """Check whether there is such a session."""
        return self._sessions.record().load(self._id)

    def destroy(self) -> int:
        """Delete the session; return 1, or 0 if there was none."""
        self._record.forget()
        return self._sessions.destroy(self._id)

    def begin_save(self) -> None:
        """Prepare for a save: Beaker is about to serialize its session."""
        self._handled = sys.exception()
        caller = self._session()
        if caller is not None and CREATION_TIME not in caller and not caller.keys() <= COOKIE_KEYS:
            # The application cleared the session before it filled it again.
            created = (caller.accessed_dict or {}).get(CREATION_TIME)
            caller[CREATION_TIME] = first_time(created, time.time())
        if self._hand_over is not None:
            self._hand_over.is_saving = True

    def end_save(self) -> None:
        """End a save, and replace Beaker's error about a session that it cannot serialize.

        That is an error of :mod:`pickle` or :mod:`json`, which does not name the value.

        :raises SerializationError: for a value that cannot be stored; names its path.
        """
        if self._hand_over is not None:
            self._hand_over.is_saving = False
        error = sys.exception()
        if error is self._handled or isinstance(error, BeakerMongoError):
            return
        session = self._session()
        if session is None:
            return
        if session.data_serializer == "json":
            json_text(dict(session))
        else:
            self._record.check(dict(session))

    def _make_cipher(self, session: Session) -> _PassedText | None:
        if session.encrypt_key:
            signing_keys = self._sessions.config.store.signing_keys
            check_cipher(session.crypto_module, signed=bool(signing_keys))
        elif isinstance(session.data_serializer, str):
            return None
        # With a timeout, Beaker's Session ends by the time in the text, which cannot be changed for
        # it to the time of the last request.
        return _PassedText(
            session,
            is_encryption=bool(session.encrypt_key),
            has_exact_times=self._timeout is not None,
        )

    def _payload(self, session: Any, caller: Session | None) -> str:
        if isinstance(session, str):
            return self._converted(session, self._record.clock.local)
        stored, session = session, without_invalid(session)
        is_valid = len(session) == len(stored)
        times = (session.get(CREATION_TIME), session.get(ACCESSED_TIME), time.time())
        if not is_time(times[0]):
            # Another program began the session, and Beaker's Session.created needs this.
            self._created = {CREATION_TIME: first_time(*times)}
            session = session | self._created
        if self._hand_over is not None:
            if self._serializer == "json":
                session = through_json(session)
            self._hand_over.loaded = session
            # What is invalid counts as loaded, so that the next save removes it.
            self._loaded = Snapshot(session if is_valid else stored | session)
            return HandOver.PAYLOAD
        if caller is not None and self._serializer is None:
            text: str = caller._encrypt_data(session)  # noqa: SLF001 - as it serializes itself
            return text
        configured = self._sessions.config.store.data_serializer
        return pack(session, self._serializer or self._record.stored_serializer or configured)

    def _save_handed(self, session: dict[Any, Any]) -> None:
        session = self._content(session)
        changes = None if self._loaded is None else self._loaded.changes(session)
        if changes:
            if self._created:
                changes = replace(changes, assigned=self._created | changes.assigned)
        elif changes is not None:
            accessed_time = session.get(ACCESSED_TIME)
            if type(accessed_time) is float and is_time(accessed_time):
                self._record.touch(accessed_time)
                return
        self._loaded = None
        if self._serializer == "json":
            changes = None
        try:
            self._record.save(self._id, session, changes)
        except SerializationError as error:
            is_value = error.path is not None and error.path.startswith("session[")
            if not is_value or self._serializer != "pickle":
                raise
            try:
                session = through_pickle(session)
            except SerializationError:
                raise error from None
            self._record.save(self._id, session)

    def _save_opaque(self, text: str) -> None:
        """Save a payload that only its Session can read."""
        caller, cipher = self._session(), self._cipher
        if caller is None or cipher is None:
            raise SerializationError(
                _UNKNOWN, path="session", hint="Save it through Beaker's Session, or SessionStore."
            )
        cipher.text = self._converted(text, self._record.clock.stored)
        if saves_access_only() and self._record.id is not None:
            self._record.touch(caller.accessed_dict.get(ACCESSED_TIME, time.time()))
            return
        content = self._content(caller)
        if len(content) != len(caller):
            stored = self._record.clock.stored(content)
            cipher.text = caller._encrypt_data(stored)  # noqa: SLF001 - as it serializes itself
        self._record.save(self._id, content)

    def _converted(self, text: str, convert: Callable[[dict[Any, Any]], dict[Any, Any]]) -> str:
        """Return the text of a Session with its access time by another clock.

        :param text: what only the Session can read.
        :param convert: converts the session in it.
        """
        caller = self._session()
        if caller is None or not self._record.clock.ahead():
            return text
        session = caller._decrypt_data(text)  # noqa: SLF001 - as it reads itself
        if type(session) is not dict:
            return text
        converted: str = caller._encrypt_data(convert(session))  # noqa: SLF001 - likewise
        return converted

    def _content(self, session: dict[Any, Any]) -> dict[Any, Any]:
        """Return what is to be stored of a session."""
        caller = self._session()
        if caller is None or COOKIE_KEYS.isdisjoint(session):
            return session
        check_session_cookie(caller)
        return without_configured(session, caller)


def _no_session() -> None:
    """Take the place of a weak reference if no Session made the namespace manager."""
