"""The update that saves what a request changed in a native document. Pure: it sends nothing."""

from datetime import datetime
from typing import Any

from beaker_mongo_soajs.changes import ACCESSED_TIME, Changes
from beaker_mongo_soajs.codec import Codec
from beaker_mongo_soajs.document import Document, StoredSession
from beaker_mongo_soajs.tags import Tree


def times_update(accessed_time: float | None, expires: datetime) -> Document:
    """Return the ``$max`` operand that moves a session's times, forward only.

    :param accessed_time: seconds since 1970; ``None`` for a session that keeps no such time.
    :param expires: naive UTC.
    """
    if accessed_time is None:
        return {"expires": expires}
    return {f"session.{ACCESSED_TIME}": accessed_time, "expires": expires}


def native_update(
    codec: Codec,
    stored: StoredSession,
    changes: Changes,
    accessed_time: float | None,
    fields: Document,
) -> Document | list[Document]:
    """Return the update of one native document: ``$set``/``$unset`` by key, or a pipeline.

    :param codec: encodes the assigned values.
    :param stored: the session that was loaded.
    :param changes: what the request changed.
    :param accessed_time: as for :func:`times_update`.
    :param fields: top-level fields of the document: ``expires``, which only grows, and others as
        they are.
    :raises SerializationError: for a value that cannot be stored, naming its path.
    """
    place = stored.stored_id.encode()
    assigned: dict[str, Tree] = {}
    removed = {_stored_name(codec, stored, key, place) for key in changes.removed}
    for key, value in changes.assigned.items():
        name, tree = codec.encode_item(key, value, place)
        assigned[name] = tree
        if name != key:
            # Another application may hold the key under its own name, which is not one for an
            # update path.
            removed.add(_stored_name(codec, stored, key, place))
    removed -= assigned.keys()
    expires = fields.pop("expires")
    if not all(map(_is_path_step, [*assigned, *removed])):
        return _pipeline(assigned, removed, accessed_time, expires, fields)
    update: Document = {"$max": times_update(accessed_time, expires)}
    if assigned or fields:
        update["$set"] = {f"session.{name}": tree for name, tree in assigned.items()} | fields
    if removed:
        update["$unset"] = {f"session.{name}": "" for name in removed}
    return update


def _stored_name(codec: Codec, stored: StoredSession, key: object, place: bytes) -> str:
    if isinstance(key, str) and key in stored.tree:
        return key
    return codec.field_name(key, place)


def _is_path_step(name: str) -> bool:
    return bool(name) and "." not in name and not name.startswith("$")


def _pipeline(
    assigned: dict[str, Tree],
    removed: set[str],
    accessed_time: float | None,
    expires: datetime,
    fields: Document,
) -> list[Document]:
    """Return an update for field names that no path can hold: empty, dotted or with a dollar.

    ``$mergeObjects`` takes names for what they are. Like the operators it is one atomic command, so
    there is nothing to compare and nothing to retry. MongoDB 4.2 and later.
    """
    session: Any = "$session"
    if removed:
        keep = {"$not": [{"$in": ["$$this.k", {"$literal": sorted(removed)}]}]}
        kept = {"$filter": {"input": {"$objectToArray": session}, "cond": keep}}
        session = {"$arrayToObject": kept}
    merge: list[Any] = [session, {"$literal": assigned}]
    if accessed_time is not None:
        newest = {"$max": [f"$session.{ACCESSED_TIME}", {"$literal": accessed_time}]}
        merge.append({ACCESSED_TIME: newest})
    newest_expires = {"$max": ["$expires", {"$literal": expires}]}
    return [{"$set": {"session": {"$mergeObjects": merge}, "expires": newest_expires} | fields}]
