"""All sessions of a collection, as an operator sees them."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import bson

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.handles import make_handle
from beaker_mongo_soajs.mongo.admin_collection import AdminCollection
from beaker_mongo_soajs.mongo.documents import CODEC_OPTIONS, Document
from beaker_mongo_soajs.mongo.server_clock import local_clock_ahead
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.clock import Clock
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.id_change import NOT_MOVED, IdChanges
from beaker_mongo_soajs.sessions.lifetime import CREATED_AT, CREATION_TIME
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredId, StoredSession
from beaker_mongo_soajs.sessions.user_key import find_value, value_queries

_ARRAY = 4
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """Describe one session.

    :param stored_id: the ``_id`` of its document.
    :param user: its user as text, if it has one.
    :param created: when it began, in naive UTC, if that is known.
    :param last_used: when it was last used, if that is known.
    :param expires: when it expires; ``None`` for never.
    :param size: the bytes of the document.
    :param form: how the document holds the session.
    :param problem: why it cannot be read, if it cannot.
    """

    stored_id: StoredId
    user: str | None
    created: datetime | None
    last_used: datetime | None
    expires: datetime | None
    size: int
    form: str
    problem: str | None = None


@dataclass(frozen=True, repr=False)
class Selection:
    """Select sessions.

    :param where: keys of a session, or paths of keys, and the values that each may have.
    :param idle_seconds: for how long they were not used, at least.
    :param older_seconds: how long ago they began, at least.
    """

    where: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    idle_seconds: float | None = None
    older_seconds: float | None = None


class SessionInventory:
    """List, find and end the sessions of a collection.

    Nothing is kept in memory but what the caller keeps.

    :param config: the configuration.
    :param collection: its collection.
    """

    def __init__(self, config: DbConfig, collection: AdminCollection | None = None) -> None:
        self._config = config
        self._collection = collection or AdminCollection(config)
        clock = Clock(partial(local_clock_ahead, self._collection))
        self._documents = SessionDocuments(config, config.expire_after_seconds, clock=clock)
        self._now = clock.now
        self._id_changes = IdChanges(self._collection, clock.now)

    def rows(self, selection: Selection, limit: int = 0) -> Iterator[Row]:
        """Yield the live sessions, those that expire last first (of a selection, in any order).

        :param selection: which of them.
        :param limit: how many at most; 0 for all.
        """
        now = self._now()
        # An index on the user is better than one on the order.
        sorted_by = None if selection.where else "expires"
        at_once = min(limit or _AT_ONCE, _AT_ONCE)
        found = self._collection.scan(
            self._query(selection, now), sorted_by=sorted_by, at_once=at_once
        )
        rows = (self._row(raw, now, selection) for raw in found)
        yield from itertools.islice((row for row in rows if row is not None), limit or None)

    def read(self, stored_id: StoredId) -> tuple[Row, dict[Any, Any]] | None:
        """Return a live session and its values; without values if it is encrypted.

        :param stored_id: the ``_id`` of its document.
        :raises SerializationError: it cannot be read.
        """
        raw = self._collection.find_one_raw(stored_id)
        now = self._now()
        stored = None if raw is None else self._documents.read(raw, now)
        if raw is None or stored is None:
            return None
        row = self._row(raw, now, Selection())
        values = {} if stored.form is StorageForm.ENCRYPTED else self._documents.decode(stored)
        return None if row is None else (row, values)

    def find_handles(self, prefixes: Iterable[str]) -> dict[str, list[StoredId]]:
        """Find sessions by the first characters of their handles.

        A handle is a digest, so this reads all ids, from the index on ``_id``.

        :param prefixes: the first characters, in lower case.
        :returns: the live sessions for each.
        """
        found: dict[str, list[StoredId]] = {prefix: [] for prefix in prefixes}
        wanted = tuple(found)
        for stored_id in self._collection.scan_ids():
            handle = make_handle(stored_id)
            if handle.startswith(wanted):
                for prefix in wanted:
                    if handle.startswith(prefix):
                        found[prefix].append(StoredId(stored_id))
        return {
            prefix: [each for each in ids if self._is_live(each)] for prefix, ids in found.items()
        }

    def count(self, selection: Selection) -> int:
        """Return how many live sessions a selection has.

        :param selection: the selection.
        """
        return sum(1 for _ in self.rows(selection))

    def destroy(self, ids: Iterable[StoredId]) -> int:
        """Delete sessions; return how many existed.

        :param ids: the ``_id`` of each document.
        """
        return sum(self._id_changes.destroy(each) for each in ids)

    def destroy_selected(self, selection: Selection) -> int:
        """Delete the sessions of a selection by the values of keys; return how many there were.

        :param selection: the selection, without times.
        """
        if self._documents.form is StorageForm.JSON:
            return self.destroy(row.stored_id for row in self.rows(selection))
        return self._id_changes.destroy_all(self._where_query(selection))

    def clear_expired(self) -> int:
        """Delete the documents of expired sessions; return how many there were."""
        return self._collection.delete(self._documents.lifetime.over_query(self._now()))

    def _is_live(self, stored_id: StoredId) -> bool:
        raw = self._collection.find_one_raw(stored_id)
        try:
            return raw is not None and self._documents.read(raw, self._now()) is not None
        except SerializationError:
            return True

    def _query(self, selection: Selection, now: datetime) -> Document:
        query: Document = {
            "$or": [{"expires": {"$gt": now}}, {"expires": {"$exists": False}}]
        } | NOT_MOVED
        if self._documents.form is StorageForm.JSON:
            return query
        parts = [query, self._where_query(selection)]
        if selection.idle_seconds is not None:
            last = _seconds_of(now) - selection.idle_seconds
            parts.append({f"session.{ACCESSED_TIME}": {"$lte": last}})
        return {"$and": [part for part in parts if part]}

    def _where_query(self, selection: Selection) -> Document:
        """Return the filter for values; of the two meanings of a dotted key, that with results."""
        parts: list[Document] = []
        for key, values in selection.where:
            condition = {"$in": [*values], "$not": {"$type": _ARRAY}}
            queries = [*value_queries(key, condition, values)]
            if len(queries) > 1 and any(self._collection.scan(queries[0], at_once=1)):
                queries.pop()
            parts.append(queries[-1])
        return {"$and": parts} if parts else {}

    def _row(self, raw: bytes, now: datetime, selection: Selection) -> Row | None:
        """Return the row of a document, if it belongs to a selection."""
        try:
            stored = self._documents.read(raw, now)
        except SerializationError as error:
            is_selected = selection == Selection()
            return _unreadable_row(raw, error) if is_selected else None
        if stored is None:
            return None
        row = self._describe(stored, raw)
        return row if self._is_selected(row, stored, now, selection) else None

    def _describe(self, stored: StoredSession, raw: bytes) -> Row:
        user = find_value(stored.tree, self._config.store.user_key)
        if isinstance(user, Mapping):
            user = self._decode_user(stored, user)
        created = stored.terms and stored.terms.created
        return Row(
            StoredId(stored.stored_id),
            None if user is None else str(user),
            created or _date_of(stored.tree.get(CREATION_TIME)) or _created_at(raw),
            _date_of(stored.accessed_time),
            stored.expires,
            len(raw),
            stored.form.value,
        )

    def _decode_user(self, stored: StoredSession, tree: Mapping[str, Any]) -> Any:
        try:
            decoded = self._documents.codec(stored.form).decode({"user": tree}, b"")
        except SerializationError:
            return None
        return decoded["user"]

    def _is_selected(
        self, row: Row, stored: StoredSession, now: datetime, selection: Selection
    ) -> bool:
        for seconds, moment in (
            (selection.idle_seconds, row.last_used),
            (selection.older_seconds, row.created),
        ):
            if seconds is not None and (
                moment is None or now - moment < timedelta(seconds=seconds)
            ):
                return False
        return all(_equals(find_value(stored.tree, key), values) for key, values in selection.where)


def _equals(value: Any, values: Sequence[Any]) -> bool:
    # As in MongoDB, a truth value equals no number.
    return any(
        value == each and isinstance(value, bool) is isinstance(each, bool) for each in values
    )


def _unreadable_row(raw: bytes, error: SerializationError) -> Row:
    stored_id = expires = None
    try:
        document = bson.decode(raw, CODEC_OPTIONS)
        stored_id, expires = document.get("_id"), document.get("expires")
    except bson.errors.BSONError:
        pass
    return Row(
        StoredId(stored_id or ""),
        None,
        None,
        None,
        expires if isinstance(expires, datetime) else None,
        len(raw),
        "unreadable",
        str(error.args[0]),
    )


def _created_at(raw: bytes) -> datetime | None:
    created = bson.decode(raw, CODEC_OPTIONS).get(CREATED_AT)
    return created if isinstance(created, datetime) else None


def _date_of(seconds: Any) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None


def _seconds_of(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()
