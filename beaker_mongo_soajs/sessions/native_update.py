"""The update that saves what a request changed. Nothing here sends a command."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, Changes
from beaker_mongo_soajs.sessions.codec import Codec
from beaker_mongo_soajs.sessions.stored import StoredSession
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
    """The fields of a stored session that a request changed.

    :param assigned: the new trees of fields.
    :param removed: the fields that are gone.
    """

    assigned: dict[str, Tree]
    removed: set[str]

    def __bool__(self) -> bool:
        return bool(self.assigned or self.removed)

    def applied_to(self, tree: dict[str, Tree]) -> dict[str, Tree]:
        """Return a stored tree with the changes made to it.

        :param tree: the tree before.
        """
        kept = {name: item for name, item in tree.items() if name not in self.removed}
        return kept | self.assigned


NO_CHANGES = FieldChanges({}, set())


def field_changes(codec: Codec, stored: StoredSession, changes: Changes) -> FieldChanges:
    """Return what changes of keys are in fields.

    :param codec: encodes the assigned values.
    :param stored: the session that was loaded.
    :param changes: what the request changed.
    :raises SerializationError: for a value that cannot be stored, naming its path.
    """
    context = stored.stored_id.encode()
    assigned: dict[str, Tree] = {}
    removed = {_stored_name(codec, stored, key, context) for key in changes.removed}
    for key, value in changes.assigned.items():
        name, tree = codec.encode_item(key, value, context)
        assigned[name] = tree
        if name != key:
            # Another application may hold the key under its own name, which no path can hold.
            removed.add(_stored_name(codec, stored, key, context))
    return FieldChanges(assigned, removed - assigned.keys())


def native_update(
    changes: FieldChanges,
    accessed_time: float | None,
    expires: datetime | None,
    fields: Document,
) -> Document | list[Document]:
    """Return the update of one native document: ``$set``/``$unset`` by key, or a pipeline.

    :param changes: what the request changed.
    :param accessed_time: as for :func:`times_update`.
    :param expires: as for :func:`times_update`; ``None`` leaves both times as they are.
    :param fields: other fields of the document to set.
    """
    if not all(map(_is_path_step, [*changes.assigned, *changes.removed])):
        return _pipeline(changes, accessed_time, expires, fields)
    update: Document = {}
    if expires is not None:
        update["$max"] = times_update(accessed_time, expires)
    assigned = {f"session.{name}": tree for name, tree in changes.assigned.items()} | fields
    if assigned:
        update["$set"] = assigned
    if changes.removed:
        update["$unset"] = {f"session.{name}": "" for name in changes.removed}
    return update


def _stored_name(codec: Codec, stored: StoredSession, key: object, context: bytes) -> str:
    if isinstance(key, str) and key in stored.tree:
        return key
    return codec.field_name(key, context)


def _is_path_step(name: str) -> bool:
    return bool(name) and "." not in name and not name.startswith("$")


def _pipeline(
    changes: FieldChanges,
    accessed_time: float | None,
    expires: datetime | None,
    fields: Document,
) -> list[Document]:
    """Return an update for names that no path can hold: empty, or with . or $.

    ``$mergeObjects`` takes names for what they are. Like the operators it is one atomic command, so
    there is nothing to compare and nothing to retry. MongoDB 4.2 and later.
    """
    session: Any = "$session"
    if changes.removed:
        keep = {"$not": [{"$in": ["$$this.k", {"$literal": sorted(changes.removed)}]}]}
        kept = {"$filter": {"input": {"$objectToArray": session}, "cond": keep}}
        session = {"$arrayToObject": kept}
    merge: list[Any] = [session, {"$literal": changes.assigned}]
    times: Document = {}
    if expires is not None:
        times["expires"] = {"$max": ["$expires", {"$literal": expires}]}
        if accessed_time is not None:
            newest = {"$max": [f"$session.{ACCESSED_TIME}", {"$literal": accessed_time}]}
            merge.append({ACCESSED_TIME: newest})
    return [{"$set": {"session": {"$mergeObjects": merge}} | times | fields}]
