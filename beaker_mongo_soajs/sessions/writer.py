"""The commands that load and save sessions: one method for each kind of command."""

import logging
from datetime import datetime

from beaker_mongo_soajs.exceptions import KEPT, SerializationError, StoreUnavailable
from beaker_mongo_soajs.log_records import fields as log_fields
from beaker_mongo_soajs.metrics import emit, listeners
from beaker_mongo_soajs.mongo.backoff import attempts
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.clock import later_time, lies_ahead
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.express import (
    EXPRESS_COOKIE,
    MAX_AGE_FIELDS,
    as_text,
    with_max_age,
)
from beaker_mongo_soajs.sessions.id_change import MARK, MOVED_TO, IdChanges, is_open
from beaker_mongo_soajs.sessions.lifetime import ENDS_AT, IDLE_SECONDS, Terms
from beaker_mongo_soajs.sessions.moved_document import read_exact, signed_again
from beaker_mongo_soajs.sessions.mover import Mover
from beaker_mongo_soajs.sessions.native_update import FieldChanges, native_swap, native_update
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredSession, decode_document
from beaker_mongo_soajs.sessions.tags import Tree

logger = logging.getLogger(__name__)

_COOKIE_FIELD = f"session.{EXPRESS_COOKIE}"
_NO_COOKIE: Document = {_COOKIE_FIELD: {"$exists": False}}
_CONFLICT_DEADLINE_SECONDS = 10.0
_MOST_BLOCKED_INSERTS = 8
"""A document that expires or is removed between two commands blocks an insert once or twice."""


