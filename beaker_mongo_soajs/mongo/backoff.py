"""Repeated attempts, with growing, random pauses, until a deadline."""

import random
import time
from collections.abc import Iterator

FIRST_PAUSE_SECONDS = 0.001
_random = random.SystemRandom()
LONGEST_PAUSE_SECONDS = 0.05


def attempts(
    deadline_seconds: float, longest_pause_seconds: float = LONGEST_PAUSE_SECONDS
) -> Iterator[int]:
    """Yield the number of each attempt, the first one at once, until the deadline.

    The pauses double, starting at a millisecond. Each is drawn at random between zero and its
    length ("full jitter"), so that callers that collided do not collide again.

    :param deadline_seconds: seconds after which no new attempt begins; the first one always does.
    :param longest_pause_seconds: the length at which pauses stop growing.
    """
    deadline = time.monotonic() + deadline_seconds
    pause = FIRST_PAUSE_SECONDS
    number = 1
    yield number
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, _random.uniform(0, pause)))
        pause = min(pause * 2, longest_pause_seconds)
        number += 1
        yield number
