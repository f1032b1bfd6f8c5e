"""The user of a session, under the key that ``store.userKey`` names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.tags import Tree


def find_value(session: Mapping[Any, Any], key: str) -> Any:
    """Return the value of a key, or that of a path of keys: ``auth.userid``, ``passport.user``.

    :param session: a session, or its tree.
    :param key: the key, or keys with dots between them.
    :returns: the value; ``None`` if there is none.
    """
    if key in session:
        return session[key]
    value: Any = session
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def get_user(session: Mapping[Any, Any], key: str) -> Any:
    """Return the user of a session.

    :param session: the session.
    :param key: as for :func:`find_value`.
    :raises ValueError: it has none.
    """
    user = find_value(session, key)
    if user is None:
        raise ValueError(f"The session has no value under {key}, the key of store.userKey.")
    return user


def value_queries(key: str, condition: Document, values: Sequence[Tree]) -> Iterator[Document]:
    """Yield the filters for sessions in which a key has one of several values.

    An index serves the first. A key with dots may be a path, or one key as it is written: then
    there is a second filter, for which the server reads all documents.

    :param key: the key, or keys with dots between them.
    :param condition: the condition for a field.
    :param values: the encoded values for which it is met.
    """
    yield {f"session.{key}": condition}
    if "." in key:
        # A path would look into sub-documents, and $getField needs MongoDB 5.0.
        is_document = {"$eq": [{"$type": "$session"}, "object"]}
        fields = {"$cond": [is_document, {"$objectToArray": "$session"}, []]}
        literals = [{"$literal": {"k": key, "v": value}} for value in values]
        yield {"$expr": {"$or": [{"$in": [each, fields]} for each in literals]}}
