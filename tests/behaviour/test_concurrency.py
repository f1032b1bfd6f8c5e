"""Requests that overlap: no change is lost, no session is restored, no extra command is sent."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

import bson
import pytest
from beaker.session import Session

from beaker_mongo_soajs import ConfigError, MongoSession
from beaker_mongo_soajs.mongo import documents
from beaker_mongo_soajs.sessions import store as session_store
from benchmarks import lost_updates
from tests.application import KEYS
from tests.behaviour.scenarios import (
    LOGOUT,
    ROUNDS,
    Change,
    ProcessServer,
    Scenario,
    Site,
    Tally,
    ThreadServer,
    beaker_options,
    different_keys,
    first_saves,
    play,
    read_overlaps_login,
    read_overlaps_logout,
    same_key,
    save_beside_logout,
    save_overlaps_logout,
    worker_processes,
)
from tests.conftest import Db, Options
from tests.effort import times
from tests.proxy import TcpProxy
from tests.recorder import Commands

# Each number of overlapping requests twice, and each order seven times.
ROUNDS_EACH = times(14)
# MongoSession never adopts an unknown id, so two requests never create one session together.
KINDS_AND_ROUNDS = [
    *[(Session, play_round) for play_round in ROUNDS],
    *[(MongoSession, play_round) for play_round in ROUNDS if play_round is not first_saves],
]
LOGOUTS = (save_overlaps_logout, save_beside_logout, read_overlaps_logout)


def name_of(item: object) -> str:
    """Return the name of a round or a class, for use in a test id."""
    return getattr(item, "__name__", "")


@pytest.fixture(scope="module")
def workers() -> Iterator[list[Connection]]:
    """Start processes that serve requests."""
    with worker_processes() as workers:
        yield workers


@pytest.fixture
def all_options(kind_options: Options, *, stringify: bool) -> Options:
    """Return the options for each kind of session and each storage form."""
    return kind_options | {"stringify": stringify}


class TestRounds:
    """The rounds of :mod:`tests.behaviour.scenarios`."""

    @pytest.mark.parametrize(
        ("kind", "play_round"), KINDS_AND_ROUNDS, indirect=["kind"], ids=name_of
    )
    def test_threads_lose_nothing(
        self, all_options: Options, database: Db, play_round: Scenario
    ) -> None:
        """When requests overlap in threads, no change is lost and no logout is undone."""
        with ThreadServer(all_options) as server:
            tally = play(play_round, server, ROUNDS_EACH)
        assert (0, 0) == (tally.lost, tally.resurrected)
        assert tally.changes >= ROUNDS_EACH
        left = 0 if play_round in LOGOUTS else ROUNDS_EACH
        assert left == database.sessions.count_documents({})

    @pytest.mark.parametrize(
        "play_round", [read_overlaps_login, different_keys, save_overlaps_logout], ids=name_of
    )
    def test_processes_lose_nothing(
        self, all_options: Options, workers: list[Connection], play_round: Scenario
    ) -> None:
        """When requests overlap in processes, no change is lost and no logout is undone."""
        tally = play(play_round, ProcessServer(workers, all_options), ROUNDS_EACH)
        assert (0, 0) == (tally.lost, tally.resurrected)
        assert tally.changes >= ROUNDS_EACH

    @pytest.mark.parametrize("play_round", [read_overlaps_login, same_key, *LOGOUTS], ids=name_of)
    def test_encrypted_sessions_keep_saves_and_logouts(
        self, kind_options: Options, database: Db, play_round: Scenario
    ) -> None:
        """With encryption too, a read does not undo a save, and no request undoes a logout."""
        # Each read writes the times.
        with ThreadServer(kind_options | KEYS | {"store.touchAfter": 0}) as server:
            tally = play(play_round, server, ROUNDS_EACH)
        assert (0, 0) == (tally.lost, tally.resurrected)
        left = 0 if play_round in LOGOUTS else ROUNDS_EACH
        assert left == database.sessions.count_documents({})

    @pytest.mark.parametrize(
        "play_round",
        # The first has a winner with every backend, the second depends on timing.
        [each for each in ROUNDS if each not in (same_key, save_beside_logout)],
        ids=name_of,
    )
    def test_beakers_own_backend_loses_the_rounds(
        self, mongo_url: str, database_name: str, play_round: Scenario
    ) -> None:
        """The rounds find faults: Beaker's own backend loses each of them."""
        with ThreadServer(beaker_options(mongo_url, database_name)) as server:
            tally = play(play_round, server, 3)
        assert tally.lost + tally.resurrected > 0

    @pytest.mark.slow
    def test_the_benchmark_counts_losses(
        self, mongo_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The benchmark reports losses of Beaker's own backend, and none of this package."""
        monkeypatch.setenv("MONGODB_URL", mongo_url)
        lost_updates.main(["--rounds", "3"])
        lines = capsys.readouterr().out.splitlines()
        rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")][2:]
        assert len(ROUNDS) + 1 == len(rows)
        assert {("3", "0", "0")} == {(row[1], row[3], row[4]) for row in rows}
        assert len(rows) - 2 <= sum("**" in row[2] for row in rows)

    def test_a_dropped_save_is_logged(
        self, all_options: Options, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A save after a logout is dropped and logged, without the session id."""
        caplog.set_level("INFO", "beaker_mongo_soajs")
        with ThreadServer(all_options) as server:
            assert Tally(1) == save_overlaps_logout(server, 0)
        (message,) = [
            record.getMessage() for record in caplog.records if "dropped" in record.getMessage()
        ]
        assert "another request destroyed the session" in message

    def test_repeated_saves_keep_what_others_saved(
        self, all_options: Options, kind: type[Session]
    ) -> None:
        """A request that saves several times keeps what others saved between its saves."""
        site = Site(all_options)
        cookie = site.begin_session(a=0)
        options = all_options | {"type": "ext:mongodb_soajs", "use_cookies": False}
        session = kind({}, id=cookie, **options)
        site.serve(cookie, Change({"theirs": 1}))
        for number in range(3):
            session[f"mine{number}"] = number
            session.save()
            session.save()
            site.serve(cookie, Change({f"theirs{number}": number}))
        session.save()
        mine = {f"mine{number}": number for number in range(3)}
        theirs = {f"theirs{number}": number for number in range(3)}
        assert {"a": 0, "theirs": 1} | mine | theirs == site.read(cookie)

    def test_a_value_that_is_changed_back(self, all_options: Options, kind: type[Session]) -> None:
        """A second save stores a value that is again as it was loaded."""
        site = Site(all_options)
        cookie = site.begin_session(n=1)
        options = all_options | {"type": "ext:mongodb_soajs", "use_cookies": False}
        session = kind({}, id=cookie, **options)
        for number in (2, 1):
            session["n"] = number
            session.save()
            assert {"n": number} == site.read(cookie)

    def test_repeated_first_saves_keep_what_others_saved(
        self, options: Options, *, stringify: bool
    ) -> None:
        """Repeated first saves under one new id keep what another request saved first."""
        stored = options | {"stringify": stringify}
        options = stored | {"type": "ext:mongodb_soajs", "use_cookies": False}
        one, other = (Session({}, id="a-new-id", **options) for _ in range(2))
        other["theirs"] = 1
        other.save()
        for number in range(3):
            one["mine"] = number
            one.save()
        assert {"theirs": 1, "mine": 2} == Site(stored).read("a-new-id")


class Clock:
    """A clock for Beaker and this package that only the test moves."""

    def __init__(self) -> None:
        """Start at the current time."""
        self.now = time.time()

    def time(self) -> float:
        """Return the time as :func:`time.time` does."""
        return self.now

    def utc_now(self) -> datetime:
        """Return the time as :func:`beaker_mongo_soajs.mongo.documents.utc_now` does."""
        return datetime.fromtimestamp(self.now, UTC).replace(tzinfo=None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of Beaker and this package."""
    clock = Clock()
    utc_now = documents.utc_now
    for name, module in list(sys.modules.items()):
        if name.startswith("beaker_mongo_soajs") and vars(module).get("utc_now") is utc_now:
            monkeypatch.setattr(module, "utc_now", clock.utc_now)
    monkeypatch.setattr(time, "time", clock.time)
    # The clocks of all machines move, that of the server included.
    monkeypatch.setattr(session_store, "local_clock_ahead", lambda _: 0.0)
    return clock


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


class TestCommands:
    """The exact commands of each kind of request."""

    @pytest.fixture
    def site(self, all_options: Options, commands: Commands) -> Site:
        """Return a site that writes the times with each request."""
        return Site(all_options | {"store.touchAfter": 0})

    @pytest.fixture
    def cookie(self, site: Site, commands: Commands) -> str:
        """Return the cookie of a new session, and forget the commands so far."""
        cookie = site.begin_session(user="ann", old=1)
        commands.clear()
        return cookie

    def stored(self, database: Db) -> dict[str, Any]:
        """Return the only document unchanged."""
        (document,) = database.sessions.find()
        return document

    def filters(self, commands: Commands) -> list[Any]:
        """Return the filter of each command."""
        found: list[Any] = []
        for event in commands.started:
            command = event.command
            if event.command_name == "find":
                found.append(command["filter"])
            else:
                (part,) = command["updates" if event.command_name == "update" else "deletes"]
                found.append(part["q"])
        return found

    def update(self, commands: Commands) -> dict[str, Any]:
        """Return the update of the second command, without what makes it fail at a tombstone."""
        (part,) = commands.started[1].command["updates"]
        assert not part.get("upsert")
        assert not part.get("multi")
        update = dict(part["u"])
        assert {"moved_to": 1} == update.pop("$pop")
        return update

    def test_new_session(self, site: Site, commands: Commands, database: Db) -> None:
        """A new session costs one insert."""
        assert [] == site.serve().cookies or commands.names
        cookie = site.begin_session(user="ann")
        assert ["insert"] == commands.names
        (document,) = commands.started[0].command["documents"]
        assert self.stored(database)["_id"] == cookie == document["_id"]
        commands.clear()
        site.begin_session(user="bob")
        assert ["insert"] == commands.names

    def test_request_that_reads(
        self, site: Site, cookie: str, commands: Commands, database: Db, *, stringify: bool
    ) -> None:
        """A request that only reads costs a find and an update that moves the times forward."""
        text = self.stored(database)["session"]
        site.read(cookie)
        assert ["find", "update"] == commands.names
        if stringify:
            assert [{"_id": cookie}, {"_id": cookie, "session": text}] == self.filters(commands)
            assert {"$set", "$max"} == self.update(commands).keys()
        else:
            assert [{"_id": cookie}, {"_id": cookie}] == self.filters(commands)
            document = self.stored(database)
            update = self.update(commands)
            assert {"$max"} == update.keys()
            times = {
                "session._accessed_time": document["session"]["_accessed_time"],
                "expires": document["expires"],
            }
            # MongoDB stores dates in milliseconds.
            assert times == bson.decode(bson.encode(update["$max"]))

    def test_request_that_changes(
        self, site: Site, cookie: str, commands: Commands, database: Db, *, stringify: bool
    ) -> None:
        """A request that changes its session costs a find and an update of the changed keys."""
        text = self.stored(database)["session"]
        site.serve(cookie, Change({"user": "bob"}, removed=("old",)))
        assert ["find", "update"] == commands.names
        update = self.update(commands)
        if stringify:
            assert [{"_id": cookie}, {"_id": cookie, "session": text}] == self.filters(commands)
            assert {"session": self.stored(database)["session"]} == update["$set"]
            assert {"expires"} == update["$max"].keys()
        else:
            assert [{"_id": cookie}, {"_id": cookie}] == self.filters(commands)
            assert {"session.user": "bob"} == update["$set"]
            assert {"session.old": ""} == update["$unset"]
            assert {"session._accessed_time", "expires"} == update["$max"].keys()
            assert {"$set", "$unset", "$max"} == update.keys()

    def test_deleting_a_key_is_a_change(self, site: Site, cookie: str, commands: Commands) -> None:
        """A request that only deletes a key costs a find and an update, and the key is removed."""
        site.serve(cookie, Change(removed=("old",)))
        assert ["find", "update"] == commands.names
        assert {"user": "ann"} == site.read(cookie)

    def test_logout(self, site: Site, cookie: str, commands: Commands) -> None:
        """A request that deletes its session costs a find and a delete."""
        site.serve(cookie, LOGOUT)
        assert ["find", "delete"] == commands.names
        not_moved = {"_id": cookie, "moved_to": {"$exists": False}}
        assert [{"_id": cookie}, not_moved] == self.filters(commands)

    def test_request_within_touch_after(
        self, all_options: Options, commands: Commands, clock: Clock
    ) -> None:
        """Within touchAfter, a request that only reads costs one find; later it also updates."""
        site = Site(all_options | {"store.touchAfter": 60, "timeout": 600})
        cookie = site.begin_session(user="ann")
        for seconds, expected in ((59, ["find"]), (2, ["find", "update"]), (59, ["find"])):
            clock.now += seconds
            commands.clear()
            assert {"user": "ann"} == site.read(cookie)
            assert expected == commands.names
            assert {"_id": cookie} == self.filters(commands)[0]

    def test_change_within_touch_after(
        self, all_options: Options, commands: Commands, clock: Clock
    ) -> None:
        """Within touchAfter, a request that changes its session costs the usual commands."""
        site = Site(all_options | {"store.touchAfter": 60})
        cookie = site.begin_session(user="ann")
        commands.clear()
        site.serve(cookie, Change({"user": "bob"}))
        assert ["find", "update"] == commands.names
        assert {"user": "bob"} == site.read(cookie)

    def test_conflicting_text(self, options: Options, commands: Commands) -> None:
        """With stringify, a conflicting save reads the newer text and merges: two more commands."""
        with ThreadServer(options | {"stringify": True}) as server:
            cookie = server.site.begin_session(a=1)
            slow = server.begin(cookie, Change({"b": 2}))
            server.site.serve(cookie, Change({"a": 3}))
            commands.clear()
            slow.go()
            slow.answer()
            assert ["update", "find", "update"] == commands.names
            assert {"a": 3, "b": 2} == server.site.read(cookie)

    def test_one_changed_key_of_a_large_session(
        self, proxy: TcpProxy, database_name: str, commands: Commands
    ) -> None:
        """A change of one key in a session of 200 keys and 100 kB sends less than 1 kB."""
        options = {"url": proxy.url, "name": database_name, "URLParam.heartbeatFrequencyMS": 60_000}
        site = Site(options)
        cookie = site.begin_session(**{f"key{number:03}": "x" * 500 for number in range(200)})
        site.read(cookie)
        commands.clear()
        sent_before = proxy.bytes_to_server
        site.serve(cookie, Change({"key100": "y" * 500}))
        sent = proxy.bytes_to_server - sent_before
        assert ["find", "update"] == commands.names
        assert 500 < len(bson.encode(commands.started[1].command)) < 1000
        assert 500 < sent < 1400, "more than the find and the update"
        assert "y" * 500 == site.read(cookie)["key100"]


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
