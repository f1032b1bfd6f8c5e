"""Rounds of overlapping requests, and what they lose.

The tests and ``benchmarks.lost_updates`` play the same rounds. No round depends on elapsed time.
"""

import uuid
from collections.abc import Callable
from typing import NamedTuple

from tests.behaviour.scenarios import LOGOUT, MOST_CONCURRENT, READ, Change, Request, Server


class Tally(NamedTuple):
    """The results of one or more rounds.

    :param changes: how many changes the requests saved without an error.
    :param lost: how many of these changes were missing afterwards.
    :param resurrected: how many sessions existed after their logout.
    """

    changes: int = 0
    lost: int = 0
    resurrected: int = 0


def read_overlaps_login(server: Server, number: int) -> Tally:
    """Let a slow request that only reads begin before a login, and end after it."""
    cookie = server.site.begin_session(visits=1)
    slow = server.begin(cookie)
    _finish(server.begin(cookie, Change({"user": "ann"})))
    _finish(slow)
    return Tally(1, lost=int(server.site.read(cookie) != {"visits": 1, "user": "ann"}))


def different_keys(server: Server, number: int) -> Tally:
    """Let 2 to 8 requests load the session, then each change another key, all at once."""
    together = 2 + number % (MOST_CONCURRENT - 1)
    cookie = server.site.begin_session(**{f"k{i}": 0 for i in range(0, together, 2)})
    # Every other request changes an existing key, and the rest add a key.
    changes = {f"k{i}": i + 1 for i in range(together)}
    requests = [server.begin(cookie, Change({key: changes[key]})) for key in changes]
    _finish(*requests)
    seen = server.site.read(cookie)
    return Tally(together, lost=sum(seen.get(key) != changes[key] for key in changes))


def deletion_beside_change(server: Server, number: int) -> Tally:
    """Let one request delete a key and another one change another key, in both orders."""
    cookie = server.site.begin_session(old=1)
    one = server.begin(cookie, Change(removed=("old",)))
    other = server.begin(cookie, Change({"new": 2}))
    for request in (one, other) if number % 2 else (other, one):
        _finish(request)
    seen = server.site.read(cookie)
    return Tally(2, lost=("old" in seen) + (seen.get("new") != 2))


def same_key(server: Server, number: int) -> Tally:
    """Let two requests change one key; the later save has to win."""
    cookie = server.site.begin_session(k=0)
    requests = [server.begin(cookie, Change({"k": value})) for value in (1, 2)]
    first = number % 2
    _finish(requests[first])
    _finish(requests[1 - first])
    return Tally(1, lost=int(server.site.read(cookie) != {"k": 2 - first}))


def first_saves(server: Server, number: int) -> Tally:
    """Let two requests save for the first time under one new id, at once."""
    cookie = uuid.uuid4().hex
    requests = [server.begin(cookie, Change({key: 1})) for key in ("a", "b")]
    _finish(*requests)
    seen = server.site.read(cookie)
    return Tally(2, lost=("a" not in seen) + ("b" not in seen))


def save_overlaps_logout(server: Server, number: int) -> Tally:
    """Let a slow request that changes the session begin before a logout, and end after it."""
    return _overlapped_logout(server, Change({"cart": ["book"]}))


def save_beside_logout(server: Server, number: int) -> Tally:
    """Let a request that changes the session and a logout save at once, in either order."""
    cookie = server.site.begin_session(user="ann")
    requests = [server.begin(cookie, change) for change in (Change({"cart": ["book"]}), LOGOUT)]
    _finish(*requests)
    return _logged_out(server, cookie)


def read_overlaps_logout(server: Server, number: int) -> Tally:
    """Let a slow request that only reads begin before a logout, and end after it."""
    return _overlapped_logout(server, READ)


def _overlapped_logout(server: Server, change: Change) -> Tally:
    cookie = server.site.begin_session(user="ann")
    slow = server.begin(cookie, change)
    _finish(server.begin(cookie, LOGOUT))
    _finish(slow)
    return _logged_out(server, cookie)


def _logged_out(server: Server, cookie: str) -> Tally:
    return Tally(1, resurrected=int(server.site.read(cookie) != {}))


def _finish(*requests: Request) -> None:
    for request in requests:
        request.go()
    for request in requests:
        request.answer()


Scenario = Callable[[Server, int], Tally]


ROUNDS: tuple[Scenario, ...] = (
    read_overlaps_login,
    different_keys,
    deletion_beside_change,
    same_key,
    first_saves,
    save_overlaps_logout,
    save_beside_logout,
    read_overlaps_logout,
)


def play(play_round: Scenario, server: Server, rounds: int) -> Tally:
    """Play a round again and again.

    :param play_round: one of :data:`ROUNDS`; it receives the number of rounds played before.
    :param server: serves the requests.
    :param rounds: how often.
    :returns: the sum of their results.
    """
    tallies = [play_round(server, number) for number in range(rounds)]
    return Tally(*map(sum, zip(*tallies, strict=True)))
