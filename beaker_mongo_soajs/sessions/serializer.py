"""What Beaker's ``data_serializer = json`` makes of a session."""

import json
from typing import Any, Literal

from beaker_mongo_soajs.exceptions import SerializationError

Serializer = Literal["pickle", "json"]
"""Beaker's own serializers, by the names that ``data_serializer`` takes."""


def through_json(session: dict[Any, Any]) -> dict[Any, Any]:
    """Return what Beaker's JSON serializer makes of a session: it has no tuples, for one.

    :param session: the session.
    :raises SerializationError: for a value that JSON does not hold.
    """
    made: dict[Any, Any] = json.loads(json_text(session))
    return made


def json_text(session: dict[Any, Any]) -> str:
    """Return the JSON of a session, as Beaker's own serializer writes it.

    :param session: the session.
    :raises SerializationError: for a value that JSON does not know.
    """
    try:
        return json.dumps(session)
    except (TypeError, ValueError) as error:
        raise SerializationError(
            "The session holds a value that JSON does not know, and data_serializer is json.",
            path="session",
            hint="Use data_serializer pickle in every application that shares this session.",
        ) from error
