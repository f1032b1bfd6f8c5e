"""Play all orders of the commands of two or three operations on one session.

The invariants, which are checked after each order:

1. Nothing acknowledged is lost: the session holds what each successful request saved, unless an
   ending came in between. (Ciphertext is replaced as a whole. Of it, this is only required for a
   login.)
2. Nothing that was ended is readable under any id.
3. Two ids are never valid at the same time, not even between two commands.
4. A visitor is logged out only by an ending: the id in the browser is valid. (If the process ends
   between the last command of a login and its response, the new id is valid, and the browser does
   not have it.)
5. No operation raises another exception than ``StoreUnavailable``.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from beaker.session import Session

from beaker_mongo_soajs import MongoSession
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.sessions.id_change import IdChanges
from tests.application import KEYS
from tests.conftest import Db, Options
from tests.effort import times
from tests.interleavings import operations
from tests.interleavings.operations import BEGIN, Act, Outcome, World, run
from tests.interleavings.report import PLAYED
from tests.interleavings.scheduler import Fault, Orders, Played, Scheduler

ALL = os.environ.get("INTERLEAVINGS") == "all"
MOST_SWITCHES = 12 if ALL else 2
SECONDS = 30.0 if ALL else times(4) / 20
"""How long the orders of one game are played; those with few switches are played first."""

FORMS: dict[str, dict[str, Any]] = {
    "native": {},
    "JSON": {"stringify": True},
    "encrypted": KEYS,
}
ACTS = (*operations.CHANGES, *operations.ENDINGS, *operations.OTHERS)


def _games() -> Iterator[Any]:
    """Yield each pair of operations, for the kinds and forms of sessions that have both."""
    pairs = itertools.combinations_with_replacement(ACTS, 2)
    for acts, kind, form in itertools.product(pairs, (Session, MongoSession), FORMS):
        needs_class = set(acts) & set(operations.ONLY_MONGO_SESSION)
        needs_native = set(acts) & set(operations.ONLY_SEARCHABLE)
        is_short = form == "native" or operations.login in acts
        if (kind is MongoSession or not needs_class) and (form == "native" or not needs_native):
            names = f"{acts[0].__name__}-{acts[1].__name__}-{kind.__name__}-{form}"
            if ALL or is_short:
                yield pytest.param(acts, kind, form, id=names)


def _triples() -> Iterator[Any]:
    """Yield three short operations each."""
    for acts in itertools.combinations_with_replacement(operations.SHORT, 3):
        yield pytest.param(acts, id="-".join(act.__name__ for act in acts))


_PLAYED = {"orders": 0, "games": 0, "complete games": 0}


@pytest.fixture(autouse=True)
def _report(record_property: Callable[[str, object], None]) -> Iterator[None]:
    _PLAYED.update(dict.fromkeys(_PLAYED, 0))
    yield
    record_property(PLAYED, [*_PLAYED.values()])


class Game:
    """Play operations on one session after another, and check the invariants.

    :param scheduler: plays the operations.
    :param world: the session.
    :param database: the test's database.
    :param acts: the operations.
    """

    def __init__(
        self, scheduler: Scheduler, world: World, database: Db, acts: tuple[Act, ...]
    ) -> None:
        self.scheduler = scheduler
        self.world = world
        self.collection = database.sessions
        self.acts = acts
        self.form = "encrypted" if "encrypt_key" in world.options else "other"
        self.is_blocking = acts.count(operations.change_locked) == 2

    def play(self, order: list[int], fault: Fault | None) -> Played:
        """Play one order with a new session, and check the invariants."""
        self.collection.delete_many({})
        self._begin()
        outcomes = [Outcome() for _ in self.acts]
        players = [
            partial(run, act, self.world, outcome)
            for act, outcome in zip(self.acts, outcomes, strict=True)
        ]
        played = self.scheduler.play(players, order, fault, self._check_live_ids)
        _PLAYED["orders"] += 1
        try:
            self._check(outcomes, fault)
        except AssertionError as error:
            names = " and ".join(act.__name__ for act in self.acts)
            documents = list(self.collection.find())
            turns = [turn for turn, _ in played]
            raise AssertionError(
                f"{names}, order {turns}, {fault}: {error}\n{outcomes}\n{documents}"
            ) from error
        return played

    def play_all(self, fault: Fault | None, most_switches: int, seconds: float) -> bool:
        """Play all orders, as far as the time allows; return whether the fault happened."""
        happened = False
        until = time.monotonic() + seconds
        orders = Orders(lambda order: self.play(order, fault), most_switches)
        for _ in orders:
            happened |= self.scheduler.fault_happened
            if time.monotonic() > until:
                break
        if happened or fault is None:
            _PLAYED["games"] += 1
            _PLAYED["complete games"] += orders.are_complete
        return happened

    def _begin(self) -> None:
        session = MongoSession({}, use_cookies=False, id=self.world.old_id, **self.world.options)
        session.id = self.world.old_id
        session.update(BEGIN)
        session.save()

    def _check_live_ids(self) -> None:
        live = {"moved_to": {"$exists": False}, "expires": {"$gt": utc_now()}}
        ids = self.collection.distinct("_id", live)
        assert len(ids) <= 1, f"two valid ids: {ids}"

    def _check(self, outcomes: list[Outcome], fault: Fault | None) -> None:
        for outcome in outcomes:
            assert outcome.error is None, repr(outcome.error)
        # The old id comes first: a visitor with it undoes what was not completed. Until then
        # nobody was given the new one.
        seen = {self.world.old_id: self.world.read(self.world.old_id)}
        ids = {*self.collection.distinct("_id")} - seen.keys()
        ids |= {outcome.new_id for outcome in outcomes if outcome.new_id}
        seen |= {name: self.world.read(name) for name in ids}
        readable = {name: session for name, session in seen.items() if session is not None}
        endings = [
            outcome
            for act, outcome in zip(self.acts, outcomes, strict=True)
            if act in operations.ENDINGS and outcome.began
        ]
        assert len(readable) <= 1, f"two ids are readable: {readable}"
        if any(outcome.is_acknowledged for outcome in endings):
            assert not readable, f"an ended session is readable: {readable}"
        if endings:
            return
        assert readable, "the session is lost"
        ((live_id, session),) = readable.items()
        given = [outcome.new_id for outcome in outcomes if outcome.new_id]
        expected = given[-1] if given else self.world.old_id
        has_crashed = any(outcome.is_crashed for outcome in outcomes)
        if not (has_crashed and not given):
            assert live_id == expected, f"the browser has {expected}, valid is {live_id}"
        for act, outcome in zip(self.acts, outcomes, strict=True):
            if outcome.is_acknowledged and (self.form != "encrypted" or act is operations.login):
                lost = outcome.values.items() - session.items()
                assert not lost, f"{lost} is lost"


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Scheduler:
    """Return a scheduler of the commands to the sessions."""
    return Scheduler(monkeypatch, "sessions")


def make_game(
    acts: tuple[Act, ...],
    kind: type[Session],
    form: str,
    options: Options,
    scheduler: Scheduler,
    database: Db,
) -> Game:
    """Return a game."""
    store = {"createIndexes": False, "touchAfter": 0}
    options = options | FORMS[form] | {"store": store, "timeout": 600}
    return_store = MongoSession({}, use_cookies=False, **options).store
    world = World(options, kind, "the-old-id", return_store)
    return Game(scheduler, world, database, acts)


@pytest.mark.timeout(3600 if ALL else 300)
class TestInterleavings:
    """Operations on one session, in every order of their commands."""

    @pytest.mark.parametrize(("acts", "kind", "form"), [*_games()])
    def test_pairs(
        self,
        acts: tuple[Act, ...],
        kind: type[Session],
        form: str,
        options: Options,
        scheduler: Scheduler,
        database: Db,
    ) -> None:
        """The invariants hold after every order of the commands, with and without faults."""
        game = make_game(acts, kind, form, options, scheduler, database)
        game.play_all(None, MOST_SWITCHES, SECONDS)
        if not ALL and (form != "native" or operations.login not in acts):
            return
        for position, is_crash in itertools.product((0, 1), (True, False)):
            for command in itertools.count(1):
                fault = Fault(position, command, is_crash)
                if not game.play_all(fault, MOST_SWITCHES - 1, SECONDS / 10):
                    break

    @pytest.mark.parametrize("acts", [*_triples()])
    def test_three(
        self,
        acts: tuple[Act, ...],
        options: Options,
        scheduler: Scheduler,
        database: Db,
    ) -> None:
        """The invariants hold after every order of the commands of three short operations."""
        game = make_game(acts, MongoSession, "native", options, scheduler, database)
        game.play_all(None, MOST_SWITCHES, SECONDS)

    def test_a_protocol_without_barriers_is_found_out(
        self,
        options: Options,
        scheduler: Scheduler,
        database: Db,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """If nothing kept the new id from being stored late, these tests would fail."""
        acts = (operations.read, operations.login)
        game = make_game(acts, MongoSession, "native", options, scheduler, database)
        monkeypatch.setattr(IdChanges, "_put_barrier", lambda *_: None)
        with pytest.raises(AssertionError, match="two valid ids"):
            game.play_all(None, 2, 60)
