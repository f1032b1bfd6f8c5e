"""Encode scalars that BSON or JSON does not have as tagged values, and decode them.

Decoders accept exactly what the encoders write: the type, the size and the spelling. Other readings
of a planted value could occupy a process for minutes: ``int(Decimal("1E+3000000"))`` is one.
"""

import base64
import datetime
import decimal
import fractions
import functools
import ipaddress
import json
import os
import pathlib
import re
import sys
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

from beaker_mongo_soajs.sessions.parts import Build, KnownType
from beaker_mongo_soajs.sessions.tags import Tree, UnstorableValueError, is_utf8, tagged

Moment = TypeVar("Moment", datetime.datetime, datetime.time)

BSON_SCALARS: frozenset[type] = frozenset(
    {ObjectId, Decimal128, Timestamp, Regex, MinKey, MaxKey, Binary}
)
"""PyMongo's types that a session may hold; ``Binary`` only with a subtype other than 0."""

_MOST_INTEGER_BITS = 40_000
_MOST_FRACTION_BITS = 8_000
_MOST_DECIMAL_LETTERS = 12_000
_MOST_LETTERS = 200
"""The longest text of all other scalars: an ISO date with a time zone, an IP network."""

_FRACTION = re.compile(r"-?[0-9]{1,3000}(/[0-9]{1,3000})?")
_ZONE_KEY = re.compile(r"[\w+-]+(/[\w+-]+){0,3}", re.ASCII)


def tag_bytes(value: bytes) -> dict[str, Tree]:
    """Return bytes as a tagged value, for JSON."""
    return tagged("bytes", base64.b64encode(value).decode("ascii"))


def tag_float(value: float) -> dict[str, Tree]:
    """Return a float as a tagged value: one that JSON or Node cannot keep as it is."""
    return tagged("float", repr(value))


def tag_int(value: int) -> dict[str, Tree]:
    """Return an integer that is too large for the storage form as a tagged value.

    :raises UnstorableValueError: if it has more than 40000 bits.
    """
    if value.bit_length() > _MOST_INTEGER_BITS:
        raise UnstorableValueError("is an integer of more than 12000 digits")
    # Hexadecimal, because Python refuses to parse very long decimal texts.
    return tagged("int", hex(value))


def tag_bson(value: object) -> dict[str, Tree]:
    """Return a value of one of PyMongo's types as a tagged value, for JSON.

    The value is MongoDB Extended JSON v2 in canonical mode.
    """
    text = json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS)
    return tagged("bson", json.loads(text))


def check_text(value: Any, most_letters: int = _MOST_LETTERS) -> str:
    """Return a planted value if it is a text that is not too long.

    :param value: any value.
    :param most_letters: the length that is allowed.
    :raises ValueError: if it is something else.
    """
    if type(value) is not str or len(value) > most_letters:
        raise ValueError("not a text, or too long")
    return value


def _split_moment(value: datetime.datetime | datetime.time) -> Tree:
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
        name = _split_timedelta(offset)
    elif type(zone) is zoneinfo.ZoneInfo:
        name = _split_zone(zone)
    else:
        kind = type(zone)
        raise UnstorableValueError(
            f"has the time zone class {kind.__module__}.{kind.__qualname__}, which cannot be stored"
        )
    return [value.replace(tzinfo=None).isoformat(), name, value.fold]


def _moment_builder(kind: type[Moment]) -> Callable[[Any], Moment]:
    def build(value: Any) -> Moment:
        if type(value) is str:
            return kind.fromisoformat(check_text(value))
        text, name, fold = value
        zone = None
        if type(name) is str:
            zone = _build_zone(name)
        elif name is not None:
            zone = datetime.timezone(_build_timedelta(name))
        return kind.fromisoformat(check_text(text)).replace(tzinfo=zone, fold=fold)

    return build


def _split_zone(value: zoneinfo.ZoneInfo) -> str:
    if value.key is None or not _ZONE_KEY.fullmatch(value.key) or not _is_zone(value.key):
        raise UnstorableValueError("is a time zone without a name that other processes can load")
    return value.key


def _build_zone(value: Any) -> datetime.tzinfo:
    if not _ZONE_KEY.fullmatch(check_text(value)) or not _is_zone(value):
        raise ValueError("not the name of a time zone")
    return zoneinfo.ZoneInfo(value)


@functools.lru_cache(maxsize=1000)
def _is_zone(key: str) -> bool:
    # For a name that has no file, ZoneInfo imports a package of that name in tzdata.
    has_file = any(os.path.isfile(os.path.join(folder, key)) for folder in zoneinfo.TZPATH)  # noqa: PTH113, PTH118 - faster
    return has_file or key in _all_zones()


@functools.cache
def _all_zones() -> set[str]:
    return zoneinfo.available_timezones()


