"""Encode scalars that BSON or JSON does not have as tagged values, and decode them."""

import base64
import binascii
import datetime
import decimal
import json
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, TypeVar

from bson import json_util
from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from beaker_mongo_soajs.sessions.tags import Tree, tagged

Moment = TypeVar("Moment", datetime.datetime, datetime.time)

BSON_SCALARS: frozenset[type] = frozenset(
    {ObjectId, Decimal128, Timestamp, Regex, MinKey, MaxKey, Binary}
)
"""PyMongo's types that a session may hold; ``Binary`` only with a subtype other than 0."""


def encode_scalar(value: object) -> dict[str, Tree] | None:
    """Return a scalar as a tagged value, or ``None`` for other types."""
    entry = _ENCODERS.get(type(value))
    if entry is None:
        return None
    tag, encode = entry
    tree = encode(value)
    return None if tree is None else tagged(tag, tree)


def tag_bytes(value: bytes) -> dict[str, Tree]:
    """Return bytes as a tagged value, for JSON."""
    return tagged("bytes", base64.b64encode(value).decode("ascii"))


def tag_float(value: float) -> dict[str, Tree]:
    """Return a float that is not finite as a tagged value, for JSON."""
    return tagged("float", repr(value))


def tag_int(value: int) -> dict[str, Tree]:
    """Return an integer that is too large for the storage form as a tagged value."""
    # Hexadecimal, because Python refuses to parse very long decimal texts.
    return tagged("int", hex(value))


def tag_bson(value: object) -> dict[str, Tree]:
    """Return a value of one of PyMongo's types as a tagged value, for JSON.

    The value is MongoDB Extended JSON v2 in canonical mode.
    """
    text = json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS)
    return tagged("bson", json.loads(text))


def _encode_moment(value: datetime.datetime | datetime.time) -> Tree:
    """Return an ISO text, or ``[ISO text, zone, fold]`` where the text alone would lose something.

    The zone is ``None``, the key of a ``ZoneInfo``, or an offset as the three numbers of a
    timedelta, because ``fromisoformat`` reads an offset with microseconds as UTC.
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
        raise ValueError("not one of the supported types")
    return scalar


def _decode_base64(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _decode_text(value: Any) -> str:
    # Not bytes(value): it would allocate that many bytes for a number.
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

DECODERS: dict[str, Callable[[Any], Any]] = {
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