class SessionWriter:
    """Load, insert, update and delete session documents.

    A method that updates a session never creates a document: a session that another request
    destroyed stays destroyed, and the method's return value says so.

    :param documents: makes and reads the documents.
    :param collection: the collection of the sessions.
    """

    def __init__(self, documents: SessionDocuments, collection: StoreCollection) -> None:
        self.documents = documents
        self._collection = collection
        self.id_changes = IdChanges(collection, documents.clock.now)
        self.mover: Mover | None = None
        """Moves sessions from an old backend, if there is one."""

    @property
    def namespace(self) -> str:
        """Return ``database.collection``."""
        return self._collection.namespace

    def find(self, stored_id: str, *, from_primary: bool = False) -> StoredSession | None:
        """Load a session; return ``None`` if it is absent or has expired.

        :param stored_id: the document's ``_id``.
        :param from_primary: read from the primary, whatever the read preference.
        """
        self._collection.sweep_if_due(self.documents.clock.now)
        self.id_changes.close_unclosed()
        # A session that is not found may still be in the old backend.
        is_first = not from_primary and self.mover is None
        for _ in attempts(_CONFLICT_DEADLINE_SECONDS):
            raw = self._collection.find_one_raw(stored_id, from_primary=from_primary)
            found = None if raw is None else self.documents.read(raw, self.documents.clock.now())
            if raw is None or found is not None or MOVED_TO.encode() not in raw:
                if listeners and is_first and found is None:
                    self.report("session.missed" if raw is None else "session.expired", stored_id)
                return found
            tombstone = decode_document(raw)
            if not is_open(tombstone):
                if listeners and is_first:
                    self.report("session.missed", stored_id)
                return None
            reopened = self.id_changes.reopen(tombstone)
            if reopened is not None:
                return read_exact(self.documents, reopened)
            from_primary = True
        raise _conflict_error()

    def report(self, event: str, stored_id: str | None, start: float = 0.0) -> None:
        """Pass an event of a session to the listeners.

        :param event: its name.
        :param stored_id: the document's ``_id``.
        :param start: when the operation started, by :func:`time.perf_counter`.
        """
        emit(event, self.namespace, stored_id, start=start)

    def insert(self, document: Document) -> StoredSession | None:
        """Insert a new session, or replace an expired one.

        :param document: the new document.
        :returns: ``None``, or the live session that another request inserted first.
        :raises SerializationError: another document, which is not that of a session, has the id.
        """
        self._collection.sweep_if_due(self.documents.clock.now)
        for number in attempts(_CONFLICT_DEADLINE_SECONDS):
            over = self.documents.lifetime.over_query(self.documents.clock.now())
            if self.mover is not None:
                over = {"$or": [over, {MARK: True}]}
            expired = {"_id": document["_id"]} | over
            if self._collection.insert(document) or self._collection.replace(expired, document):
                return None
            found = self.find(document["_id"], from_primary=True)
            if found is not None:
                return found
            if number == _MOST_BLOCKED_INSERTS:
                raise SerializationError(
                    "The session id belongs to a document that is not a session.",
                    path="_id",
                    hint=KEPT,
                )
        raise _conflict_error()

    def update(
        self,
        stored: StoredSession,
        fields: FieldChanges,
        accessed_time: float | None,
        marks: Document,
        cookie: Document | None,
        *,
        touches: bool,
    ) -> bool:
        """Update a native session.

        This is one command, or two for a session that got its cookie from another request.

        :param stored: the session.
        :param fields: what the request changed.
        :param accessed_time: the time of this request, in seconds since 1970, if the session has
            one.
        :param marks: other fields of the document to set.
        :param cookie: express-session's cookie, for a session that may have none.
        :param touches: move the times as well, forward only.
        :returns: whether the session still exists.
        """
        expires = self.documents.expires(stored.terms) if touches else None
        by_id = {"_id": stored.stored_id}
        if not fields.have_paths:
            if cookie is not None:
                self.id_changes.update(by_id | _NO_COOKIE, {"$set": {_COOKIE_FIELD: cookie}})
            return self._swap_native(stored, fields, accessed_time, expires, marks)
        clock = self.documents.clock
        ahead = touches and lies_ahead(stored.accessed_time or 0, clock.now_seconds())
        update = native_update(fields, accessed_time, expires, fields=marks, lies_ahead=ahead)
        update = self.documents.lifetime.stamped(update)
        if cookie is not None:
            both = update | {"$set": update.get("$set", {}) | {_COOKIE_FIELD: cookie}}
            if self.id_changes.update(by_id | _NO_COOKIE, both):
                return True
        return self.id_changes.update(by_id, update)

    def _swap_native(
        self,
        stored: StoredSession,
        fields: FieldChanges,
        accessed_time: float | None,
        expires: datetime | None,
        marks: Document,
    ) -> bool:
        """Replace a native session that has not changed since it was read; else read it again."""
        raw: bytes | None = stored.raw
        for number in attempts(_CONFLICT_DEADLINE_SECONDS):
            raw = raw or self._collection.find_one_raw(stored.stored_id, from_primary=True)
            if raw is None:
                return False
            if self.documents.read(raw, self.documents.clock.now()) is None:
                if self._find_again(stored) is None:
                    return False
                raw = None
                continue
            swap = native_swap(
                raw, fields, accessed_time, expires, marks, self.documents.clock.now_seconds()
            )
            if swap is None:
                raise _form_error(StorageForm.NATIVE)
            query, update = swap
            if self._update(query, update):
                if listeners and number > 1:
                    self.report("session.merged", stored.stored_id)
                return True
            raw = None
        raise _conflict_error()

    def move_expiry(self, stored: StoredSession) -> bool:
        """Move ``expires`` alone, forward only; return whether the session still exists.

        :param stored: the session.
        """
        update = {"$max": {"expires": self.documents.expires(stored.terms)}}
        stamped = self.documents.lifetime.stamped(update)
        return self.id_changes.update({"_id": stored.stored_id}, stamped)

    def extend_if_half_over(self, stored: StoredSession) -> None:
        """Move ``expires`` if half of the time has passed since it was written.

        :param stored: the session.
        """
        expires, now = stored.expires, self.documents.clock.now()
        if expires and self.documents.lifetime.is_half_over(expires, now, stored.terms):
            self.move_expiry(stored)

    def set_lifetime(
        self, stored: StoredSession, seconds: float | None, ends: datetime | None = None
    ) -> None:
        """Give a session a lifetime of its own, or take it away.

        :param stored: the session.
        :param seconds: the idle timeout; ``None`` for that of the configuration.
        :param ends: the date on which it ends, in naive UTC, in use or not; ``None`` for no date.
        """
        created = None if stored.terms is None else stored.terms.created
        by_cookie = self.documents.ends_by_date(stored)
        stored.terms = Terms(created, seconds, ends, is_exact=by_cookie and seconds is not None)
        stored.expires = self.documents.expires(stored.terms)
        update: Document = {"$set": {"expires": stored.expires}}
        own = ((IDLE_SECONDS, None if by_cookie else seconds), (ENDS_AT, ends))
        for name, value in own:
            update.setdefault("$unset" if value is None else "$set", {})[name] = value
        if not by_cookie:
            self._update({"_id": stored.stored_id}, update)
            return
        if ends is not None:
            seconds = max((ends - self.documents.clock.now()).total_seconds(), 0)
        self._update_cookie(stored, seconds, update)

    def _update_cookie(
        self, stored: StoredSession, seconds: float | None, update: Document
    ) -> None:
        """Update a session, with the lifetime in its cookie for express-session."""
        by_id = {"_id": stored.stored_id}
        latest: StoredSession | None = stored
        for _ in attempts(_CONFLICT_DEADLINE_SECONDS):
            if latest is None:
                return
            cookie = with_max_age(latest.cookie, seconds, self.documents.clock.now())
            if stored.form is StorageForm.NATIVE:
                parts = {
                    f"session.{EXPRESS_COOKIE}.{name}": cookie[name] for name in MAX_AGE_FIELDS
                }
                self._update(by_id, update | {"$set": update["$set"] | parts})
                stored.cookie = cookie
                return
            cookie = as_text(cookie)
            text = self.documents.value(StorageForm.JSON, latest.tree, cookie)
            fields = update["$set"] | {"session": text}
            if self._update(by_id | {"session": latest.text}, update | {"$set": fields}):
                stored.cookie = cookie
                if latest is stored:
                    stored.text = text
                return
            latest = self._find_again(stored)
        raise _conflict_error()

    def swap_json(
        self,
        known: StoredSession,
        latest: StoredSession,
        fields: FieldChanges,
        accessed_time: float | None,
        marks: Document,
        cookie: Document | None,
    ) -> tuple[StoredSession, StoredSession] | None:
        """Replace the JSON text that was read; if it has changed meanwhile, merge again.

        Fields that this request did not change are copied from the latest text as they are.

        :param known: the session as this request knows it.
        :param latest: the session as it was last read or written; it may hold changes of others.
        :param fields: what the request changed.
        :param accessed_time: as for :meth:`update`.
        :param marks: as for :meth:`update`.
        :param cookie: as for :meth:`update`.
        :returns: both as they are now, or ``None`` if the session does not exist any more.
        :raises StoreUnavailable: when other requests change the text for ten seconds.
        """
        for number in attempts(_CONFLICT_DEADLINE_SECONDS):
            tree = self._with_time(fields.applied_to(latest.tree), accessed_time)
            kept = cookie if latest.cookie is None else latest.cookie
            text = self.documents.value(StorageForm.JSON, tree, kept)
            expires = self.documents.expires(known.terms)
            update = {"$set": {"session": text} | marks, "$max": {"expires": expires}}
            query = {"_id": known.stored_id, "session": latest.text}
            if self._update(query, update):
                if listeners and number > 1 and fields:
                    self.report("session.merged", known.stored_id)
                own = self._with_time(fields.applied_to(known.tree), accessed_time)
                return known.saved(own, text, cookie=kept), latest.saved(tree, text, cookie=kept)
            found = self._find_again(known)
            if found is None:
                return None
            if not fields and (accessed_time or 0) <= (found.accessed_time or 0):
                return known, found
            latest = found
        raise _conflict_error()

    def swap_encrypted(
        self, known: StoredSession, text: str, *, accessed_only: bool
    ) -> StoredSession | None:
        """Replace the ciphertext that was read; the later save wins.

        :param known: the session as this request knows it.
        :param text: the new ciphertext.
        :param accessed_only: the request only read: it does not replace a newer save.
        :returns: what is stored now, or ``None`` if the session does not exist any more.
        :raises StoreUnavailable: when other requests change the text for ten seconds.
        """
        if known.form is not StorageForm.ENCRYPTED:
            raise _form_error(StorageForm.ENCRYPTED)
        fields = self.documents.encrypted_fields(known.stored_id, text)
        expires = self.documents.expires(known.terms)
        update = {"$set": fields, "$max": {"expires": expires}}
        current_text = known.text
        for _ in attempts(_CONFLICT_DEADLINE_SECONDS):
            query = {"_id": known.stored_id, "session": current_text}
            if self._update(query, update):
                return known.saved({}, text)
            current = self._find_again(known)
            if current is None or accessed_only:
                return None if current is None else known
            current_text = current.text
        raise _conflict_error()

    def log_dropped(self, stored_id: str) -> None:
        """Log that a save was dropped, because another request destroyed the session.

        :param stored_id: the document's ``_id``.
        """
        if listeners:
            self.report("session.dropped", stored_id)
        extra = log_fields("session.dropped", collection=self.namespace, stored_id=stored_id)
        logger.info(
            "A save of session %s in %s was dropped: another request destroyed the session.",
            extra["handle"],
            self.namespace,
            extra=extra,
        )

    def moved(self, known: StoredSession) -> StoredSession | None:
        """Return a session under the id that it has now; ``None`` if it has ended.

        :param known: the session as this request knows it. Ciphertext is not followed: whoever
            saves it replaces all of the session.
        """
        if known.form is StorageForm.ENCRYPTED:
            return None
        current_id = self.id_changes.current_id(known.stored_id)
        if current_id is None or current_id == known.stored_id:
            return None if current_id is None else known
        return known.moved(current_id, signed_again(self.documents, known, current_id))

    def _with_time(self, tree: dict[str, Tree], accessed_time: float | None) -> dict[str, Tree]:
        if accessed_time is None:
            return tree
        now = self.documents.clock.now_seconds()
        return tree | {ACCESSED_TIME: later_time(accessed_time, tree.get(ACCESSED_TIME), now)}

    def _update(self, query: Document, update: Document) -> bool:
        stamped = self.documents.lifetime.stamped(update)
        return self._collection.update_without(MOVED_TO, query, stamped)

    def _find_again(self, known: StoredSession) -> StoredSession | None:
        """Load what another request saved after this request loaded the session.

        :raises SerializationError: when it is stored in another form now.
        """
        found = self.find(known.stored_id, from_primary=True)
        if found is not None and found.form is not known.form:
            raise _form_error(known.form)
        return found


def _form_error(form: StorageForm) -> SerializationError:
    return SerializationError(
        f"The stored session is no longer {form.value}, as it was when it was loaded.",
        path="session",
        hint="Nothing was changed. Give every application that shares these sessions the same "
        "stringify and the same encrypt_key.",
    )


def _conflict_error() -> StoreUnavailable:
    return StoreUnavailable(
        f"Other requests kept changing the session for {_CONFLICT_DEADLINE_SECONDS:g} seconds.",
        hint="Nothing was saved; the request can be tried again.",
    )
