"""How a request saves its session: what it changed, no more, and never what was destroyed."""

import logging
import time
from dataclasses import replace
from typing import Any

from beaker_mongo_soajs.exceptions import SerializationError, StoreUnavailable
from beaker_mongo_soajs.mongo.backoff import attempts
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import Document, utc_now
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, Changes, changes_between
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.native_update import (
    FieldChanges,
    field_changes,
    native_update,
    times_update,
    touch_update,
)
from beaker_mongo_soajs.sessions.serializer import Serializer, through_json
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredSession
from beaker_mongo_soajs.sessions.tags import Tree

logger = logging.getLogger(__name__)

_CONFLICT_DEADLINE_SECONDS = 10.0
_TOUCHED_SECONDS = 1.0
"""For so long after the times were moved a save does not move them again."""


class SessionWriter:
    """Save sessions that a request loaded or made.

    :param documents: makes and reads the documents.
    :param collection: where they are.
    """

    def __init__(self, documents: SessionDocuments, collection: StoreCollection) -> None:
        self._documents = documents
        self._collection = collection
        self._touch_after = collection.config.store.touch_after

    def find(self, stored_id: str, *, from_primary: bool = False) -> StoredSession | None:
        """Return what is stored under an ``_id``, or ``None`` if it is absent or has expired.

        :param stored_id: the document's ``_id``.
        :param from_primary: ask none but the primary.
        """
        document = self._collection.find_one_raw(stored_id, from_primary=from_primary)
        return None if document is None else self._documents.read(document, utc_now())

    def find_and_touch(
        self, session_id: str, accessed_time: float, timeout: float | None
    ) -> StoredSession | None:
        """Return what is stored of a session, and move its times if it is alive: in one command.

        Ciphertext and text are returned untouched: only :meth:`move_times` can touch them.

        :param session_id: the session id.
        :param accessed_time: seconds since 1970.
        :param timeout: seconds that a session may lie idle, if that is limited.
        :returns: what was stored before, or ``None`` if it is absent or past its ``expires``.
        """
        now = utc_now()
        cookie = self._documents.cookie
        update = touch_update(accessed_time, timeout, now, self._documents.expires(now), cookie)
        stored_id = self._documents.stored_id(session_id)
        document = self._collection.find_and_update(stored_id, update)
        stored = None if document is None else self._documents.read(document, now)
        if stored is not None and stored.form is StorageForm.NATIVE:
            stored.touched_time = accessed_time
            stored.cookie = stored.cookie or cookie
        self._collection.sweep_if_due()
        return stored

    def take(self, session_id: str) -> StoredSession | None:
        """Delete a session and return what it was, or ``None`` if it was absent or had expired.

        :param session_id: the session id.
        """
        document = self._collection.find_and_delete(self._documents.stored_id(session_id))
        return None if document is None else self._documents.read(document, utc_now())

    def save(
        self,
        session_id: str,
        session: dict[Any, Any],
        stored: StoredSession | None,
        serializer: Serializer | None = None,
        before: dict[Any, Any] | None = None,
    ) -> StoredSession:
        """Save what a request changed in a session.

        A session that was loaded is updated and never brought back: destroyed meanwhile, it stays
        destroyed. When others change the same text form again and again, this gives up after ten
        seconds.

        :param session_id: the session id.
        :param session: the session as it is to be.
        :param stored: what was loaded, or returned by an earlier :meth:`save` of this request.
        :param serializer: how Beaker serialized it.
        :param before: what was loaded, where serializing alone changes it.
        :returns: what is stored now, for the next save of this request.
        """
        if stored is None:
            stored = self._insert(session_id, session, serializer)
        else:
            self._documents.check_own_keys(session)
            loaded = self._documents.peek(stored) if before is None else before
            if serializer == "json":
                loaded = _as_json_or_as_it_is(loaded)
            changes = changes_between(loaded, session)
            accessed_time = session.get(ACCESSED_TIME)
            if changes or _marks(stored, serializer):
                self._update(stored, changes, accessed_time, serializer)
            else:
                self.move_times(stored, time.time() if accessed_time is None else accessed_time)
        self._collection.sweep_if_due()
        return stored

    def move_times(self, stored: StoredSession, accessed_time: float) -> bool:
        """Move the times of an unchanged session, forward only.

        Nothing is written where they were moved less than ``touchAfter`` seconds ago.

        :param stored: what was loaded.
        :param accessed_time: seconds since 1970.
        :returns: whether the session is still there.
        """
        if self._is_dropped(stored):
            return False
        now = utc_now()
        # A time that lies ahead (milliseconds by mistake, another clock) holds nothing up, nor does
        # one beside an earlier end: another application's, or that of a shorter timeout.
        age_seconds = accessed_time - (stored.accessed_time or 0)
        if 0 <= age_seconds < self._touch_after and self._documents.is_touched(stored, now):
            return True
        if accessed_time <= stored.touched_time:
            return True
        self._collection.sweep_if_due()
        if stored.form is StorageForm.JSON:
            return self._swap_json(stored, Changes(), accessed_time, stored.serializer)
        expires = self._documents.expires(now)
        update: Document | list[Document] = {"$max": times_update(None, expires)}
        if stored.form is StorageForm.NATIVE:
            cookie = self._documents.missing_cookie(stored)
            update = native_update(FieldChanges({}, set()), accessed_time, expires, cookie=cookie)
        return self._collection.update({"_id": stored.stored_id}, update)

    def save_encrypted(
        self,
        session_id: str,
        text: str,
        stored: StoredSession | None,
        *,
        accessed_only: bool,
        may_be_late: bool = True,
    ) -> StoredSession:
        """Save a session that Beaker encrypted: whole, since nobody can tell what changed in it.

        :param session_id: the session id.
        :param text: Beaker's payload.
        :param stored: as for :meth:`save`.
        :param accessed_only: the request only read: a newer save by another request then stands.
        :param may_be_late: whether ``touchAfter`` holds. Not where somebody ends the session by the
            time in the ciphertext, which then must be the true one.
        :returns: as for :meth:`save`.
        """
        now = utc_now()
        document = self._documents.build_encrypted(self._documents.stored_id(session_id), text, now)
        if stored is None:
            stored, _ = self._insert_document(document, StorageForm.ENCRYPTED)
            accessed_only = False
        elif accessed_only and may_be_late and self._documents.is_touched(stored, now):
            return stored
        if stored.text != text:
            self._swap_encrypted(stored, document, accessed_only=accessed_only)
        self._collection.sweep_if_due()
        return stored

    def _insert(
        self, session_id: str, session: dict[Any, Any], serializer: Serializer | None
    ) -> StoredSession:
        stored_id = self._documents.stored_id(session_id)
        form = self._documents.form
        tree = self._documents.encode(form, session, stored_id)
        document = self._documents.build(stored_id, tree, serializer, utc_now())
        stored, is_ours = self._insert_document(document, form)
        if not is_ours:
            # Another request saved under this new id first. Nothing of either is lost: what this
            # one put into its empty session are its changes.
            stored.latest = replace(stored)
            changes = changes_between({}, session)
            self._update(stored, changes, session.get(ACCESSED_TIME), serializer)
        stored.tree = tree
        return stored

    def _insert_document(self, document: Document, form: StorageForm) -> tuple[StoredSession, bool]:
        """Insert a new session.

        :returns: the session and ``True``, or the live one that another inserted first and
            ``False``.
        """
        stored_id = document["_id"]
        for _ in attempts(_CONFLICT_DEADLINE_SECONDS):
            expired = {"_id": stored_id, "expires": {"$lte": utc_now()}}
            if self._collection.insert(document) or self._collection.replace(expired, document):
                mine = StoredSession(
                    stored_id=stored_id,
                    form=form,
                    text="" if form is StorageForm.NATIVE else document["session"],
                    loaded={},
                    serializer=document.get("dataSerializer"),
                    expires=document["expires"],
                )
                return mine, True
            stored = self.find(stored_id, from_primary=True)
            if stored is not None:
                return stored, False
        raise _gave_up()

    def _update(
        self,
        stored: StoredSession,
        changes: Changes,
        accessed_time: float | None,
        serializer: Serializer | None,
    ) -> None:
        if self._is_dropped(stored):
            return
        if stored.form is StorageForm.JSON:
            self._swap_json(stored, changes, accessed_time, serializer)
            return
        fields = field_changes(self._documents.codec(stored.form), stored, changes)
        # Loading it has moved the times a moment ago: the server is spared an entry of its index.
        is_touched = accessed_time == stored.touched_time > time.time() - _TOUCHED_SECONDS
        expires = None if is_touched else self._documents.expires(utc_now())
        cookie = self._documents.missing_cookie(stored)
        marks = _marks(stored, serializer)
        update = native_update(fields, accessed_time, expires, fields=marks, cookie=cookie)
        if not self._collection.update({"_id": stored.stored_id}, update):
            self._drop(stored)
        stored.tree = fields.applied_to(stored.tree)
        stored.touched_time = accessed_time or 0.0

    def _swap_json(
        self,
        stored: StoredSession,
        changes: Changes,
        accessed_time: float | None,
        serializer: Serializer | None,
    ) -> bool:
        """Put a new text in place of the one that was read; merge again if that changed.

        Fields that this request did not change go into the new text as they stand in the old one.
        """
        fields = field_changes(self._documents.codec(StorageForm.JSON), stored, changes)
        marks = _marks(stored, serializer)
        # What an earlier save of this request was merged into is more than this request knows of.
        current = stored.latest or stored
        for _ in attempts(_CONFLICT_DEADLINE_SECONDS):
            tree = _with_time(fields.applied_to(current.tree), accessed_time)
            text = self._documents.value(StorageForm.JSON, tree, current.cookie)
            update = {
                "$set": {"session": text} | marks,
                "$max": {"expires": self._documents.expires(utc_now())},
            }
            if self._collection.update({"_id": stored.stored_id, "session": current.text}, update):
                stored.tree = _with_time(fields.applied_to(stored.tree), accessed_time)
                stored.touched_time = accessed_time or 0.0
                current.text, current.tree = text, tree
                return True
            found = self._find_again(stored)
            if found is None:
                return False
            if not changes and (accessed_time or 0) <= (found.accessed_time or 0):
                return True
            stored.latest = current = found
        raise _gave_up()

    def _swap_encrypted(
        self, stored: StoredSession, document: Document, *, accessed_only: bool
    ) -> None:
        """Put new ciphertext in place of the one that was read; the later save wins."""
        fields = {key: item for key, item in document.items() if key not in ("_id", "expires")}
        update = {"$set": fields, "$max": {"expires": document["expires"]}}
        if self._is_dropped(stored):
            return
        if stored.form is not StorageForm.ENCRYPTED:
            raise _other_form(StorageForm.ENCRYPTED)
        current_text = stored.text
        for _ in attempts(_CONFLICT_DEADLINE_SECONDS):
            if self._collection.update({"_id": stored.stored_id, "session": current_text}, update):
                stored.text = document["session"]
                return
            current = self._find_again(stored)
            if current is None or accessed_only:
                return
            current_text = current.text
        raise _gave_up()

    def _find_again(self, stored: StoredSession) -> StoredSession | None:
        """Return what another request stored in the place of what was loaded, if it is there.

        :raises SerializationError: when that is of another form.
        """
        found = self.find(stored.stored_id, from_primary=True)
        if found is None:
            self._drop(stored)
        elif found.form is not stored.form:
            raise _other_form(stored.form)
        return found

    def _is_dropped(self, stored: StoredSession) -> bool:
        """Drop the save of a session that an earlier save of this request found destroyed.

        Another session may live under its id by now.
        """
        if stored.is_gone:
            self._drop(stored)
        return stored.is_gone

    def _drop(self, stored: StoredSession) -> None:
        stored.is_gone = True
        logger.info(
            "A save of session %s… in %s was dropped: the session was destroyed meanwhile.",
            stored.stored_id[:6],
            self._collection.namespace,
        )


