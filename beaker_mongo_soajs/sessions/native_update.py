"""The update that saves what a request changed in a native document. Pure: it sends nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, Changes
from beaker_mongo_soajs.sessions.codec import Codec
from beaker_mongo_soajs.sessions.stored import EXPRESS_COOKIE, LATEST_TIME, StoredSession
from beaker_mongo_soajs.sessions.tags import Tree


def times_update(accessed_time: float | None, expires: datetime) -> Document:
    """Return the ``$max`` operand that moves a session's times, forward only.

    :param accessed_time: seconds since 1970; ``None`` for a session that keeps no such time.
    :param expires: naive UTC.
    """
    if accessed_time is None:
        return {"expires": expires}
    return {f"session.{ACCESSED_TIME}": accessed_time, "expires": expires}


@dataclass(frozen=True, slots=True, repr=False)
class FieldChanges:
    """The fields of a native session that a request changed.

    :param assigned: the new trees of fields.
    :param removed: the fields that are gone.
    """

    assigned: dict[str, Tree]
    removed: set[str]

    def applied_to(self, tree: dict[str, Tree]) -> dict[str, Tree]:
        """Return a stored tree with the changes made to it.

        :param tree: the tree before.
        """
        kept = {name: item for name, item in tree.items() if name not in self.removed}
        return kept | self.assigned


def field_changes(codec: Codec, stored: StoredSession, changes: Changes) -> FieldChanges:
    """Return what changes of keys are in fields.

    :param codec: encodes the assigned values.
    :param stored: the session that was loaded.
    :param changes: what the request changed.
    :raises SerializationError: for a value that cannot be stored, naming its path.
    """
    place = stored.stored_id.encode()
    assigned: dict[str, Tree] = {}
    removed = {_stored_name(codec, stored, key, place) for key in changes.removed}
    for key, value in changes.assigned.items():
        name, tree = codec.encode_item(key, value, place)
        assigned[name] = tree
        if name != key:
            # Another application may hold the key under its own name, which no path can hold.
            removed.add(_stored_name(codec, stored, key, place))
    return FieldChanges(assigned, removed - assigned.keys())


def native_update(
    changes: FieldChanges,
    accessed_time: float | None,
    expires: datetime | None,
    *,
    fields: Document | None = None,
    cookie: Document | None = None,
) -> Document | list[Document]:
    """Return the update of one native document: ``$set``/``$unset`` by key, or a pipeline.

    :param changes: what the request changed.
    :param accessed_time: as for :func:`times_update`.
    :param expires: as for :func:`times_update`; ``None`` leaves both times as they are.
    :param fields: other fields of the document to set.
    :param cookie: express-session's cookie, for a session that may have none.
    """
    fields = fields or {}
    # No operator sets a field on the condition that it is not there.
    if cookie or not all(map(_is_path_step, [*changes.assigned, *changes.removed])):
        return _pipeline(changes, accessed_time, expires, fields, cookie)
    update: Document = {}
    if expires is not None:
        update["$max"] = times_update(accessed_time, expires)
    assigned = {f"session.{name}": tree for name, tree in changes.assigned.items()} | fields
    if assigned:
        update["$set"] = assigned
    if changes.removed:
        update["$unset"] = {f"session.{name}": "" for name in changes.removed}
    return update


def touch_update(
    accessed_time: float,
    timeout: float | None,
    now: datetime,
    expires: datetime,
    cookie: Document | None = None,
) -> Any:
    """Return the pipeline that moves the times of a native session, if it is alive.

    Alive is what has neither passed its ``expires`` nor its timeout. Only a pipeline can tell and
    move the times in one command; anything else than a live native session it leaves as it is.

    :param accessed_time: seconds since 1970.
    :param timeout: seconds that a session may lie idle, if that is limited.
    :param now: naive UTC.
    :param expires: naive UTC.
    :param cookie: as for :func:`native_update`.
    """
    accessed = f"$session.{ACCESSED_TIME}"
    oldest = -LATEST_TIME if timeout is None else accessed_time - timeout
    # NaN sorts below all numbers, and nothing below everything else that a session may have there.
    is_timely = {"$and": [{"$gte": [accessed, oldest]}, {"$lte": [accessed, LATEST_TIME]}]}
    alive: list[Document] = [
        {"$eq": [{"$type": "$session"}, "object"]},
        {"$in": [{"$type": accessed}, ["double", "int", "long", "missing"]]},
        {"$in": [{"$type": "$expires"}, ["date", "missing"]]},
        {"$or": [{"$gt": ["$expires", now]}, {"$lt": ["$expires", None]}]},
        {"$or": [is_timely, {"$lt": [accessed, None]}]},
    ]
    merge: list[Any] = ["$session", {ACCESSED_TIME: {"$max": [accessed, accessed_time]}}]
    session = {"$mergeObjects": merge + _cookie_if_missing(cookie)}
    touched = {"session": session, "expires": {"$max": ["$expires", expires]}}
    # One condition for the whole document: the server evaluates it once.
    document = {"$cond": [{"$and": alive}, {"$mergeObjects": ["$$ROOT", touched]}, "$$ROOT"]}
    return [{"$replaceWith": document}]


def _stored_name(codec: Codec, stored: StoredSession, key: object, place: bytes) -> str:
    if isinstance(key, str) and key in stored.tree:
        return key
    return codec.field_name(key, place)


def _is_path_step(name: str) -> bool:
    return bool(name) and "." not in name and not name.startswith("$")


def _pipeline(
    changes: FieldChanges,
    accessed_time: float | None,
    expires: datetime | None,
    fields: Document,
    cookie: Document | None,
) -> list[Document]:
    """Return an update for a cookie, and for names that no path can hold: empty, or with . or $.

    ``$mergeObjects`` takes names for what they are. Like the operators it is one atomic command, so
    there is nothing to compare and nothing to retry. MongoDB 4.2 and later.
    """
    session: Any = "$session"
    if changes.removed:
        keep = {"$not": [{"$in": ["$$this.k", {"$literal": sorted(changes.removed)}]}]}
        kept = {"$filter": {"input": {"$objectToArray": session}, "cond": keep}}
        session = {"$arrayToObject": kept}
    merge: list[Any] = [session, {"$literal": changes.assigned}, *_cookie_if_missing(cookie)]
    times: Document = {}
    if expires is not None:
        times["expires"] = {"$max": ["$expires", {"$literal": expires}]}
        if accessed_time is not None:
            newest = {"$max": [f"$session.{ACCESSED_TIME}", {"$literal": accessed_time}]}
            merge.append({ACCESSED_TIME: newest})
    return [{"$set": {"session": {"$mergeObjects": merge}} | times | fields}]


def _cookie_if_missing(cookie: Document | None) -> list[Document]:
    # One that express-session wrote stays as it is.
    if cookie is None:
        return []
    field = f"$session.{EXPRESS_COOKIE}"
    return [{EXPRESS_COOKIE: {"$ifNull": [field, {"$literal": cookie}]}}]
