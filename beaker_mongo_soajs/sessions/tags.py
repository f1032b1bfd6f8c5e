"""Tagged sub-documents: how a stored session holds what BSON or JSON has no type for.

A tagged value is ``{"__type__": "<tag>", "value": …}``. The tag's name starts with no ``$``, which
MongoDB before 5.0 refuses in updates. This module knows the scalars; containers are the codec's.
"""

import base64
import binascii
import datetime
import decimal
import hashlib
import json
import pickle
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, TypeVar

import bson
from bson import json_util
from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

Tree = Any
"""What BSON or JSON holds: dicts with text keys, lists, and the form's own scalars."""

Moment = TypeVar("Moment", datetime.datetime, datetime.time)

TAG = "__type__"
VALUE = "value"
SIGNATURE = "signature"

DICT = "dict"
ITEM = "item"
PICKLE = "pickle"
BSON_SCALARS: frozenset[type] = frozenset(
    {ObjectId, Decimal128, Timestamp, Regex, MinKey, MaxKey, Binary}
)
"""PyMongo's own types that a session may hold; of ``Binary``, subtypes other than 0."""

_PICKLE_PROTOCOL = 4


class DamagedValueError(ValueError):
    """A tagged value that cannot be turned back.

    :param tag: the tag.
    :param reason: what is wrong with it, without the value.
    """

    def __init__(self, tag: str, reason: str) -> None:
        super().__init__(f"a tagged {tag}: {reason}")
        self.tag = tag
        self.reason = reason


def tagged(tag: str, value: Tree) -> dict[str, Tree]:
    """Return the tagged sub-document of a value."""
    return {TAG: tag, VALUE: value}


def is_tagged(value: object) -> bool:
    """Tell whether a stored dict has the exact shape of a tagged value that can be decoded here."""
    return (
        type(value) is dict
        and len(value) == 2
        and VALUE in value
        and type(tag := value.get(TAG)) is str
        and tag in _DECODERS
    )


def encode_scalar(value: object) -> dict[str, Tree] | None:
    """Return the tagged form of a scalar that no form holds, or ``None`` for other types."""
    entry = _ENCODERS.get(type(value))
    if entry is None:
        return None
    tag, encode = entry
    tree = encode(value)
    return None if tree is None else tagged(tag, tree)


def decode(tag: str, value: Any) -> Any:
    """Return what a tagged value stands for.

    :param tag: a tag for which :func:`is_tagged` answered true.
    :param value: its value, already decoded.
    :raises DamagedValueError: when the value does not fit the tag.
    """
    try:
        return _DECODERS[tag](value)
    except Exception as error:  # noqa: BLE001 - garbage may fail anywhere, and is quoted nowhere
        raise DamagedValueError(tag, f"not a {tag} ({type(error).__name__})") from None


def tag_bytes(value: bytes) -> dict[str, Tree]:
    """Return the tagged form of bytes, for JSON."""
    return tagged("bytes", base64.b64encode(value).decode("ascii"))


def tag_float(value: float) -> dict[str, Tree]:
    """Return the tagged form of a float that JSON has no literal for."""
    return tagged("float", repr(value))


def tag_int(value: int) -> dict[str, Tree]:
    """Return the tagged form of an integer that the form has no room for."""
    # Hexadecimal: Python refuses to turn very long decimal texts back.
    return tagged("int", hex(value))


def tag_bson(value: object) -> dict[str, Tree]:
    """Return the tagged form of one of PyMongo's own types, for JSON.

    MongoDB Extended JSON v2 in its canonical format.
    """
    text = json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS)
    return tagged("bson", json.loads(text))


