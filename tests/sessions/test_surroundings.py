"""What sessions do not depend on: the order of sets, and the time zone of the process."""

import datetime
import os
import time
from collections.abc import Iterator

import pytest

from beaker_mongo_soajs import Locks, MongoSession, SessionStore
from tests.application import only_document
from tests.caches.support import open_cache
from tests.conftest import Db, Options


@pytest.mark.parametrize("stringify", [False, True], ids=["native", "text"])
def test_order_of_sets(options: Options, database: Db, *, stringify: bool) -> None:
    """Equal sets are stored alike, whatever the order of their elements is in a process."""
    # Both have the same place in a small set, so the first one keeps it: like texts whose hashes
    # collide in one process and not in another.
    one, other = set([8, 16]), set([16, 8])  # noqa: C405 - literals would have one order
    assert list(one) != list(other)
    store = SessionStore(options | {"stringify": stringify})
    stored = []
    for numbers in (one, other):
        store.set("id", {"numbers": numbers, "frozen": frozenset(numbers)})
        stored.append(only_document(database)["session"])
    assert stored[0] == stored[1]


@pytest.fixture(params=["America/St_Johns", "Pacific/Kiritimati"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Set the time zone of this process."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_time_zone(options: Options, database: Db, zone: str) -> None:
    """Dates are UTC whatever the time zone of the process is."""
    store = SessionStore(options, timeout=600)
    moment = datetime.datetime(2026, 7, 1, 12, 30)
    aware = moment.replace(tzinfo=datetime.UTC)
    store.set("id", {"naive": moment, "aware": aware})
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    left = only_document(database)["expires"] - now
    assert datetime.timedelta(seconds=500) < left <= datetime.timedelta(seconds=721)
    found = store.get("id")
    assert found is not None
    assert (moment, aware) == (found["naive"], found["aware"])
    assert found["naive"].tzinfo is None
    past = now - datetime.timedelta(seconds=1)
    database.sessions.update_one({}, {"$set": {"expires": past}})
    assert store.get("id") is None
    assert zone == os.environ["TZ"]


def seconds_from_now(moment: datetime.datetime) -> float:
    """Return how far ahead a date in naive UTC is."""
    left = moment.replace(tzinfo=datetime.UTC) - datetime.datetime.now(datetime.UTC)
    return left.total_seconds()


@pytest.mark.usefixtures("zone")
class TestTimeZones:
    """Dates that come from other places than the database."""

    def test_begin_of_a_session(self, options: Options, database: Db) -> None:
        """store.maxLifetime counts from the time at which Beaker's session began."""
        store = SessionStore(options | {"store": {"maxLifetime": 3600}})
        for session_id, age_seconds in (("live", 3000), ("over", 3700)):
            session = {"_creation_time": time.time() - age_seconds}
            database.sessions.insert_one({"_id": session_id, "session": session})
        assert [True, False] == [store.get(each) is not None for each in ("live", "over")]
        assert [False, True] == [store.record().create(each, {"n": 1}) for each in ("live", "over")]

    def test_locks(self, options: Options, database: Db) -> None:
        """A lease ends store.lockLease from now."""
        with Locks(options | {"store": {"lockLease": 60}}).lease("name"):
            document = database.sessions_locks.find_one()
        assert document is not None
        assert 30 < seconds_from_now(document["acquired_until"]) <= 60

    def test_cached_values(self, options: Options, database: Db) -> None:
        """A cached value expires after its lifetime."""
        open_cache(options, expire=60).put("key", 1)
        document = database.cache.find_one()
        assert document is not None
        assert 30 < seconds_from_now(document["fresh_until"]) <= 60

    @pytest.mark.parametrize("zone_of_date", [None, datetime.UTC])
    def test_date_of_a_cookie(
        self, options: Options, database: Db, zone_of_date: datetime.tzinfo | None
    ) -> None:
        """The date of a cookie is UTC unless it has a time zone, as in Beaker."""
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=600)
        more: Options = {
            "cookie_expires": expires.replace(tzinfo=zone_of_date),
            "use_cookies": False,
        }
        session = MongoSession({}, store={"expressCookie": True}, **options, **more)
        session["n"] = 1
        session.save()
        max_age_ms = only_document(database)["session"]["cookie"]["originalMaxAge"]
        assert 500_000 < max_age_ms <= 600_000