def _split_timedelta(value: datetime.timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _build_timedelta(value: Any) -> datetime.timedelta:
    days, seconds, microseconds = value
    return datetime.timedelta(days, seconds, microseconds)


def _split_decimal(value: decimal.Decimal) -> str:
    text = str(value)
    if len(text) > _MOST_DECIMAL_LETTERS:
        raise UnstorableValueError("is a Decimal of more than 12000 digits")
    return text


def _build_decimal(value: Any) -> decimal.Decimal:
    return decimal.Decimal(check_text(value, _MOST_DECIMAL_LETTERS))


def _split_fraction(value: fractions.Fraction) -> str:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_FRACTION_BITS:
        raise UnstorableValueError("is a Fraction of more than 2400 digits")
    return str(value)


def _build_fraction(value: Any) -> fractions.Fraction:
    if not _FRACTION.fullmatch(check_text(value, sys.maxsize)):
        raise ValueError("not a fraction")
    return fractions.Fraction(value)


def _build_int64(value: Any) -> Int64:
    number = int(check_text(value))
    if not -(2**63) <= number < 2**63:
        raise ValueError("more than 64 bits")
    return Int64(number)


def _split_by_class(value: object) -> list[str]:
    return [type(value).__name__, str(value)]


def _split_ip(value: object) -> list[str]:
    parts = _split_by_class(value)
    if len(parts[1]) > _MOST_LETTERS:
        # The scope of an IPv6 address can be any text.
        raise UnstorableValueError("is an IP address of more than 200 characters")
    return parts


def _class_builder(kinds: tuple[type, ...], most_letters: int) -> Build:
    by_name: dict[str, Callable[[str], object]] = {kind.__name__: kind for kind in kinds}

    def build(value: Any) -> object:
        name, text = value
        return by_name[name](check_text(text, most_letters))

    return build


def _build_int(value: Any) -> int:
    number = int(check_text(value, sys.maxsize), 16)
    if tag_int(number) != tagged("int", value):
        raise ValueError("not a hexadecimal integer")
    return number


def _build_float(value: Any) -> float:
    if value in ("nan", "inf", "-inf"):
        return float(value)
    number = float(check_text(value))
    if repr(number) != value or not number.is_integer():
        raise ValueError("not a float that JSON or Node cannot keep")
    return number


def _build_bytes(value: Any) -> bytes:
    if type(value) is not str:
        raise ValueError("not a text")
    return base64.b64decode(value, validate=True)


def _build_str(value: Any) -> str:
    # Not bytes(value): it would allocate that many bytes for a number.
    text = bytes.decode(value, "utf-8", "surrogatepass")
    if is_utf8(text):
        raise ValueError("not a text with lone surrogates")
    return text


def _build_bson(value: Any) -> object:
    scalar = json_util.loads(json.dumps(value), json_options=json_util.CANONICAL_JSON_OPTIONS)
    if type(scalar) not in BSON_SCALARS or tag_bson(scalar) != tagged("bson", value):
        raise ValueError("not one of the supported types")
    return scalar


def _exact(known: KnownType, build: Build) -> Build:
    """Return a builder that accepts only the parts that splitting its result returns."""

    def build_exactly(value: Any) -> object:
        built = build(value)
        if known.split(built) != value:
            raise ValueError("not as it is written")
        return built

    return build_exactly


_PATHS = (pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath)
_IPS = (
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
)
_TABLE: tuple[tuple[tuple[type, ...], KnownType, Build], ...] = (
    (
        (datetime.datetime,),
        KnownType("datetime", _split_moment),
        _moment_builder(datetime.datetime),
    ),
    (
        (datetime.date,),
        KnownType("date", datetime.date.isoformat),
        lambda value: datetime.date.fromisoformat(check_text(value)),
    ),
    ((datetime.time,), KnownType("time", _split_moment), _moment_builder(datetime.time)),
    ((datetime.timedelta,), KnownType("timedelta", _split_timedelta), _build_timedelta),
    ((zoneinfo.ZoneInfo,), KnownType("zone", _split_zone), _build_zone),
    ((decimal.Decimal,), KnownType("decimal", _split_decimal), _build_decimal),
    ((fractions.Fraction,), KnownType("fraction", _split_fraction), _build_fraction),
    ((complex,), KnownType("complex", repr), lambda value: complex(check_text(value))),
    ((uuid.UUID,), KnownType("uuid", str), lambda value: uuid.UUID(check_text(value))),
    ((Int64,), KnownType("int64", str), _build_int64),
    (_PATHS, KnownType("path", _split_by_class), _class_builder(_PATHS, sys.maxsize)),
    (_IPS, KnownType("ip", _split_ip), _class_builder(_IPS, _MOST_LETTERS)),
)

TYPES: dict[type, KnownType] = {kind: known for kinds, known, _ in _TABLE for kind in kinds}
"""How scalars are stored, by their type."""

BUILDERS: dict[str, Build] = {
    **{known.tag: _exact(known, build) for _, known, build in _TABLE},
    "str": _build_str,
    "bytes": _build_bytes,
    "int": _build_int,
    "float": _build_float,
    "bson": _build_bson,
}
"""Decoders of scalars, by tag."""
