"""The times of a session, which never move backwards, and the option store.touchAfter."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from beaker_mongo_soajs import ConfigError
from tests.application import KEYS
from tests.behaviour.conftest import Clock
from tests.behaviour.scenarios import (
    Change,
    Site,
    ThreadServer,
)
from tests.conftest import Db, Options
from tests.recorder import Commands


def only_document(database: Db) -> dict[str, Any]:
    """Return the only session document, with its session as a dict in each storage form."""
    (document,) = database.sessions.find()
    if isinstance(document["session"], str):
        document["session"] = json.loads(document["session"])
    return document


def times_in(database: Db) -> tuple[float, datetime]:
    """Return the times of the only session document."""
    document = only_document(database)
    return document["session"]["_accessed_time"], document["expires"]


class TestTimes:
    """The times of a session never move backwards."""

    @pytest.mark.parametrize("change", [Change(), Change({"k": 1})], ids=["reads", "changes"])
    def test_a_request_that_ends_late_keeps_later_times(
        self, all_options: Options, database: Db, clock: Clock, change: Change
    ) -> None:
        """A request that begins before another one and ends after it keeps the later times."""
        with ThreadServer(all_options) as server:
            cookie = server.site.begin_session(user="ann")
            began = clock.now
            slow = server.begin(cookie, change)
            clock.now = began + 60
            server.site.serve(cookie, Change({"other": 1}))
            later = times_in(database)
            assert began + 60 == later[0]
            # It ends on a machine whose clock is slow.
            clock.now = began + 30
            slow.go()
            slow.answer()
            assert later == times_in(database)
            assert {"user": "ann", "other": 1, **change.assigned} == server.site.read(cookie)

    @pytest.mark.parametrize("change", [Change(), Change({"k": 1})], ids=["reads", "changes"])
    def test_a_slow_clock_keeps_later_times(
        self, all_options: Options, database: Db, clock: Clock, change: Change
    ) -> None:
        """A machine whose clock is slow keeps the times that another machine wrote."""
        site = Site(all_options)
        cookie = site.begin_session(user="ann")
        before = times_in(database)
        clock.now -= 60
        site.serve(cookie, change)
        assert before == times_in(database)
        assert {"user": "ann", **change.assigned} == site.read(cookie)

    def test_a_request_moves_the_times_forward(
        self, all_options: Options, database: Db, clock: Clock
    ) -> None:
        """A request that only reads moves both times forward by the time that has passed."""
        site = Site(all_options)
        cookie = site.begin_session(user="ann")
        accessed_time, expires = times_in(database)
        clock.now += 60
        site.read(cookie)
        later = times_in(database)
        assert 60 == pytest.approx(later[0] - accessed_time)
        assert timedelta(seconds=60) == later[1] - expires


class TestTouchAfter:
    """The option ``store.touchAfter``, with a session timeout."""

    @pytest.fixture(params=["native", "text", "encrypted"])
    def site(self, kind_options: Options, request: pytest.FixtureRequest) -> Site:
        """Return a site with a session timeout of 600 seconds and a touchAfter of 300."""
        forms: dict[str, Options] = {"native": {}, "text": {"stringify": True}, "encrypted": KEYS}
        return Site(kind_options | forms[request.param] | {"timeout": 600, "store.touchAfter": 300})

    def test_a_session_in_use_lives(self, site: Site, database: Db, clock: Clock) -> None:
        """A session that is used within each timeout never ends, though times are written late."""
        cookie = site.begin_session(user="ann")
        for seconds in (299, 599, 1, 598, 299, 300, 301, 150, 149, 599, 0, 599):
            clock.now += seconds
            assert {"user": "ann"} == site.read(cookie)
            (document,) = database.sessions.find()
            left = document["expires"] - clock.utc_now()
            assert left >= timedelta(seconds=600), "MongoDB would remove it too early"

    def test_encrypted_sessions_without_a_timeout(
        self, kind_options: Options, commands: Commands
    ) -> None:
        """Within touchAfter, a read of an encrypted session without a timeout writes nothing."""
        site = Site(kind_options | KEYS | {"store.touchAfter": 300})
        cookie = site.begin_session(user="ann")
        commands.clear()
        site.read(cookie)
        assert ["find"] == commands.names

    def test_an_idle_session_ends(self, site: Site, clock: Clock) -> None:
        """A session that is not used for longer than timeout plus touchAfter ends."""
        cookie = site.begin_session(user="ann")
        clock.now += 901
        assert {} == site.read(cookie)

    @pytest.mark.filterwarnings("ignore:Invalidating corrupt session")
    @pytest.mark.parametrize("touch_after", [600, 601])
    @pytest.mark.parametrize("cookie", [None, "an-id"], ids=["new", "returning"])
    def test_it_must_be_shorter_than_the_timeout(
        self, kind_options: Options, touch_after: int, cookie: str | None
    ) -> None:
        """At the first save, a touchAfter as long as the timeout or longer raises ConfigError."""
        site = Site(kind_options | {"timeout": 600, "store.touchAfter": touch_after})
        with pytest.raises(
            ConfigError, match=r"touchAfter.*smaller number than the session timeout"
        ):
            site.serve(cookie, Change({"user": "ann"}))
