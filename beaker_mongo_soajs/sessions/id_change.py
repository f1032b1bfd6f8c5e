"""The change of a session's id, and the ends of sessions whose id changes.

A change takes three commands. At no time are two ids valid, and no crash ends the session:

1. The old document becomes a *tombstone*: it gets ``moved_to: <new _id>`` and no date in
   ``expires``, and keeps its data. For every reader, the Node stores included, it is absent, and
   the TTL index does not remove it.
2. The new document is inserted.
3. The tombstone is *closed*: it loses its data, and its ``expires`` is in the past. The TTL index
   removes it.

A save filters by ``_id`` alone, and still changes no tombstone: its update contains ``$pop`` of
``moved_to``. MongoDB ignores this if the field is missing, and refuses the whole update if the
field is a text or null.

If the database does not answer to step 3 in time, nobody knows whether the old id has ended, but
the new one is valid. The visitor is given that, and a later request of the process repeats step 3.

Step 3 decides. A request that finds an open tombstone under its id *reopens* the session: it claims
the tombstone, so that step 3 matches nothing any more, then puts a *barrier* under the new id, so
that nothing is or will be stored there, and then makes the old document valid again. This undoes
what a crash or a lost connection left behind. If the change was only in progress, its request
starts it again, as the next round.

A request that ends a session follows ``moved_to``, and puts a barrier under the new id before it
deletes an open tombstone. ``moved_to: null`` marks a document that is about to be deleted, and
barriers.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum
from time import perf_counter
from typing import Any

from beaker_mongo_soajs.exceptions import StoreUnavailable
from beaker_mongo_soajs.metrics import emit, listeners
from beaker_mongo_soajs.mongo.backoff import attempts
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import Document

MOVED_TO = "moved_to"
"""The field of documents that are no sessions any more: the ``_id`` that the session has now."""

NOT_MOVED: Document = {MOVED_TO: {"$exists": False}}
"""The part of a filter that leaves out documents that are no sessions any more."""

CONTROL_FIELDS: Document = dict.fromkeys((MOVED_TO, "move", "move_round", "barrier", "ended"), "")
"""The fields of this module, as an operand of ``$unset``."""

MARK = "ended"
"""The field of a mark: while sessions are moved from an old backend, it is all that is left of a
session that has ended, so that it is not moved once more."""

_OPEN: Document = {MOVED_TO: {"$type": "string"}, "move": {"$exists": True}}
_CLAIM: Document = {"move.claimed": True}
_DATA_FIELDS: Document = dict.fromkeys(("session", "dataSerializer", "signature"), "")
_DEADLINE_SECONDS = 10.0
# Longer than any request that could still try to store the session under its new id.
_BARRIER_LIFETIME = timedelta(days=1)
_MOST_HOPS = 20
_REMOVAL_SECONDS = 3600.0

# A date that lies in the past by every clock.
_PAST = datetime(2000, 1, 1)

_Change = tuple[str, str, int]
"""The old id, the new id and the round of a change."""

_State = Enum("_State", "NONE LIVE OPEN CLOSED ENDED")


class IdChanges:
    """Change ids of sessions, and end sessions whatever id they have meanwhile.

    :param collection: the collection of the sessions.
    :param now: returns the time by the clock that counts, in naive UTC.
    """

    def __init__(self, collection: StoreCollection, now: Callable[[], datetime]) -> None:
        self._collection = collection
        self._now = now
        self.mark_until: Callable[[], datetime] | None = None
        """How long the mark of an ended session is kept; ``None`` for no marks."""
        self._unclosed: dict[_Change, None] = {}
        self._next_removal = time.monotonic() + _REMOVAL_SECONDS

    def move(
        self,
        old_id: str,
        new_id: str,
        until: datetime,
        make_document: Callable[[Document], Document | None],
    ) -> Document | None:
        """Give a session a new id.

        :param old_id: the ``_id`` of its document.
        :param new_id: the new ``_id``, which no document has.
        :param until: until when the session lives if the change is not completed, in naive UTC.
        :param make_document: makes the new document of the old one, as it is stored now; returns
            ``None`` if that has expired. It may be called several times.
        :returns: the new document; ``None`` if another request ended the session or changed its id.
        :raises StoreUnavailable: when the database does not answer. The old id stays valid.
        """
        self._remove_abandoned()
        overtaken = 0
        for number in attempts(_DEADLINE_SECONDS):
            before = self._open(old_id, new_id, number, until)
            if before is None:
                found = self._find(old_id)
                if found is None or _state(found) not in (_State.OPEN, _State.LIVE):
                    return None
                # Of two requests that change the id at once, the one that is overtaken again
                # gives way.
                overtaken += found.get(MOVED_TO, new_id) != new_id
                if overtaken > 1:
                    return None
                self.reopen(found)
                continue
            try:
                document = make_document(before)
                if document is None:
                    self._collection.delete_first({"_id": old_id, MOVED_TO: new_id})
                    return None
                is_inserted = self._insert(document | {"move_round": number})
            except StoreUnavailable:
                # The next request with the old id reopens the session.
                raise
            except BaseException:
                self.reopen(self._find(old_id))
                raise
            is_closed = is_inserted and self._close((old_id, new_id, number))
            if is_closed is None:
                return None
            if is_closed:
                return document
        raise StoreUnavailable(
            f"Other requests kept using the session for {_DEADLINE_SECONDS:g} seconds while its id "
            "was to change.",
            hint="Nothing was saved; the request can be tried again.",
        )

    def reopen(self, tombstone: Document | None) -> Document | None:
        """Make a session valid again whose change of id was not completed.

        :param tombstone: the document as it was found.
        :returns: the document as it is now, with the types that BSON has; ``None`` if another
            request changed it meanwhile.
        """
        if tombstone is None or _state(tombstone) is not _State.OPEN:
            return None
        move = tombstone["move"]
        by_move = _by_move(tombstone)
        if not self._collection.update(by_move, {"$set": _CLAIM}):
            return None
        self._put_barrier(tombstone[MOVED_TO], move["round"])
        update = {"$set": {"expires": move["until"]}, "$unset": {MOVED_TO: "", "move": ""}}
        return self._collection.find_and_modify(by_move, update, returns="exact new")

    def update(self, query: Document, update: Document) -> bool:
        """Update a session, also while its id is changing; return whether it was found.

        In that case the change of id is started again by its request, to include the update.

        :param query: the filter.
        :param update: the update.
        """
        if self._collection.update_without(MOVED_TO, query, update):
            return True
        claim = update | {"$set": update.get("$set", {}) | _CLAIM}
        # The date stays null until the session is valid again.
        later = {name: date for name, date in claim.pop("$max", {}).items() if name != "expires"}
        return self._collection.update(query | _OPEN, claim | ({"$max": later} if later else {}))

    def destroy(self, stored_id: str) -> int:
        """Delete a session, also if its id was changed meanwhile.

        :param stored_id: the ``_id`` of its document.
        :returns: how many sessions were deleted, 1 or 0.
        """
        start = perf_counter()
        count = self._destroy(stored_id)
        if listeners and count:
            emit("session.destroyed", self._collection.namespace, stored_id, start=start)
        return count

    def _destroy(self, stored_id: str) -> int:
        for _ in range(_MOST_HOPS):
            if self._remove({"_id": stored_id} | NOT_MOVED):
                return 1
            found = self._find(stored_id)
            state = _state(found)
            if found is None or state is _State.ENDED:
                return 0
            if state is _State.CLOSED:
                stored_id = found[MOVED_TO]
            elif state is _State.OPEN and self._end(found):
                self._put_barrier(found[MOVED_TO], found["move"]["round"])
                self._remove({"_id": stored_id, MOVED_TO: {"$type": "null"}})
                return 1
        raise StoreUnavailable(
            "Other requests kept changing the session's id while it was to be deleted.",
            hint="The session was not deleted; the request can be tried again.",
        )

    def destroy_all(self, query: Document) -> int:
        """Delete all sessions that a query finds, also those whose id is changing.

        The first command marks them, each where it is met: under its old id or its new one. From
        then on they are no sessions, and their changes of id fail.

        :param query: the filter.
        :returns: how many sessions were deleted.
        """
        start = perf_counter()
        query = query | {"barrier": {"$exists": False}, MARK: {"$exists": False}}
        # $min leaves an expires of null alone: the TTL index must not remove open tombstones before
        # their new ids are barred.
        mark = {"$set": {MOVED_TO: None}, "$min": {"expires": _PAST}}
        self._collection.update_all(query, mark)
        marked = query | {MOVED_TO: {"$type": "null"}}
        for found in self._collection.find(marked | {"move": {"$exists": True}}, {"move": 1}):
            move = found["move"]
            if _is_move(move):
                self._put_barrier(move["to"], move["round"])
        if self.mark_until is None:
            count = self._collection.delete(marked)
        else:
            count = self._collection.update_all(marked, _mark(self.mark_until()))
        if listeners and count:
            emit("session.destroyed", self._collection.namespace, start=start, count=count)
        return count

    def current_id(self, stored_id: str) -> str | None:
        """Return the ``_id`` that a session has now; ``None`` if it has ended.

        :param stored_id: the ``_id`` that it had.
        """
        for _ in range(_MOST_HOPS):
            found = self._find(stored_id)
            state = _state(found)
            if state in (_State.LIVE, _State.OPEN):
                return stored_id
            if found is None or state is _State.ENDED:
                return None
            stored_id = found[MOVED_TO]
        return None

    def _remove(self, query: Document) -> int:
        """Delete a document, or make it a mark; return how many were found, 1 or 0."""
        if self.mark_until is None:
            return self._collection.delete_first(query)
        return int(self._collection.update(query, _mark(self.mark_until())))

    def _end(self, tombstone: Document) -> bool:
        """Mark an open tombstone: its session has ended, and the change of id fails."""
        return self._collection.update(_by_move(tombstone), {"$set": {MOVED_TO: None}})

    def _remove_abandoned(self) -> None:
        """Delete open tombstones whose visitors never returned, at most once an hour.

        The TTL index leaves them alone, because they have no date.
        """
        if time.monotonic() >= self._next_removal:
            self._next_removal = time.monotonic() + _REMOVAL_SECONDS
            self._collection.delete({"expires": None, "move.until": {"$lte": self._now()}})

    def _open(self, old_id: str, new_id: str, number: int, until: datetime) -> Document | None:
        """Make a tombstone of a live document; return what it was."""
        move = {"to": new_id, "round": number, "until": until}
        return self._collection.find_and_modify(
            {"_id": old_id} | NOT_MOVED,
            {"$set": {MOVED_TO: new_id, "move": move, "expires": None}},
            returns="old",
        )

    def _insert(self, document: Document) -> bool:
        """Insert the new document; return whether no barrier of this round is there."""
        if self._collection.insert(document):
            return True
        earlier = {
            "_id": document["_id"],
            "barrier": True,
            "move_round": {"$lt": document["move_round"]},
        }
        return self._collection.replace(earlier, document)

    def _close(self, change: _Change) -> bool | None:
        """Close a tombstone, if possible while a replica set elects another primary.

        :returns: false if the session was reopened, ``None`` if it was ended.
        """
        for _ in attempts(_DEADLINE_SECONDS, 0.5):
            # Each attempt waits for a primary.
            with suppress(StoreUnavailable):
                return self._close_once(change)
        # The tombstone may have been closed, so the old id may have ended. The new document is
        # stored, and is valid in any case.
        self._unclosed[change] = None
        return True

    def close_unclosed(self) -> None:
        """Close the tombstones for which the database did not answer in time."""
        for change in list(self._unclosed):
            self._close_once(change)
            self._unclosed.pop(change, None)

    def _close_once(self, change: _Change) -> bool | None:
        old_id, new_id, number = change
        query = {"_id": old_id, MOVED_TO: new_id, "move.round": number}
        query["move.claimed"] = {"$exists": False}
        expires = _PAST if self.mark_until is None else self.mark_until()
        update = {"$set": {"expires": expires}, "$unset": _DATA_FIELDS | {"move": ""}}
        if self._collection.update(query, update):
            return True
        # Another request was faster, or the answer to an earlier attempt was lost.
        found = self._find(old_id)
        state = _state(found)
        if state is _State.CLOSED:
            assert found is not None
            return True if found[MOVED_TO] == new_id else None
        if state in (_State.OPEN, _State.LIVE):
            return False
        if state is _State.NONE and _state(self._find(new_id)) is _State.LIVE:
            # The TTL monitor, a Node store or an administrator removed the tombstone. This package
            # puts a barrier under the new id first.
            return True
        self._put_barrier(new_id, number)
        return None

    def _put_barrier(self, stored_id: Any, number: int) -> None:
        """Delete what a round of a change stored under the new id, and keep it from coming."""
        barrier = {
            "barrier": True,
            MOVED_TO: None,
            "move_round": number,
            "expires": self._now() + _BARRIER_LIFETIME,
        }
        self._collection.find_and_modify(
            {"_id": stored_id, "move_round": {"$lte": number}},
            {"$set": barrier, "$unset": _DATA_FIELDS | {"move": ""}},
            upsert=True,
        )

    def _find(self, stored_id: str) -> Document | None:
        return self._collection.find_one(stored_id, from_primary=True)


def _mark(until: datetime) -> Document:
    fields = {MOVED_TO: None, MARK: True, "expires": until}
    return {"$set": fields, "$unset": _DATA_FIELDS | {"move": ""}}


def _by_move(tombstone: Document) -> Document:
    move = tombstone["move"]
    return {
        "_id": tombstone["_id"],
        MOVED_TO: tombstone[MOVED_TO],
        "move.round": move["round"],
    }


def _state(document: Document | None) -> _State:
    """Return what a document is; anything that this module did not write has ended."""
    if document is None:
        return _State.NONE
    if MOVED_TO not in document:
        return _State.LIVE
    moved_to = document[MOVED_TO]
    if type(moved_to) is not str or not moved_to or moved_to == document["_id"]:
        return _State.ENDED
    if "move" not in document:
        return _State.CLOSED
    return _State.OPEN if _is_move(document["move"]) else _State.ENDED


def is_open(document: Document) -> bool:
    """Return whether a document is an open tombstone.

    :param document: the document.
    """
    return _state(document) is _State.OPEN


def _is_move(move: object) -> bool:
    return (
        isinstance(move, dict)
        and type(move.get("to")) is str
        and type(move.get("round")) is int
        and isinstance(move.get("until"), datetime)
    )
