"""Hypothesis strategies for the values that a session may hold."""

import datetime
import decimal
import zoneinfo
from typing import Any

from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from hypothesis import strategies as st

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
)
HASHABLES = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, TEXTS, st.binary(), st.dates(), st.uuids()),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
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
    )


VALUES = st.recursive(SCALARS | LOOKALIKES, _containers, max_leaves=8)
"""All values that are read equal and of the same type as they were stored."""

SESSIONS = st.dictionaries(TEXTS | HASHABLES, VALUES, max_size=3)
