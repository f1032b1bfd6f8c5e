"""The update that saves what a request changed. Nothing here sends a command."""

from dataclasses import dataclass
from datetime import datetime

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, Changes
from beaker_mongo_soajs.sessions.clock import later_time
from beaker_mongo_soajs.sessions.codec import Codec
from beaker_mongo_soajs.sessions.stored import StoredSession
from beaker_mongo_soajs.sessions.tags import Tree

_AS_STORED: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS
)


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

    @property
    def have_paths(self) -> bool:
        """Tell whether update paths can hold all names: not empty ones, nor with . or $."""
        return all(map(_is_path_step, [*self.assigned, *self.removed]))

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
    removed = {_stored_name(codec, stored, key) for key in changes.removed}
    for key, value in changes.assigned.items():
        name, tree = codec.encode_item(key, value, context)
        assigned[name] = tree
        if name != key:
            # Another application may hold the key under its own name, which no path can hold.
            removed.add(_stored_name(codec, stored, key))
    return FieldChanges(assigned, removed - assigned.keys())


def native_update(
    changes: FieldChanges,
    accessed_time: float | None,
    expires: datetime | None,
    fields: Document,
    *,
    lies_ahead: bool,
) -> Document:
    """Return the update of one native document: ``$set`` and ``$unset`` by key.

    :param changes: what the request changed; :meth:`FieldChanges.have_paths` is true.
    :param accessed_time: seconds since 1970; ``None`` for a session that keeps no such time.
    :param expires: naive UTC; ``None`` leaves both times as they are. They move forward only.
    :param fields: other fields of the document to set.
    :param lies_ahead: whether the stored access time is to be replaced, as it lies in the future.
    """
    update: Document = {}
    if expires is not None:
        update["$max"] = {"expires": expires}
        if accessed_time is not None:
            path = f"session.{ACCESSED_TIME}"
            if lies_ahead:
                fields = fields | {path: accessed_time}
            else:
                update["$max"] = {path: accessed_time, "expires": expires}
    assigned = {f"session.{name}": tree for name, tree in changes.assigned.items()} | fields
    if assigned:
        update["$set"] = assigned
    if changes.removed:
        update["$unset"] = {f"session.{name}": "" for name in changes.removed}
    return update


def native_swap(
    raw: bytes,
    changes: FieldChanges,
    accessed_time: float | None,
    expires: datetime | None,
    fields: Document,
    now: float,
) -> tuple[Document, Document] | None:
    """Return the filter and the update that replace a whole session, unless it has changed.

    This is for names that no path can hold. Other values are copied as they are stored.

    :param raw: the document as BSON.
    :param changes: as for :func:`native_update`, with any names.
    :param accessed_time: as for :func:`native_update`.
    :param expires: as for :func:`native_update`.
    :param fields: as for :func:`native_update`.
    :param now: the time, in seconds since 1970.
    :returns: ``None`` if the document holds no native session.
    """
    document = RawBSONDocument(raw, _AS_STORED)
    session = document.get("session")
    if not isinstance(session, RawBSONDocument):
        return None
    merged = changes.applied_to(dict(session))
    update: Document = {"$set": {"session": merged} | fields}
    if expires is not None:
        update["$max"] = {"expires": expires}
        before = merged.get(ACCESSED_TIME, accessed_time)
        if accessed_time is not None and isinstance(before, int | float):
            merged[ACCESSED_TIME] = later_time(accessed_time, before, now)
    return {"_id": document["_id"], "session": {"$eq": session}}, update


def _stored_name(codec: Codec, stored: StoredSession, key: object) -> str:
    if isinstance(key, str) and key in stored.tree:
        return key
    return codec.field_name(key)


def _is_path_step(name: str) -> bool:
    return bool(name) and "." not in name and not name.startswith("$")
