"""What sessions do not depend on: the order of sets, and the time zone of the process."""

import datetime
import os
import time
from collections.abc import Iterator

import pytest

from beaker_mongo_soajs import SessionStore
from tests.application import only_document
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
