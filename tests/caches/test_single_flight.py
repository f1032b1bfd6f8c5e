"""Threads that wait for the one that creates a value."""

import threading
import time
from datetime import timedelta

import pytest

from beaker_mongo_soajs import LockTimeout
from beaker_mongo_soajs.backend.single_flight import ReadState, SingleFlight
from beaker_mongo_soajs.caches.entry import Entry
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.mongo.leases import lock_timeout

FRESH = Entry(b"value", None, "new", None, None)
EXPIRED = FRESH._replace(fresh_until=utc_now() - timedelta(seconds=1))


def _lead_in_a_thread() -> SingleFlight:
    made: list[SingleFlight] = []
    thread = threading.Thread(target=lambda: made.append(SingleFlight()))
    thread.start()
    thread.join()
    return made[0]


@pytest.mark.parametrize(
    ("state", "entry", "answered"),
    [
        (ReadState(reads=True), FRESH, True),
        (ReadState(reads=True, version="old"), FRESH, True),
        (ReadState(reads=True, version="new"), FRESH, False),
        (ReadState(reads=True, version="old"), EXPIRED, False),
        (ReadState(reads=True), None, False),
        (ReadState(reads=False), FRESH, False),
    ],
)
def test_what_answers_a_waiter(state: ReadState, entry: Entry | None, *, answered: bool) -> None:
    """A waiter that has read the entry needs a fresh one of another version."""
    assert answered is state.is_answered_by(entry)


@pytest.mark.parametrize("entry", [FRESH, None])
def test_outcome_after_the_deadline(entry: Entry | None) -> None:
    """An outcome that is there is returned, however late the caller comes."""
    flight = SingleFlight()
    flight.end(entry)
    assert entry == flight.wait(time.monotonic() - 1)


def test_failure_of_the_leader() -> None:
    """Waiters fail when the leader cannot acquire the lock."""
    flight = SingleFlight()
    flight.give_up(lock_timeout(1.0))
    with pytest.raises(LockTimeout):
        flight.wait(time.monotonic() + 30)


def test_deadline() -> None:
    """A wait ends at its deadline while the leader lives."""
    flight = SingleFlight()
    deadline = time.monotonic() + 0.1
    with pytest.raises(TimeoutError):
        flight.wait(deadline)
    assert 0 <= time.monotonic() - deadline < 0.8


def test_leader_that_died() -> None:
    """A wait ends at once after the death of the leader."""
    flight = _lead_in_a_thread()
    assert not flight.is_running
    assert flight.wait(time.monotonic() + 30) is None
