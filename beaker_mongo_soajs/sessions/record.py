"""One session in one request."""

import math
from typing import Any

from beaker_mongo_soajs.metrics import listeners
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, Changes, changes_between
from beaker_mongo_soajs.sessions.coder import SessionCoder
from beaker_mongo_soajs.sessions.encryption import Cipher, without_key
from beaker_mongo_soajs.sessions.express import MakeCookie
from beaker_mongo_soajs.sessions.loaded_session import LoadedSession
from beaker_mongo_soajs.sessions.moved_document import MovedDocument, read_exact
from beaker_mongo_soajs.sessions.native_update import NO_CHANGES, FieldChanges
from beaker_mongo_soajs.sessions.serializer import Serializer
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredSession
from beaker_mongo_soajs.sessions.writer import SessionWriter

COOKIE_KEYS = frozenset({"_domain", "_path"})
"""All that is left of a session that the application emptied: Beaker's settings of its cookie."""


class SessionRecord(LoadedSession):
    """Load and save the session of one request.

    It holds what this request loaded, compares that with what the request saves, and writes only
    the difference. A session that another request destroyed is never created again.

    Every method raises :class:`~beaker_mongo_soajs.StoreUnavailable` when the database does not
    answer, and :class:`~beaker_mongo_soajs.SerializationError` for a document that cannot be read
    and a session that cannot be stored.

    :param writer: loads and saves documents.
    :param cipher: as for :class:`~beaker_mongo_soajs.sessions.coder.SessionCoder`.
    :param serializer: likewise.
    :param make_cookie: likewise.
    """

    __slots__ = (
        *("_latest", "_touched_time"),
        *("id", "is_destroyed", "is_moved"),
    )

    def __init__(
        self,
        writer: SessionWriter,
        cipher: Cipher | None = None,
        serializer: Serializer | None = None,
        make_cookie: MakeCookie | None = None,
    ) -> None:
        super().__init__(writer, SessionCoder(writer.documents, cipher, serializer, make_cookie))
        self.id: str | None = None
        """The id under which the session is stored, if it is."""
        self.is_destroyed = False
        """Whether a save found that another request destroyed the session."""
        self.is_moved = False
        """Whether a save found that another request changed the id of the session, or is about to.
        The browser has to keep the cookie of that request."""
        # What is stored, if it holds more than this request knows: others saved a text meanwhile.
        self._latest: StoredSession | None = None
        self._touched_time = 0.0

    def forget(self) -> None:
        """Forget what was loaded or saved."""
        self.id = self._known = self._latest = None
        self.is_destroyed = self.is_moved = False
        self._touched_time = 0.0

    def find(self, session_id: object, timeout: float | None = None) -> Any:
        """Load a session, for the caller to keep; return ``None`` if it is absent or has expired.

        The stored access time may be ``touchAfter`` late, and Node does not write it. If the
        session would seem to have ended for that reason alone, its access time is set to one that
        it may have had.

        :param session_id: the id as a cookie brought it: anything.
        :param timeout: the idle timeout in seconds, if there is one. A session past it is returned.
        :returns: a dict, or for an encrypted session what the cipher made of its text.
        """
        if not self._load(session_id):
            return None
        known = self._known
        assert known is not None
        session: Any = known.take_tree() if self.coder.cipher is None else None
        if session is None:
            try:
                session = self.coder.read(known)
            except BaseException:
                # A load that failed is no load: the next save must not compare with it.
                self.forget()
                raise
        if type(session) is dict and ACCESSED_TIME in session:
            documents = self._writer.documents
            # If a date decides, the Session still compares the access time with its own timeout.
            by_date = documents.ends_by_date(known)
            late = math.inf if by_date else documents.touch_after_seconds
            timeout = timeout if by_date else self.idle_seconds or timeout
            self.clock.set_local_time(session, timeout, late)
        return session

    def load(self, session_id: object) -> bool:
        """Load a session without decoding it; return whether there is one.

        :param session_id: as for :meth:`find`, or a ``StoredId``.
        """
        return self._load(session_id)

    def _load(self, session_id: object) -> bool:
        self.forget()
        documents = self._writer.documents
        stored_id = documents.stored_id_or_none(session_id)
        self._known = None if stored_id is None else self._writer.find(stored_id)
        if self._known is None and self._writer.mover is not None and stored_id is not None:
            self._known = self._writer.mover.move(str(session_id), self.coder)
        if self._known is not None:
            assert isinstance(session_id, str)
            self.id = session_id
        return self._known is not None

    def session(self) -> Any:
        """Return the session as it was loaded or last saved, made anew; empty without one."""
        return {} if self._known is None else self.coder.read(self._known)

    def check(self, session: dict[Any, Any]) -> None:
        """Check that a session can be stored, without storing it.

        :param session: the session.
        :raises SerializationError: naming the path of what cannot be stored.
        """
        self._writer.documents.check(session)

    def create(self, session_id: str, session: dict[Any, Any]) -> bool:
        """Store a new session, unless another one has the id.

        :param session_id: the id.
        :param session: the session, which is not empty.
        :returns: whether it was stored.
        """
        self.forget()
        stored_id = self._writer.documents.stored_id(session_id)
        document, inserted = self.coder.new_document(stored_id, session)
        if self._writer.insert(document) is not None:
            return False
        self.id = session_id
        self._known = inserted
        self._touched_time = session.get(ACCESSED_TIME, 0.0)
        return True

    def save(
        self, session_id: str, session: dict[Any, Any], changes: Changes | None = None
    ) -> str | None:
        """Save what changed. An emptied session is removed; a new id moves the session.

        :param session_id: the id that the session is to have.
        :param session: the session.
        :param changes: what changed since it was loaded, if the caller has found that out.
        :returns: the name of the event, unless the session was dropped, removed or only touched.
        """
        session = self.clock.stored(session)
        if self.is_destroyed:
            self._drop()
        elif session.keys() <= COOKIE_KEYS:
            self.remove()
        elif self.id is not None and self.id != session_id and not self.is_moved:
            return self._move(session_id, session)
        elif self._known is None:
            return self._insert(session_id, session)
        else:
            return self._save_changes(self._known, session, changes)
        return None

    def touch(self, accessed_time: float) -> bool:
        """Move the times of the session if that is due, and change nothing else.

        :param accessed_time: seconds since 1970.
        :returns: whether the session still exists.
        """
        return self._touch(accessed_time - self.clock.ahead())

    def _touch(self, accessed_time: float) -> bool:
        known = self._known
        if known is None or self.is_destroyed:
            return False
        if not self._is_due(known, accessed_time):
            return True
        cipher = self.coder.cipher_for(known)
        if cipher is not None:
            text = cipher.touch(known.text, accessed_time)
            self._swap_encrypted(known, text, accessed_only=True)
        elif known.form is StorageForm.ENCRYPTED:
            # The times in the ciphertext stay as they are.
            if not self._writer.move_expiry(known):
                self._drop()
        elif not self._write(known, NO_CHANGES, accessed_time, touches=True):
            self._save_moved(known, Changes(), accessed_time)
        self._touched_time = accessed_time
        return not self.is_destroyed

    def remove(self) -> bool:
        """Delete the session; return whether this request had one."""
        if self.id is None:
            return False
        self._writer.id_changes.destroy(self._writer.documents.stored_id(self.id))
        self.forget()
        return True

    def _is_due(self, known: StoredSession, accessed_time: float | None) -> bool:
        """Check whether the times are to be moved: at most once per ``touchAfter``."""
        if accessed_time is not None and accessed_time <= self._touched_time:
            return False
        documents = self._writer.documents
        cipher = self.coder.cipher
        if cipher is not None and cipher.has_exact_times and self.coder.cipher_for(known):
            return True
        if not documents.is_touched(known):
            return True
        if accessed_time is None or known.form is StorageForm.ENCRYPTED:
            return False
        if documents.ends_by_date(known):
            return False
        # A stored time that lies ahead (milliseconds by mistake, another clock) is no reason to
        # wait for it.
        age_seconds = accessed_time - (known.accessed_time or 0)
        return not 0 <= age_seconds < documents.touch_after_seconds

    def _insert(self, session_id: str, session: dict[Any, Any]) -> str:
        coder, documents = self.coder, self._writer.documents
        document, inserted = coder.new_document(documents.stored_id(session_id), session)
        found = self._writer.insert(document)
        self.id = session_id
        if found is None:
            self._known = inserted
        elif coder.cipher is not None:
            self._known = found
            self._swap_encrypted(found, document["session"], accessed_only=False)
        else:
            # Another request saved under this id first. Both keep what they saved: all that this
            # request put into its empty session is a change.
            fields = coder.fields(found, changes_between({}, coder.as_serialized(session)))
            if not self._write(found, fields, session.get(ACCESSED_TIME), touches=True):
                self._drop()
            if self._known is not None:
                self._latest = self._latest or self._known
                self._known = self._known.saved(inserted.tree, self._known.text)
            if listeners:
                self._writer.report("session.merged", document["_id"])
        self._touched_time = session.get(ACCESSED_TIME, 0.0)
        return "session.created" if found is None else "session.saved"

    def _save_changes(
        self, known: StoredSession, session: dict[Any, Any], changes: Changes | None
    ) -> str | None:
        coder = self.coder
        if coder.cipher_for(known) is not None:
            self._swap_encrypted(known, coder.encrypt(session), accessed_only=False)
            return "session.saved"
        if known.form is StorageForm.ENCRYPTED:
            raise without_key()
        documents = self._writer.documents
        documents.check_own_keys(session)
        session = coder.as_serialized(session)
        accessed_time = session.get(ACCESSED_TIME)
        if changes is None or changes.unverified:
            changes = coder.changes(known, session)
        if not changes and not documents.marks(known, coder.serializer):
            self._touch(self.clock.now_seconds() if accessed_time is None else accessed_time)
            return None
        touches = self._is_due(known, accessed_time)
        if not self._write(known, coder.fields(known, changes), accessed_time, touches=touches):
            self._save_moved(known, changes, accessed_time)
        self._touched_time = max(self._touched_time, accessed_time or 0.0)
        return "session.saved"

    def _write(
        self,
        known: StoredSession,
        fields: FieldChanges,
        accessed_time: float | None,
        *,
        touches: bool,
    ) -> bool:
        """Write changes of fields, or the times alone; return whether the document is there."""
        documents = self._writer.documents
        marks = documents.marks(known, self.coder.serializer)
        cookie = self.coder.missing_cookie(known)
        if known.form is StorageForm.JSON:
            latest = self._latest or known
            swapped = self._writer.swap_json(known, latest, fields, accessed_time, marks, cookie)
            if swapped is None:
                return False
            self._known, self._latest = swapped
            return True
        if not self._writer.update(known, fields, accessed_time, marks, cookie, touches=touches):
            return False
        self._known = known.saved(
            lambda: fields.applied_to(known.tree),
            serializer=marks.get("dataSerializer"),
            cookie=cookie,
        )
        return True

    def _swap_encrypted(self, known: StoredSession, text: str, *, accessed_only: bool) -> None:
        if text == known.text:
            return
        swapped = self._writer.swap_encrypted(known, text, accessed_only=accessed_only)
        if swapped is None:
            self._drop()
        self._known = swapped or known

    def _move(self, session_id: str, session: dict[Any, Any]) -> str:
        """Give the session a new id. If another request did, save under that what changed."""
        known, documents, old_id = self._known, self._writer.documents, self.id
        assert known is not None
        assert old_id is not None
        new_id = documents.stored_id(session_id)
        accessed_time = session.get(ACCESSED_TIME)
        coder = self.coder
        # An error here leaves everything as it was.
        if coder.cipher_for(known) is not None:
            changes = changes_between(self.session(), session)
            coder.encrypt(session)
        else:
            documents.check_own_keys(session)
            changes = coder.changes(known, coder.as_serialized(session))
            coder.fields(known, changes)

        make_document = MovedDocument(coder, known, new_id, changes, accessed_time)
        document = self._writer.id_changes.move(
            documents.stored_id(old_id), new_id, self._expires(), make_document
        )
        if document is None:
            # The session has another id than this one, maybe still the old one.
            self.is_moved = True
            self._save_moved(known, changes, accessed_time)
            return "session.saved"
        self.forget()
        self.id = session_id
        self._known = read_exact(documents, document)
        self._touched_time = accessed_time or 0.0
        return "session.id_changed"

    def _save_moved(
        self, known: StoredSession, changes: Changes, accessed_time: float | None
    ) -> None:
        """Save changes of a session whose document is gone: under its new id, if it has one."""
        moved = self._writer.moved(known)
        if moved is None:
            self._drop()
            return
        self.is_moved = moved.stored_id != known.stored_id or self.is_moved
        self._known, self._latest = moved, None
        if not self._write(moved, self.coder.fields(moved, changes), accessed_time, touches=True):
            self._save_moved(moved, changes, accessed_time)

    def _drop(self) -> None:
        """Drop a save of a session that another request destroyed; later ones are dropped too."""
        self.is_destroyed = True
        if self._known is not None:
            self._writer.log_dropped(self._known.stored_id)
