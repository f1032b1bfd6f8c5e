"""Requests that overlap: no change is lost, no session is restored, no extra command is sent."""

from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest
from beaker.session import Session

from beaker_mongo_soajs import MongoSession
from benchmarks import lost_updates
from tests.application import KEYS
from tests.behaviour.rounds import (
    ROUNDS,
    Scenario,
    Tally,
    different_keys,
    first_saves,
    play,
    read_overlaps_login,
    read_overlaps_logout,
    same_key,
    save_beside_logout,
    save_overlaps_logout,
)
from tests.behaviour.scenarios import (
    Change,
    ProcessServer,
    Site,
    ThreadServer,
    beaker_options,
    worker_processes,
)
from tests.conftest import Db, Options
from tests.effort import times

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


class TestRounds:
    """The rounds of :mod:`tests.behaviour.rounds`."""

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
