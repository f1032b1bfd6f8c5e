"""Overlapping requests, on this package and on Django's own engine of a table."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from tests.behaviour.rounds import (
    Scenario,
    Tally,
    deletion_beside_change,
    different_keys,
    play,
    read_overlaps_login,
    read_overlaps_logout,
    same_key,
    save_beside_logout,
    save_overlaps_logout,
)
from tests.behaviour.scenarios import MOST_CONCURRENT, READ, Answer, Change, Server, ThreadServer
from tests.django.project import ENGINE
from tests.effort import times

DJANGO_ENGINE = "django.contrib.sessions.backends.db"
_COOKIE = "sessionid"


class Login(Change):
    """Log in as Django does: the session gets a new id."""

    def make(self, session: Any) -> None:
        """Apply it to a session."""
        session.cycle_key()
        super().make(session)


class Site:
    """Django's middleware with one engine, and a view that makes a change.

    :param engine: the engine.
    """

    def __init__(self, engine: str) -> None:
        self._requests = RequestFactory()
        with override_settings(SESSION_ENGINE=engine):
            self._middleware = SessionMiddleware(self._respond)

    def serve(
        self,
        cookie: str | None = None,
        change: Change = READ,
        pause: Callable[[], object] = lambda: None,
    ) -> Answer:
        """Serve one request; the arguments are those of :class:`tests.behaviour.scenarios.Site`."""
        request = self._requests.get("/")
        if cookie is not None:
            request.COOKIES[_COOKIE] = cookie
        request.seen, request.change, request.pause = {}, change, pause
        try:
            cookies = self._middleware(request).cookies
        except (SessionInterrupted, UpdateError):
            cookies = {}
        # Each thread has connections of its own.
        connections.close_all()
        return Answer(request.seen, [cookies[_COOKIE].value] if _COOKIE in cookies else [])

    def begin_session(self, **values: object) -> str:
        """Serve a new visitor, and return the session cookie."""
        (cookie,) = self.serve(None, Change(values)).cookies
        return cookie

    def read(self, cookie: str) -> dict[str, Any]:
        """Serve a request that only reads, and return the session that it loaded."""
        return self.serve(cookie).seen

    @staticmethod
    def _respond(request: HttpRequest) -> HttpResponse:
        request.seen.update(request.session.items())
        request.pause()
        request.change.make(request.session)
        return HttpResponse()


class DjangoServer(ThreadServer):
    """Serve each request in a thread of its own.

    :param engine: the engine.
    """

    def __init__(self, engine: str) -> None:
        self.site: Any = Site(engine)
        self._threads = ThreadPoolExecutor(MOST_CONCURRENT)


def save_overlaps_login(server: Server, _number: int) -> Tally:
    """Let a slow request that changes the session begin before a login, and end after it."""
    cookie = server.site.begin_session(visits=1)
    slow = server.begin(cookie, Change({"cart": ["book"]}))
    login = server.begin(cookie, Login({"user": "ann"}))
    login.go()
    (new_cookie,) = login.answer().cookies
    slow.go()
    slow.answer()
    seen = server.site.read(new_cookie)
    expected = {"visits": 1, "user": "ann", "cart": ["book"]}
    lost = sum(seen.get(key) != value for key, value in expected.items())
    return Tally(2, lost, resurrected=int(server.site.read(cookie) != {}))


LOST_BY_A_TABLE = (
    read_overlaps_login,
    different_keys,
    deletion_beside_change,
    save_overlaps_login,
)
KEPT_BY_A_TABLE = (same_key, save_overlaps_logout, save_beside_logout, read_overlaps_logout)
# The figures of the documentation are those of 200 rounds.
ROUNDS_EACH = int(os.environ.get("DJANGO_ROUNDS", "0")) or times(10)


@pytest.fixture
def every_request(settings: Any) -> Iterator[None]:
    """Save each session at the end of its request, also if the request only read."""
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        yield


@pytest.mark.usefixtures("every_request")
@pytest.mark.parametrize(
    "play_round", LOST_BY_A_TABLE + KEPT_BY_A_TABLE, ids=lambda item: item.__name__
)
def test_nothing_is_lost(
    play_round: Scenario, record_property: Callable[[str, object], None]
) -> None:
    """No change is lost, and no logout is undone, where Django's own engine loses changes."""
    with DjangoServer(ENGINE) as server, DjangoServer(DJANGO_ENGINE) as other:
        ours = play(play_round, server, ROUNDS_EACH)
        theirs = play(play_round, other, ROUNDS_EACH)
    for name, tally in (("this package", ours), ("Django's table", theirs)):
        record_property(name, f"{tally.lost} of {tally.changes} lost")
    assert (0, 0) == (ours.lost, ours.resurrected)
    assert ours.changes >= ROUNDS_EACH
    # Otherwise the round would show nothing.
    assert (theirs.lost > 0) == (play_round in LOST_BY_A_TABLE)
