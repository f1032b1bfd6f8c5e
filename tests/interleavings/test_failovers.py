"""Visitors who write, log in and log out while a replica set loses its primary."""

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from pymongo.errors import PyMongoError

from beaker_mongo_soajs import StoreUnavailable
from beaker_mongo_soajs.testing import ReplicaSet
from tests.conftest import Client, Options
from tests.interleavings.test_interleavings import ALL
from tests.mongo_session.test_log_out_everywhere import begin, visit
from tests.waiting import wait_until

_FAILOVERS = 20 if ALL else 1
_VISITORS = 8


class Visitor:
    """Write, log in and log out in a loop, and note everything that must not happen."""

    def __init__(self, options: Options, number: int, stop: threading.Event) -> None:
        self.options = options
        self.number = number
        self.stop = stop
        self.steps = 0
        self.errors: list[str] = []
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            while not self.stop.is_set():
                self._live()
        except BaseException as error:  # noqa: BLE001 - the test reports it
            self.errors.append(repr(error))

    def _live(self) -> None:
        """Live through one session, from its beginning to the logout."""
        session_id = self._until_answered(lambda: begin(self.options, who=self.number, n=0))
        accepted, last = {0}, ""
        for number in range(1, 8):
            try:
                session = visit(self.options, session_id)
                if session.get("n") not in accepted:
                    self.errors.append(f"{session.get('n')} instead of {accepted}: {last}")
                    return
                accepted.add(number)
                session["n"] = number
                if number % 3 == 0:
                    session.regenerate_id()
                session.save()
                session_id, accepted = session.id, {number}
                self.steps += 1
            except StoreUnavailable as error:
                last = str(error)
                continue
        self._until_answered(lambda: visit(self.options, session_id).delete())
        if self._until_answered(lambda: "who" in visit(self.options, session_id)):
            self.errors.append("a logout was undone")

    def _until_answered(self, action: Any) -> Any:
        while True:
            try:
                return action()
            except StoreUnavailable:
                continue


def _steps_down(replica_set: ReplicaSet) -> bool:
    """Make the primary step down; return whether it did."""
    with Client(replica_set.primary.url) as client:
        try:
            client.admin.command("replSetStepDown", 5, secondaryCatchUpPeriodSecs=4)
        except PyMongoError:
            # Without a secondary that has caught up, the primary stays.
            return False
    return True


class TestFailovers:
    """A replica set that loses its primary under load."""

    @pytest.fixture
    def replica_set(self) -> Iterator[ReplicaSet]:
        """Start a replica set of three."""
        with ReplicaSet(members=3, for_tests=True) as replica_set:
            yield replica_set

    @pytest.mark.timeout(900)
    def test_nothing_is_lost(self, replica_set: ReplicaSet, database_name: str) -> None:
        """No value, session or logout is lost, and StoreUnavailable is the only exception."""
        options = {"url": replica_set.url, "name": database_name}
        stop = threading.Event()
        visitors = [Visitor(options, number, stop) for number in range(_VISITORS)]
        for visitor in visitors:
            visitor.thread.start()
        try:
            for _ in range(_FAILOVERS):
                before = [visitor.steps for visitor in visitors]
                wait_until(lambda: _steps_down(replica_set), 60.0)
                wait_until(partial(_have_continued, visitors, before), 60.0)
        finally:
            stop.set()
            for visitor in visitors:
                visitor.thread.join()
        assert [] == [error for visitor in visitors for error in visitor.errors]


def _have_continued(visitors: list[Visitor], before: list[int]) -> bool:
    return all(
        visitor.steps > steps or visitor.errors
        for visitor, steps in zip(visitors, before, strict=True)
    )
