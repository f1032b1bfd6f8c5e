"""Numbers about all sessions, counted by the server in one pass."""

from dataclasses import dataclass, field
from typing import Any

from beaker_mongo_soajs.mongo.admin_collection import AdminCollection
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.id_change import MOVED_TO
from beaker_mongo_soajs.sessions.lifetime import CREATED_AT, CREATION_TIME

MINUTE, HOUR, DAY = 60, 3600, 86400
BOUNDS = {
    "under 1 min": MINUTE,
    "1 to 10 min": 10 * MINUTE,
    "10 min to 1 h": HOUR,
    "1 to 6 h": 6 * HOUR,
    "6 h to 1 d": DAY,
    "1 to 7 d": 7 * DAY,
    "7 to 30 d": 30 * DAY,
    "30 d or more": 1e15,
}
"""The ranges of the histograms, by the seconds at which they end."""

UNKNOWN = "unknown"

_LOWEST = -1e15
_NOW = "$$NOW"
"""The clock of the server."""
_EXACT_BITS = 8
"""Sizes up to 2 to the power of this count exactly, larger ones with as many bits."""


@dataclass(frozen=True, repr=False)
class Statistics:
    """Hold the numbers of a collection. Sizes are bytes.

    :param live: how many sessions are alive.
    :param expired: how many documents wait for their removal.
    :param moved: how many documents only mark an old session id.
    :param total_size: the size of all documents of live sessions.
    :param median_size: half of them are not larger, within half a percent.
    :param p95_size: 95 of 100 are not larger, within half a percent.
    :param largest_size: the size of the largest.
    :param ages: how many sessions began how long ago.
    :param idles: how many sessions were used last how long ago.
    :param indexes: the size of each index.
    :param storage_size: the size on the disk, without indexes.
    """

    live: int
    expired: int
    moved: int
    total_size: int
    median_size: int
    p95_size: int
    largest_size: int
    ages: dict[str, int]
    idles: dict[str, int]
    indexes: dict[str, int] = field(default_factory=dict)
    storage_size: int = 0


def collect_statistics(collection: AdminCollection) -> Statistics:
    """Count the sessions of a collection.

    :param collection: the collection.
    :raises StoreError: the server does not carry out the aggregation.
    """
    (found,) = collection.aggregate(_pipeline()) or [{}]
    states = {row["_id"]: row for row in found.get("states", [])}
    live = states.get("live", {})
    sizes = sorted((row["_id"], row["n"]) for row in found.get("sizes", []))
    indexes, storage_size = collection.storage()
    return Statistics(
        live=live.get("n", 0),
        expired=states.get("expired", {}).get("n", 0),
        moved=states.get("moved", {}).get("n", 0),
        total_size=int(live.get("total", 0)),
        median_size=percentile(sizes, 0.5),
        p95_size=percentile(sizes, 0.95),
        largest_size=live.get("largest", 0),
        ages=_histogram(found.get("ages", [])),
        idles=_histogram(found.get("idles", [])),
        indexes=indexes,
        storage_size=storage_size,
    )


def percentile(sizes: list[tuple[float, int]], part: float) -> int:
    """Return the smallest size that a part of all values does not exceed.

    :param sizes: sizes in order, and how often each occurs.
    :param part: from 0 to 1.
    """
    needed = part * sum(n for _, n in sizes)
    seen = 0
    for size, n in sizes:
        seen += n
        if seen >= needed:
            return int(size)
    return 0


def _histogram(rows: list[Document]) -> dict[str, int]:
    counts = {row["_id"]: row["n"] for row in rows}
    lower = _LOWEST
    found: dict[str, int] = {}
    for name, upper in BOUNDS.items():
        found[name] = counts.get(lower, 0)
        lower = upper
    return found | {UNKNOWN: counts.get(UNKNOWN, 0)}


def _pipeline() -> list[Document]:
    seconds = {"$divide": [{"$toLong": _NOW}, 1000]}
    live = {"$match": {"state": "live"}}
    size = {"$group": {"_id": _rounded("$size"), "n": {"$sum": 1}}}
    state: Document = {
        "$group": {
            "_id": "$state",
            "n": {"$sum": 1},
            "total": {"$sum": "$size"},
            "largest": {"$max": "$size"},
        }
    }
    created = {
        "$cond": [
            {"$eq": [{"$type": f"${CREATED_AT}"}, "date"]},
            {"$divide": [{"$toLong": f"${CREATED_AT}"}, 1000]},
            _time_of(CREATION_TIME),
        ]
    }
    return [
        {
            "$project": {
                "_id": 0,
                "state": _state(),
                "size": {"$bsonSize": "$$ROOT"},
                "age": {"$subtract": [seconds, created]},
                "idle": {"$subtract": [seconds, _time_of(ACCESSED_TIME)]},
            }
        },
        {
            "$facet": {
                "states": [state],
                "sizes": [live, size],
                "ages": [live, _bucket("$age")],
                "idles": [live, _bucket("$idle")],
            }
        },
    ]


def _state() -> Document:
    is_moved = {"$ne": [{"$type": f"${MOVED_TO}"}, "missing"]}
    is_over = {"$and": [{"$eq": [{"$type": "$expires"}, "date"]}, {"$lte": ["$expires", _NOW]}]}
    return {"$cond": [is_moved, "moved", {"$cond": [is_over, "expired", "live"]}]}


def _time_of(key: str) -> Document:
    """Return the time under a key of a session, in seconds; null if there is none."""
    field_name = f"$session.{key}"
    return {
        "$switch": {
            "branches": [
                {"case": {"$isNumber": field_name}, "then": field_name},
                {"case": {"$eq": [{"$type": "$session"}, "string"]}, "then": _in_text(key)},
            ],
            "default": None,
        }
    }


def _in_text(key: str) -> Document:
    """Return the number after a key in a JSON text. Inside a value, its quotes are escaped."""
    rest = _part("$session", f'"{key}":', 1)
    number = _part(_part(rest, ",", 0), "}", 0)
    return {
        "$convert": {
            "input": {"$trim": {"input": number}},
            "to": "double",
            "onError": None,
            "onNull": None,
        }
    }


def _part(text: Any, separator: str, position: int) -> Document:
    return {"$arrayElemAt": [{"$split": [text, separator]}, position]}


def _rounded(size: str) -> Document:
    """Return a size with few significant bits, so that there are some thousand at most."""
    exponent = {"$floor": {"$log": [{"$max": [size, 1]}, 2]}}
    step = {"$pow": [2, {"$max": [0, {"$subtract": [exponent, _EXACT_BITS]}]}]}
    return {"$subtract": [size, {"$mod": [size, step]}]}


def _bucket(value: str) -> Document:
    return {
        "$bucket": {
            "groupBy": value,
            "boundaries": [_LOWEST, *BOUNDS.values()],
            "default": UNKNOWN,
            "output": {"n": {"$sum": 1}},
        }
    }
