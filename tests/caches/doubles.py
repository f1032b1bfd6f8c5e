"""A clock and a creation function that a test controls."""

import threading
import time

SECONDS = 30.0


class Clock:
    """A clock that a test can move forward."""

    def __init__(self) -> None:
        self._real = time.time
        self._moved_seconds = 0.0

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return self._real() + self._moved_seconds

    def move(self, seconds: float) -> None:
        """Move the clock forward."""
        self._moved_seconds += seconds


class Creator:
    """A creation function that counts its calls; a test can make it wait or fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.may_return = threading.Event()
        self.may_return.set()
        self.error: Exception | None = None

    def __call__(self) -> str:
        """Return a value with the number of the call."""
        self.calls += 1
        number = self.calls
        assert self.may_return.wait(SECONDS)
        if self.error is not None:
            raise self.error
        return f"value {number}"
