"""Hypothesis strategies for the values that a session may hold."""

import datetime
import decimal
import importlib
import ipaddress
import pathlib
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple

from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from hypothesis import strategies as st


class Color(Enum):
    """An enumeration of the application."""

    RED = ("r", 1)
    BLUE = None


class Level(IntEnum):
    """An enumeration whose members are numbers."""

    LOW = 1
    HIGH = 2


class Mood(StrEnum):
    """An enumeration whose members are texts."""

    GOOD = "good"


class Point(NamedTuple):
    """A named tuple of the application."""

    x: Any
    y: Any = 0


class Shapes:
    """A class that holds another class."""

    class Circle(NamedTuple):
        """A named tuple in a class."""

        radius: Any


def library(module: str, name: str) -> Any:
    """Return a class or function of a library, or ``None`` where it is not installed.

    :param module: its module.
    :param name: its name.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError:
        return None


TEXTS = st.text(st.characters(codec=None)) | st.sampled_from(
    ["", ".", "$", "$set", "a.b", "\0", "\ud800", "__type__", "__key__", "value", "_id", "é", "%"]
)
INTEGERS = (
    st.integers()
    | st.integers(-(2**66), 2**66)
    | st.sampled_from([2**31, 2**53, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1])
    | st.integers(100, 5000).map(lambda digits: 10**digits)
)
FLOATS = st.floats()
ZONES = st.sampled_from(["Europe/Paris", "America/New_York", "UTC"]).map(zoneinfo.ZoneInfo)
OFFSETS = st.timedeltas(
    datetime.timedelta(hours=-23, minutes=-59), datetime.timedelta(hours=23, minutes=59)
).map(datetime.timezone)
TIMEZONES = st.none() | ZONES | OFFSETS | st.just(datetime.UTC)
DATETIMES = st.datetimes(timezones=TIMEZONES) | st.datetimes().map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
BSON_VALUES = st.one_of(
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    # Subtype 255 is left out: PyMongo 4.9 cannot encode it.
    st.builds(Binary, st.binary(), st.sampled_from([5, 128, 254])),
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-9999, max_value=9999
    ).map(Decimal128),
    st.sampled_from([MinKey(), MaxKey(), Regex("^a.*$", 2)]),
)
IPS = st.ip_addresses() | st.sampled_from(
    [
        ipaddress.ip_address("fe80::1%eth0"),
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("2001:db8::/32"),
        ipaddress.ip_interface("10.1.2.3/8"),
        ipaddress.ip_interface("2001:db8::1/32"),
    ]
)
PATHS = st.builds(
    lambda kind, text: kind(text.replace("\0", "")),
    st.sampled_from([pathlib.Path, pathlib.PurePosixPath, pathlib.PureWindowsPath]),
    TEXTS,
)
RANGES = st.builds(range, INTEGERS, INTEGERS, INTEGERS.filter(bool))
MEMBERS = st.sampled_from([*Color, *Level, *Mood])
STANDARD_SCALARS = st.one_of(
    RANGES,
    st.complex_numbers(),
    st.fractions(),
    PATHS,
    IPS,
    ZONES,
    MEMBERS,
    st.binary().map(bytearray),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    INTEGERS,
    FLOATS,
    TEXTS,
    st.binary(),
    DATETIMES,
    st.dates(),
    st.times() | st.times(timezones=OFFSETS),
    st.timedeltas(),
    st.decimals(allow_nan=None) | st.just(decimal.Decimal("1.00")),
    st.uuids(),
    BSON_VALUES,
    STANDARD_SCALARS,
)
HASHABLES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        INTEGERS,
        TEXTS,
        st.binary(),
        st.dates(),
        st.uuids(),
        IPS,
        MEMBERS,
        PATHS,
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner), st.builds(Point, inner, inner), st.frozensets(inner, max_size=3)
    ),
    max_leaves=4,
)
LOOKALIKES = st.sampled_from(
    [
        {"__type__": "tuple", "value": [1]},
        {"__type__": "pickle", "value": b"cos\nsystem\n."},
        {"__type__": "item", "value": ["a", "b"]},
        {"__type__": None},
        {"$date": "2026-01-01T00:00:00Z"},
        {"$ref": "c", "$id": 1},
        {"$oid": "0" * 24},
    ]
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(TEXTS, inner, max_size=4),
        st.dictionaries(HASHABLES, inner, max_size=3),
        st.sets(HASHABLES, max_size=4),
        st.frozensets(HASHABLES, max_size=4),
        LOOKALIKES,
        _collections(inner),
        library_values(inner),
    )


def _collections(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.dictionaries(HASHABLES | TEXTS, inner, max_size=3)
    items = st.lists(inner, max_size=3)
    return st.one_of(
        pairs.map(OrderedDict),
        st.builds(
            defaultdict,
            st.sampled_from([None, list, dict, set, int, str, float, Counter, OrderedDict]),
            pairs,
        ),
        st.dictionaries(HASHABLES | TEXTS, INTEGERS, max_size=3).map(Counter),
        st.builds(deque, items, st.none() | st.integers(0, 5)),
        st.builds(Point, inner, inner),
        st.builds(Shapes.Circle, inner),
    )


def library_values(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of libraries, those that are installed.

    :param inner: what they may hold.
    """
    pairs = st.lists(st.tuples(TEXTS, TEXTS), max_size=3)
    makers: list[tuple[str, str, Callable[[Any], st.SearchStrategy[Any]]]] = [
        ("markupsafe", "Markup", TEXTS.map),
        ("django.utils.safestring", "SafeString", TEXTS.map),
        (
            "translationstring",
            "TranslationString",
            lambda kind: st.builds(
                kind,
                TEXTS,
                domain=st.none() | TEXTS,
                default=st.none() | TEXTS,
                mapping=st.none() | st.dictionaries(TEXTS, inner, max_size=2),
                context=st.none() | TEXTS,
            ),
        ),
        ("webob.multidict", "MultiDict", pairs.map),
        ("werkzeug.datastructures", "MultiDict", pairs.map),
        ("werkzeug.datastructures", "ImmutableMultiDict", pairs.map),
    ]
    found = [(library(module, name), make) for module, name, make in makers]
    return st.one_of(*[make(kind) for kind, make in found if kind is not None])


VALUES = st.recursive(SCALARS | LOOKALIKES, _containers, max_leaves=8)
"""All values that are read equal and of the same type as they were stored."""

SESSIONS = st.dictionaries(TEXTS | HASHABLES, VALUES, max_size=3)
