"""The TTL monitor of MongoDB, while a thousand sessions expire every second."""

import itertools
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection

from benchmarks.contenders import CONTENDERS, MONGO_SESSION
from benchmarks.environment import Client
from benchmarks.plan import SMALL
from benchmarks.scale.part import Part, Scope
from benchmarks.servers import servers
from benchmarks.visits import cart, session_id

_BATCH, _BATCHES_A_SECOND = 100, 10
_LIFETIME = timedelta(seconds=3)
_SAMPLING_SECONDS = 0.5

Documents = Collection[dict[str, Any]]


@dataclass(frozen=True)
class Sample:
    """What was there at a moment.

    :param seconds: since the start.
    :param expired: the expired sessions that were not deleted yet.
    :param oldest_seconds: how long ago the oldest of them expired.
    :param deleted: the documents that the monitor has deleted.
    :param passes: the finished passes of the monitor.
    """

    seconds: float
    expired: int
    oldest_seconds: float
    deleted: int
    passes: int


def measure(scope: Scope) -> Part:
    """Let sessions expire, and look twice a second for those that are still there.

    :param scope: the size of the measurement.
    """
    with servers() as running:
        place = replace(running.place, database="bench_expiry")
        # This makes the collection and its indexes.
        site = CONTENDERS[MONGO_SESSION].make(place, cart(SMALL))
        sessions = place.direct[place.database].sessions
        session = sessions.find_one({"_id": session_id(site.begin())})
        assert session is not None
        sessions.create_index("expires", expireAfterSeconds=0)
        stop = threading.Event()
        writer = threading.Thread(target=_write, args=(sessions, session, stop))
        writer.start()
        try:
            samples = _watch(place.direct, sessions, scope.expiry_seconds)
        finally:
            stop.set()
            writer.join()
        every = place.direct.admin.command("getParameter", 1, ttlMonitorSleepSecs=1)
    return _part(samples, every["ttlMonitorSleepSecs"])


def _write(sessions: Documents, session: dict[str, Any], stop: threading.Event) -> None:
    """Insert sessions at a steady rate until the end."""
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        due += 1 / _BATCHES_A_SECOND
        expires = datetime.now(UTC) + _LIFETIME
        copies = [session | {"_id": str(ObjectId()), "expires": expires} for _ in range(_BATCH)]
        sessions.insert_many(copies, ordered=False)


def _watch(client: Client, sessions: Documents, seconds: float) -> list[Sample]:
    start = time.monotonic()
    samples = []
    while (elapsed := time.monotonic() - start) < seconds:
        now = datetime.now(UTC).replace(tzinfo=None)
        expired = sessions.count_documents({"expires": {"$lt": now}})
        oldest = sessions.find_one({}, {"expires": 1}, sort=[("expires", 1)])
        age = 0.0 if oldest is None else (now - oldest["expires"]).total_seconds()
        ttl = client.admin.command("serverStatus")["metrics"]["ttl"]
        counts = (ttl["deletedDocuments"], ttl["passes"])
        samples.append(Sample(elapsed, expired, max(0.0, age), *counts))
        time.sleep(_SAMPLING_SECONDS)
    return samples


def _part(samples: list[Sample], interval_seconds: float) -> Part:
    last = samples[-1]
    deleting = sum(
        after.seconds - before.seconds
        for before, after in itertools.pairwise(samples)
        if after.deleted > before.deleted
    )
    rows = {
        "seconds": f"{last.seconds:.0f}",
        "sessions that expired": f"{last.deleted + last.expired:,}",
        "deleted by the TTL monitor": f"{last.deleted:,}",
        "finished passes of the monitor": str(last.passes - samples[0].passes),
        "seconds in which it deleted": f"{deleting:.1f}",
        "most expired sessions at a time": f"{max(each.expired for each in samples):,}",
        "seconds since the oldest of them expired, at most": (
            f"{max(each.oldest_seconds for each in samples):.1f}"
        ),
    }
    part = Part(f"TTL monitor, {_BATCH * _BATCHES_A_SECOND:,} expiries a second", ["", ""])
    part.rows += [[name, value] for name, value in rows.items()]
    part.figures += [asdict(sample) for sample in samples]
    part.notes.append(
        f"MongoDB starts a pass every {interval_seconds} seconds. Until then, nobody can read an "
        "expired session."
    )
    return part
