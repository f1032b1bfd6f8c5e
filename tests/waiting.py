"""Wait for a condition."""

import threading
import time
from collections.abc import Callable

_POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until a condition is true.

    :param condition: a function that is called until it returns a true value.
    :param seconds: the time limit.
    :raises AssertionError: the condition is still false after this time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still false after {seconds:g} s: {condition}"
        time.sleep(_POLL_SECONDS)


def wait_for_indexes() -> None:
    """Wait until no thread of this process makes indexes."""
    wait_until(lambda: not any("-indexes" in thread.name for thread in threading.enumerate()))
