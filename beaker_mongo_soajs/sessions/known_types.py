"""The types of tagged values."""

from collections.abc import Callable
from typing import Any

from beaker_mongo_soajs.sessions import scalars
from beaker_mongo_soajs.sessions.tags import DICT, TAG, VALUE, DamagedValueError


def is_tagged(value: object) -> bool:
    """Return whether a stored dict is exactly a tagged value with a known tag."""
    return (
        type(value) is dict
        and len(value) == 2
        and VALUE in value
        and type(tag := value.get(TAG)) is str
        and tag in _DECODERS
    )


def decode(tag: str, value: Any) -> Any:
    """Return the decoded value of a tag.

    :param tag: a tag that :func:`is_tagged` accepted.
    :param value: the tag's value, already decoded.
    :raises DamagedValueError: if the value is not valid for the tag.
    """
    try:
        return _DECODERS[tag](value)
    except Exception as error:  # noqa: BLE001 - planted data may raise anything
        raise DamagedValueError(tag, f"not a {tag} ({type(error).__name__})") from None


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    DICT: dict,
    **scalars.DECODERS,
}