def _as_json_or_as_it_is(loaded: dict[Any, Any]) -> dict[Any, Any]:
    """Return what was loaded as JSON makes it: lists that were tuples are no request's change."""
    try:
        return through_json(loaded)
    except (SerializationError, RecursionError):
        return loaded


def _with_time(tree: dict[str, Tree], accessed_time: float | None) -> dict[str, Tree]:
    if accessed_time is None:
        return tree
    return tree | {ACCESSED_TIME: max(accessed_time, tree.get(ACCESSED_TIME, accessed_time))}


def _marks(stored: StoredSession, serializer: Serializer | None) -> Document:
    """Return the field that notes another serializer; a fresh process cannot know it."""
    if serializer is None or serializer == (stored.serializer or "pickle"):
        return {}
    return {"dataSerializer": serializer}


def _other_form(form: StorageForm) -> SerializationError:
    return SerializationError(
        f"The stored session is no longer {form.value}, as it was when it was loaded.",
        path="session",
        hint="Nothing was changed. Give every application here the same stringify and the same "
        "encrypt_key.",
    )


def _gave_up() -> StoreUnavailable:
    return StoreUnavailable(
        f"Other requests kept changing the session for {_CONFLICT_DEADLINE_SECONDS:g} seconds.",
        hint="Nothing was saved; the request can be tried again.",
    )
