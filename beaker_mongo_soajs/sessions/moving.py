"""Move sessions from an old backend, each when its visitor returns, or all at once."""

import logging
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from beaker_mongo_soajs.exceptions import StoreUnavailable
from beaker_mongo_soajs.log_records import warn
from beaker_mongo_soajs.metrics import emit, listeners
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.coder import SessionCoder
from beaker_mongo_soajs.sessions.lifetime import CREATED_AT, CREATION_TIME
from beaker_mongo_soajs.sessions.stored import StoredSession
from beaker_mongo_soajs.sessions.writer import SessionWriter
from beaker_mongo_soajs.sources.decryption import decrypted
from beaker_mongo_soajs.sources.entry import Entry, OldSession, from_timestamp, read_entry
from beaker_mongo_soajs.sources.source import Source

logger = logging.getLogger(__name__)

_MARGIN = timedelta(days=1)


class Move(Enum):
    """What became of a session of the old backend."""

    MOVED = "moved"
    PRESENT = "already here"
    EXPIRED = "expired"
    EMPTY = "empty"


class SessionMover:
    """Move sessions from an old backend into a collection.

    A session is inserted, never overwritten, and then deleted in the old backend. So it does not
    matter how many processes move it at once, and a crash in between loses nothing. While a store
    has a mover, a session that ends leaves a mark for as long as the old backend could still hold
    it: it is never moved once more.

    :param writer: loads and saves documents; it gets this mover.
    :param collection: the collection of the sessions.
    :param source: the old backend.
    """

    def __init__(self, writer: SessionWriter, collection: StoreCollection, source: Source) -> None:
        self.source = source
        self._writer = writer
        self._documents = writer.documents
        self._collection = collection
        writer.mover = self
        writer.id_changes.mark_until = self._mark_until

    def move(self, session_id: str, coder: SessionCoder) -> StoredSession | None:
        """Move a session; return what is stored of it then, or ``None`` if there is none.

        :param session_id: the session id.
        :param coder: how the request stores its session.
        :raises StoreUnavailable: the old backend does not answer.
        :raises SerializationError: the session cannot be read or stored; it stays where it is.
        """
        stored_id = self._documents.stored_id(session_id)
        entry = self.source.find(session_id)
        if entry is None:
            # Another request may have moved it since this one looked here.
            found = self._writer.find(stored_id)
            if found is None:
                self._report("session.missed", stored_id)
            return found
        move = self.store(entry, coder)
        if move in (Move.EXPIRED, Move.EMPTY):
            self._report("session.expired", stored_id)
            return None
        # Whichever request inserted it, or ended it.
        return self._writer.find(stored_id)

    def store(self, entry: Entry, coder: SessionCoder, *, dry_run: bool = False) -> Move:
        """Store a session of the old backend, and delete it there.

        :param entry: the entry of the old backend.
        :param coder: how sessions are stored.
        :param dry_run: whether to check only that it can be stored.
        :raises SerializationError: the session cannot be read or stored; it stays where it is.
        """
        options = self.source.options
        old = read_entry(entry, trust_pickles=options.trust_pickles)
        if old is None:
            return Move.EMPTY
        old = decrypted(old, options)
        stored_id = self._documents.stored_id(entry.session_id)
        document = self._make(stored_id, entry, old, coder)
        if document["expires"] <= self._documents.clock.now():
            return Move.EXPIRED
        if dry_run:
            is_here = self._collection.find_one(stored_id) is not None
            return Move.PRESENT if is_here else Move.MOVED
        is_inserted = self._collection.insert(document)
        if is_inserted:
            self._report("session.migrated", stored_id)
        if not options.keep:
            self._delete(entry.session_id)
        return Move.MOVED if is_inserted else Move.PRESENT

    def _delete(self, session_id: str) -> None:
        """Delete a session in the old backend. It is stored here, whether that succeeds or not."""
        try:
            self.source.delete(session_id)
        except StoreUnavailable as error:
            warn(
                logger,
                "A session was moved to %s, and could not be deleted in the old backend. %s",
                self._collection.namespace,
                error,
                event="session.migrated",
                collection=self._collection.namespace,
                stored_id=self._documents.stored_id(session_id),
            )

    def _make(self, stored_id: str, entry: Entry, old: OldSession, coder: SessionCoder) -> Document:
        now = self._documents.clock.now()
        session: dict[Any, Any] = old.session or {}
        accessed = from_timestamp(session.get(ACCESSED_TIME)) or entry.accessed or now
        if old.session is None:
            document = self._documents.build_encrypted(stored_id, old.text, now)
        else:
            document, _ = coder.new_document(stored_id, session)
        created = from_timestamp(session.get(CREATION_TIME))
        if CREATED_AT in document and created is not None:
            document[CREATED_AT] = min(created, now)
        document["expires"] = entry.expires or self._documents.lifetime.expires(min(accessed, now))
        return document | dict(entry.fields)

    def _mark_until(self) -> datetime:
        return self._documents.expires() + _MARGIN

    def _report(self, event: str, stored_id: str) -> None:
        if listeners:
            emit(event, self._collection.namespace, stored_id)
