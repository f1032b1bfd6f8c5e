"""Wait until something is so, and no longer."""

import threading
import time
from collections.abc import Callable

_POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition.

    :param condition: is asked again and again until its answer is true.
    :param seconds: how long at most.
    :raises AssertionError: it did not become true in this time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds:g} s: {condition}"
        time.sleep(_POLL_SECONDS)


def wait_for_indexes() -> None:
    """Wait until no thread of this process makes indexes."""
    wait_until(lambda: not any("-indexes" in thread.name for thread in threading.enumerate()))
