"""The lease of a cache entry, under which one owner creates a value."""

from datetime import datetime
from typing import Any

from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.mongo.leases import Lease

_VALUE_FIELDS = {"value": "", "version": "", "signature": "", "fresh_until": ""}
_DATE = 9
_NULL = 10


class EntryLease(Lease):
    """A lease whose fields are part of a cache entry.

    An entry lives until ``expires``, for ever if that is null. A lease makes it live for as long as
    itself, but not the value in it, and never shorter.
    """

    _awaits: tuple[Any] | None = None

    def acquire_unless_newer(self, version: Any) -> None:
        """Let attempts fail while another version of the value is stored than the caller has read.

        :param version: the version that the caller has read, ``None`` if it has read none.
        """
        self._awaits = (version,)

    def _may_acquire(self, now: datetime) -> bool:
        return super()._may_acquire(now) and not self._is_newer(self.document)

    def _is_newer(self, document: Document) -> bool:
        if self._awaits is None or "value" not in document:
            return False
        return bool(document.get("version") != self._awaits[0])

    def _try_to_acquire(self, now: datetime, *, claim: bool) -> Document | None:
        query, update = self._acquire_query(now, claim=claim), self._acquire_update(now)
        until = self._until(now)
        conditions: list[Document] = query["$and"]
        if self._awaits is not None:
            absent = {"value": {"$exists": False}}
            conditions.append({"$or": [absent, {"version": {"$eq": self._awaits[0]}}]})
        # No plain operator tells these apart: what was read of the entry does, and the filter makes
        # sure of it.
        expires = self.document.get("expires", until)
        upsert = False
        if expires is None:
            conditions.append({"expires": {"$type": _NULL}})
        elif isinstance(expires, datetime) and expires <= now:
            # The TTL index has not removed the entry yet. The lease must not bring it back.
            conditions.append({"expires": {"$lte": now}})
            update["$unset"] = _VALUE_FIELDS
            update["$set"] = update["$set"] | {"expires": until}
        elif not isinstance(expires, datetime):
            # Planted: no comparison with a date is reliable, above all with an array of dates.
            conditions.append({"expires": {"$eq": expires}})
            update["$set"] = update["$set"] | {"expires": until}
        else:
            conditions.append({"expires": {"$not": {"$lte": now}}})
            conditions.append({"expires": {"$not": {"$type": _NULL}}})
            update["$max"] = {"expires": until}
            upsert = True
        return self._collection.find_and_modify(query, update, upsert=upsert)

    def _extend(self, fields: Document, until: datetime) -> bool:
        # Others may store a value that never expires in the meantime.
        dated = self._own_filter | {"expires": {"$type": _DATE}}
        update = {"$set": fields, "$max": {"expires": until}}
        return self._collection.update(dated, update) or self._update({"$set": fields})

    def _free(self) -> bool:
        return self._delete_empty() or super()._free()

    def _delete_empty(self) -> bool:
        if self._shared or "value" in self.document:
            return False
        query = {**self._own_filter, "value": {"$exists": False}}
        return self._collection.delete_first(query) > 0
