"""Sessions in a MongoDB collection: the only code that sends commands about session documents."""

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from pymongo import IndexModel

from beaker_mongo_soajs.backoff import attempts
from beaker_mongo_soajs.changes import ACCESSED_TIME, Changes, changes_between, merged
from beaker_mongo_soajs.collection import Document, StoreCollection, ttl_index, utc_now
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.document import Form, SessionDocuments, StoredSession
from beaker_mongo_soajs.exceptions import SerializationError, StoreUnavailable
from beaker_mongo_soajs.payload import Serializer
from beaker_mongo_soajs.update import native_update, times_update

logger = logging.getLogger(__name__)

_CONFLICT_DEADLINE_SECONDS = 10.0


class SessionStore:
    """Keep sessions in MongoDB, in the documents that connect-mongo and connect-mongo-soajs write.

    A store is cheap, safe to share between threads, and connects on first use::

        store = SessionStore({"name": "core_session", "servers": ["127.0.0.1:27017"]})
        store.set("aX9…", {"user": "ann"})
        store.get("aX9…")

    Reads and writes filter on ``_id`` alone (the text form also on the text that was read), which
    keeps MongoDB on its fast path for ids, and each command on one shard.

    Every method raises :class:`~beaker_mongo_soajs.StoreUnavailable` when the database does not
    carry out its command, and :class:`~beaker_mongo_soajs.SerializationError` for a document that
    cannot be read and a value or session id that cannot be stored; what is stored then stays as it
    was.

    :param config: a :class:`~beaker_mongo_soajs.DbConfig`, or its options as a mapping.
    :param timeout: seconds that an untouched session lives; without it ``expireAfter`` decides.
    :raises ConfigError: when the options cannot be used.
    """

    def __init__(
        self, config: DbConfig | Mapping[str, object] | None = None, *, timeout: float | None = None
    ) -> None:
        if not isinstance(config, DbConfig):
            config = DbConfig.from_options(config or {})
        self.config = config
        self.timeout = timeout
        lifetime = config.expire_after_seconds if timeout is None else timeout
        self._documents = SessionDocuments(config, lifetime)
        self._touch_after = config.store.touch_after
        self._collection = StoreCollection(config, config.collection, _indexes(config))
        self._next_sweep = 0.0

    def get(self, session_id: str) -> dict[Any, Any] | None:
        """Return a session, or ``None`` if it is absent or has expired.

        :param session_id: the session id.
        """
        stored = self.load(session_id)
        return None if stored is None else self.session_of(stored)

    def set(self, session_id: str, session: Mapping[Any, Any]) -> None:
        """Store a whole session in place of the one that is there.

        :param session_id: the session id.
        :param session: the session.
        """
        stored_id = self._documents.stored_id(session_id)
        fields = self._documents.build(stored_id, dict(session), None, utc_now())
        del fields["_id"]
        update = {"$set": fields, "$unset": {"dataSerializer": "", "signature": ""}}
        self._collection.update({"_id": stored_id}, update, upsert=True)
        self._sweep_if_due()

    def touch(self, session_id: str) -> bool:
        """Move a session's times to now and leave its data alone.

        :param session_id: the session id.
        :returns: whether there is such a session.
        """
        stored = self.load(session_id)
        return stored is not None and self.move_times(stored, time.time())

    def destroy(self, session_id: str) -> int:
        """Delete a session.

        :param session_id: the session id.
        :returns: how many documents that removed, 1 or 0.
        """
        return self._collection.delete_one(self._documents.stored_id(session_id))

    def length(self) -> int:
        """Return the number of live sessions."""
        return self._collection.count(_live())

    def clear(self) -> int:
        """Delete all sessions; the collection and its indexes stay.

        :returns: how many documents that removed.
        """
        return self._collection.delete({})

    def ids(self) -> Iterator[str]:
        """Yield the ids of the live sessions; their digests where ``store.transformId`` is set."""
        for document in self._find_live({"_id": 1}):
            yield document["_id"]

    def all(self) -> Iterator[dict[Any, Any]]:
        """Yield the live sessions; what cannot be read is passed over and logged."""
        now = utc_now()
        for document in self._find_live():
            try:
                stored = self._documents.read(document, now)
                if stored is not None:
                    yield self.session_of(stored)
            except SerializationError as error:
                logger.warning(
                    "A document in %s is passed over. %s", self._collection.namespace, error
                )

    def load(self, session_id: str) -> StoredSession | None:
        """Return what is stored of a session, or ``None`` if it is absent or has expired.

        :param session_id: the session id.
        """
        return self._find(self._documents.stored_id(session_id))

    def session_of(self, stored: StoredSession) -> dict[Any, Any]:
        """Return the session of what :meth:`load` returned.

        :param stored: a session that is not ciphertext.
        """
        if stored.form is Form.SEALED:
            raise SerializationError(
                "The session is ciphertext.",
                path="session",
                hint="Only Beaker's Session with the same encrypt_key can read it.",
            )
        return self._documents.decode(stored)

    def check(self, session: dict[Any, Any]) -> None:
        """Check that a session can be stored, without storing it.

        :param session: the session.
        """
        self._documents.build("", session, None, utc_now())

    def save(
        self,
        session_id: str,
        session: dict[Any, Any],
        stored: StoredSession | None,
        serializer: Serializer | None = None,
    ) -> StoredSession:
        """Save what a request changed in a session.

        A session that was loaded is updated and never brought back: destroyed meanwhile, it stays
        destroyed. When others change the same text form again and again, this gives up after ten
        seconds.

        :param session_id: the session id.
        :param session: the session as it is to be.
        :param stored: what :meth:`load` returned, or an earlier :meth:`save` of this request.
        :param serializer: how Beaker serialized it.
        :returns: what is stored now, for the next save of this request.
        """
        if stored is None:
            stored = self._insert(session_id, session, serializer)
        else:
            changes = changes_between(self.session_of(stored), session)
            if changes or serializer == "json" != stored.serializer:
                self._update(stored, changes, session, serializer)
            else:
                self.move_times(stored, session.get(ACCESSED_TIME, time.time()))
        self._sweep_if_due()
        return stored

    def move_times(self, stored: StoredSession, accessed_time: float) -> bool:
        """Move the times of an unchanged session, forward only.

        Nothing is written where they were moved less than ``touchAfter`` seconds ago.

        :param stored: what :meth:`load` returned.
        :param accessed_time: seconds since 1970.
        :returns: whether the session is still there.
        """
        before = stored.accessed_time
        if before is not None and accessed_time - before < self._touch_after:
            return True
        if stored.form is Form.TEXT:
            session = self.session_of(stored) | {ACCESSED_TIME: accessed_time}
            return self._swap_text(stored, Changes(), session, stored.serializer)
        times = times_update(accessed_time, self._documents.expires(utc_now()))
        return self._collection.update({"_id": stored.stored_id}, {"$max": times})

    def save_sealed(
        self, session_id: str, text: str, stored: StoredSession | None, *, accessed_only: bool
    ) -> StoredSession:
        """Save a session that Beaker encrypted: whole, since nobody can tell what changed in it.

        :param session_id: the session id.
        :param text: Beaker's payload.
        :param stored: as for :meth:`save`.
        :param accessed_only: the request only read: a newer save by another request then stands.
        :returns: as for :meth:`save`.
        """
        now = utc_now()
        document = self._documents.build_sealed(self._documents.stored_id(session_id), text, now)
        if stored is None:
            stored = self._insert_document(document, Form.SEALED)
            accessed_only = False
        elif accessed_only and self._documents.is_touched(stored, now):
            return stored
        if stored.value != text:
            self._swap_sealed(stored, document, accessed_only=accessed_only)
        self._sweep_if_due()
        return stored

    def _find_live(self, projection: Document | None = None) -> Iterator[Document]:
        for document in self._collection.find(_live(), projection):
            if isinstance(document["_id"], str):
                yield document

    def _find(self, stored_id: str) -> StoredSession | None:
        document = self._collection.find_one(stored_id)
        return None if document is None else self._documents.read(document, utc_now())

    def _insert(
        self, session_id: str, session: dict[Any, Any], serializer: Serializer | None
    ) -> StoredSession:
        stored_id = self._documents.stored_id(session_id)
        document = self._documents.build(stored_id, session, serializer, utc_now())
        stored = self._insert_document(document, self._documents.form)
        if stored.value is not document["session"]:
            # Another request saved under this new id first. Nothing of either is lost: what this
            # one put into its empty session are its changes.
            changes = changes_between({}, session)
            both = merged(self.session_of(stored), changes) | {
                ACCESSED_TIME: session.get(ACCESSED_TIME, time.time())
            }
            self._update(stored, changes, both, serializer)
        stored.session = session
        return stored

    def _insert_document(self, document: Document, form: Form) -> StoredSession:
        """Insert a new session and return it, or the live one that another inserted first."""
        stored_id = document["_id"]
        for _ in attempts(_CONFLICT_DEADLINE_SECONDS):
            expired = {"_id": stored_id, "expires": {"$lte": utc_now()}}
            if self._collection.insert(document) or self._collection.replace(expired, document):
                return self._documents.fresh(document, form)
            stored = self._find(stored_id)
            if stored is not None:
                return stored
        raise _gave_up()

    def _update(
        self,
        stored: StoredSession,
        changes: Changes,
        session: dict[Any, Any],
        serializer: Serializer | None,
    ) -> None:
        self._documents.refuse_express_cookie(session)
        if stored.form is Form.TEXT:
            self._swap_text(stored, changes, session, serializer)
            return
        fields = {"expires": self._documents.expires(utc_now())} | _marks(stored, serializer)
        codec = self._documents.codec(stored.form)
        update = native_update(codec, stored, changes, session.get(ACCESSED_TIME), fields)
        if not self._collection.update({"_id": stored.stored_id}, update):
            self._log_drop(stored)
        stored.session = session

    def _swap_text(
        self,
        stored: StoredSession,
        changes: Changes,
        session: dict[Any, Any],
        serializer: Serializer | None,
    ) -> bool:
        """Put a new text in place of the one that was read; merge again if that changed."""
        value, mine, accessed_time = stored.value, session, session.get(ACCESSED_TIME, 0)
        marks = _marks(stored, serializer)
        for _ in attempts(_CONFLICT_DEADLINE_SECONDS):
            text = self._documents.encode(Form.TEXT, session, stored.stored_id)
            update = {
                "$set": {"session": text} | marks,
                "$max": {"expires": self._documents.expires(utc_now())},
            }
            if self._collection.update({"_id": stored.stored_id, "session": value}, update):
                stored.value, stored.session = text, mine
                return True
            current = self._find(stored.stored_id)
            if current is None:
                self._log_drop(stored)
                return False
            newest = max(accessed_time, current.accessed_time or 0)
            if not changes and newest == current.accessed_time:
                return True
            session = merged(self.session_of(current), changes) | {ACCESSED_TIME: newest}
            value = current.value
        raise _gave_up()

    def _swap_sealed(
        self, stored: StoredSession, document: Document, *, accessed_only: bool
    ) -> None:
        """Put new ciphertext in place of the one that was read; the later save wins."""
        fields = {key: item for key, item in document.items() if key not in ("_id", "expires")}
        update = {"$set": fields, "$max": {"expires": document["expires"]}}
        value = stored.value
        for _ in attempts(_CONFLICT_DEADLINE_SECONDS):
            if self._collection.update({"_id": stored.stored_id, "session": value}, update):
                stored.value = document["session"]
                return
            current = self._find(stored.stored_id)
            if current is None:
                self._log_drop(stored)
                return
            if accessed_only:
                return
            value = current.value
        raise _gave_up()

    def _log_drop(self, stored: StoredSession) -> None:
        logger.info(
            "A save of session %s… in %s was dropped: the session was destroyed meanwhile.",
            stored.stored_id[:6],
            self._collection.namespace,
        )

    def _sweep_if_due(self) -> None:
        if self.config.store.auto_remove != "interval" or time.monotonic() < self._next_sweep:
            return
        self._next_sweep = time.monotonic() + self.config.store.auto_remove_interval_minutes * 60
        self._collection.sweep()


def _indexes(config: DbConfig) -> list[IndexModel]:
    own = [ttl_index()] if config.store.auto_remove == "native" else []
    return own + [IndexModel([(name, 1)]) for name in config.store.indexes]


def _live() -> Document:
    return {"$or": [{"expires": {"$gt": utc_now()}}, {"expires": {"$exists": False}}]}


def _marks(stored: StoredSession, serializer: Serializer | None) -> Document:
    """Return the field that notes another serializer; a fresh process cannot know it."""
    if serializer is None or serializer == (stored.serializer or "pickle"):
        return {}
    return {"dataSerializer": serializer}


def _gave_up() -> StoreUnavailable:
    return StoreUnavailable(
        f"Other requests kept changing the session for {_CONFLICT_DEADLINE_SECONDS:g} seconds.",
        hint="Nothing was saved; the request can be tried again.",
    )
