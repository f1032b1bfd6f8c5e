"""Beaker's serializers, and the JSON that ``data_serializer = json`` makes of a session."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sessions.paths import step

Serializer = Literal["pickle", "json"]
"""Beaker's own serializers, by the names that ``data_serializer`` takes."""


_MOST_LEVELS = 200


def through_json(session: dict[Any, Any]) -> dict[Any, Any]:
    """Return a session as it is read after Beaker's JSON serializer: with lists for tuples.

    :param session: the session.
    :raises SerializationError: for a value that JSON cannot hold; names its path.
    """
    made: dict[Any, Any] = json.loads(json_text(session))
    return made


def json_text(session: dict[Any, Any]) -> str:
    """Return the JSON of a session, as Beaker's own serializer writes it.

    :param session: the session.
    :raises SerializationError: for a value that JSON cannot hold; names its path.
    """
    try:
        return json.dumps(session)
    except (TypeError, ValueError, RecursionError) as error:
        unknown = ("session", f"cannot be written as JSON ({type(error).__name__})")
        path, problem = next(_problems(session, []), unknown)
        raise SerializationError(
            f"{path} {problem}, and data_serializer is json.",
            path=path,
            hint="Store a plain value (text, number, list, dict …) instead, or set data_serializer "
            "to pickle in all applications that share this session.",
        ) from error


def _problems(value: Any, parents: list[Any], path: str = "session") -> Iterator[tuple[str, str]]:
    """Yield path and description of each value that JSON cannot hold."""
    if len(parents) > _MOST_LEVELS or any(value is parent for parent in parents):
        yield path, "refers to itself or is nested too deeply"
    elif isinstance(value, dict):
        for key, item in value.items():
            if not (key is None or isinstance(key, str | int | float)):
                yield path + step(key), f"has a key of type {_name(key)}, which JSON does not have"
            yield from _problems(item, [*parents, value], path + step(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _problems(item, [*parents, value], path + step(index))
    else:
        try:
            json.dumps(value)
        except TypeError:
            yield path, f"is a {_name(value)}, which JSON does not have"
        except ValueError:
            yield path, "is a number that is too large for JSON"


def _name(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"
