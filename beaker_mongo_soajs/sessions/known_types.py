"""The types that a session may hold besides those of BSON and JSON: how they are tagged."""

from typing import Any

from beaker_mongo_soajs.sessions import class_types, collection_types, scalars
from beaker_mongo_soajs.sessions.collection_types import CollisionLimit
from beaker_mongo_soajs.sessions.parts import Build, KnownType
from beaker_mongo_soajs.sessions.tags import TAG, VALUE, DamagedValueError

_TYPES: dict[type, KnownType] = scalars.TYPES | collection_types.TYPES
_BUILDERS: dict[str, Build] = scalars.BUILDERS | collection_types.BUILDERS | class_types.BUILDERS


def find(kind: type) -> KnownType | None:
    """Return how values of a type are stored, or ``None`` for other types.

    :param kind: the type.
    """
    return _TYPES.get(kind) or class_types.find(kind)


def is_tagged(value: object) -> bool:
    """Return whether a stored dict is exactly a tagged value with a known tag."""
    return (
        type(value) is dict
        and len(value) == 2
        and VALUE in value
        and type(tag := value.get(TAG)) is str
        and tag in _BUILDERS
    )


def build(tag: str, value: Any, collisions: CollisionLimit) -> object:
    """Return the value of a tagged sub-document.

    :param tag: a tag that :func:`is_tagged` accepted.
    :param value: the tag's value, already decoded.
    :param collisions: the limit of the session that is decoded.
    :raises DamagedValueError: if the value is not valid for the tag.
    """
    try:
        keys_of = collection_types.KEYS.get(tag)
        if keys_of is not None:
            collisions.check(keys_of(value))
        return _BUILDERS[tag](value)
    except Exception as error:  # noqa: BLE001 - planted data may raise anything
        raise DamagedValueError(tag, f"its value is not valid ({type(error).__name__})") from None