def dump_pickle(value: object) -> bytes:
    """Return the pickle of a value that no document can hold.

    :raises DamagedValueError: when the value refuses to be pickled.
    """
    try:
        return pickle.dumps(value, _PICKLE_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - it is the object's own code
        raise DamagedValueError(PICKLE, f"cannot be pickled ({type(error).__name__})") from None


def load_pickle(payload: bytes) -> object:
    """Return the value of a pickle; the caller has made sure that it may be loaded.

    :raises DamagedValueError: when it cannot be loaded.
    """
    try:
        return pickle.loads(payload)  # noqa: S301 - store.pickle asks for it
    except Exception as error:  # noqa: BLE001 - it is the object's own code
        raise DamagedValueError(PICKLE, f"cannot be loaded ({type(error).__name__})") from None


def sort_key(tree: Tree) -> bytes:
    """Return bytes by which trees can be put into an order that is the same in every process."""
    return bson.encode({"": tree})


def digest(tree: Tree) -> str:
    """Return 32 hexadecimal digits that stand for a tree."""
    return hashlib.sha256(sort_key(tree)).hexdigest()[:32]


def is_utf8(text: str) -> bool:
    """Tell whether a text can be stored: one with lone surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encode_moment(value: datetime.datetime | datetime.time) -> Tree:
    """Return an ISO text, or ``[ISO text, zone, fold]`` where the text does not tell everything.

    A zone is ``None``, the key of a ``ZoneInfo``, or an offset as a timedelta's three numbers:
    ``fromisoformat`` takes one that is not of whole seconds for UTC.
    """
    zone = value.tzinfo
    name: Tree = None
    if zone is None:
        if not value.fold:
            return value.isoformat()
    elif type(zone) is datetime.timezone:
        offset = zone.utcoffset(None)
        if not (offset.microseconds or value.fold):
            return value.isoformat()
        name = _encode_timedelta(offset)
    elif type(zone) is zoneinfo.ZoneInfo and zone.key is not None:
        name = zone.key
    else:
        return None
    return [value.replace(tzinfo=None).isoformat(), name, value.fold]


def _moment_decoder(kind: type[Moment]) -> Callable[[Any], Moment]:
    def decode_moment(value: Any) -> Moment:
        if type(value) is str:
            return kind.fromisoformat(value)
        text, name, fold = value
        return kind.fromisoformat(text).replace(tzinfo=_decode_zone(name), fold=fold)

    return decode_moment


def _decode_zone(name: Any) -> datetime.tzinfo | None:
    if name is None:
        return None
    if type(name) is str:
        return zoneinfo.ZoneInfo(name)
    return datetime.timezone(datetime.timedelta(*name))


def _encode_timedelta(value: datetime.timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _decode_bson(value: Any) -> object:
    scalar = json_util.loads(json.dumps(value), json_options=json_util.CANONICAL_JSON_OPTIONS)
    if type(scalar) not in BSON_SCALARS:
        raise ValueError("not one of the types that are stored so")
    return scalar


def _decode_base64(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _decode_text(value: Any) -> str:
    # Not bytes(value), which takes a number for a size.
    return bytes.decode(value, "utf-8", "surrogatepass")


_ENCODERS: dict[type, tuple[str, Callable[[Any], Tree]]] = {
    datetime.datetime: ("datetime", _encode_moment),
    datetime.date: ("date", datetime.date.isoformat),
    datetime.time: ("time", _encode_moment),
    datetime.timedelta: ("timedelta", _encode_timedelta),
    decimal.Decimal: ("decimal", str),
    uuid.UUID: ("uuid", str),
    Int64: ("int64", str),
}

_DECODERS: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    DICT: dict,
    "str": _decode_text,
    "bytes": _decode_base64,
    "int": lambda value: int(value, 16),
    "int64": lambda value: Int64(int(value)),
    "float": float,
    "datetime": _moment_decoder(datetime.datetime),
    "date": datetime.date.fromisoformat,
    "time": _moment_decoder(datetime.time),
    "timedelta": lambda value: datetime.timedelta(*value),
    "decimal": decimal.Decimal,
    "uuid": uuid.UUID,
    "bson": _decode_bson,
}
