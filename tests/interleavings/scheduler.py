"""Play operations in threads, and choose before each command which of them sends its next one."""

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from beaker_mongo_soajs import StoreUnavailable
from beaker_mongo_soajs.mongo.collection import StoreCollection

_COMMANDS = (
    *("find_one_raw", "insert", "update", "update_without", "find_and_modify", "update_all"),
    *("replace", "delete", "delete_first"),
)
_SETTLE_SECONDS = 30.0
_BLOCKED_SECONDS = 0.2


Played = list[tuple[int, list[int]]]


class Crash(BaseException):
    """The end of a process: nothing after a certain command is carried out."""


@dataclass(frozen=True)
class Fault:
    """What happens to one operation right after one of its commands was carried out.

    :param operation: the position of the operation.
    :param command: the number of the command, from 1 on.
    :param is_crash: the process ends; otherwise the answer is lost.
    """

    operation: int
    command: int
    is_crash: bool


class Orders:
    """All orders of some operations' commands, those with fewer switches first.

    A switch is a turn at which an operation has to wait though it has not ended.

    :param play: plays an order, and completes it.
    :param most_switches: orders with more switches are left out.
    """

    def __init__(self, play: Callable[[list[int]], Played], most_switches: int) -> None:
        self._play = play
        self._most_switches = most_switches
        self.are_complete = False
        """Whether all orders were played, and none was left out."""

    def __iter__(self) -> Iterator[int]:
        """Play the orders, and yield the number of switches of each."""
        number = itertools.count()
        queue: list[tuple[int, int, list[int]]] = [(0, next(number), [])]
        left_out = False
        while queue:
            switches, _, order = heapq.heappop(queue)
            played = self._play(order)
            yield switches
            for turn in range(len(order), len(played)):
                chosen, waiting = played[turn]
                before = [operation for operation, _ in played[:turn]]
                is_switch = bool(before) and before[-1] in waiting
                others = [other for other in waiting if other != chosen]
                if switches + is_switch > self._most_switches:
                    left_out |= bool(others)
                    continue
                for other in others:
                    entry = (switches + is_switch, next(number), [*before, other])
                    heapq.heappush(queue, entry)
        self.are_complete = not left_out


class Scheduler:
    """Let exactly one operation at a time send its next command.

    :param patch: replaces the methods of collections that send commands.
    :param collection: the name of the collection whose commands count.
    """

    def __init__(self, patch: pytest.MonkeyPatch, collection: str) -> None:
        self._turn = threading.Condition()
        self._thread = threading.local()
        self._states: list[str] = []
        self._sent: list[int] = []
        self._fault: Fault | None = None
        self.fault_happened = False
        for name in _COMMANDS:
            patch.setattr(StoreCollection, name, self._wrapped(name, collection))
        patch.setattr(StoreCollection, "find_raw", self._wrapped_find(collection))

    def play(
        self,
        operations: Sequence[Callable[[], None]],
        order: list[int],
        fault: Fault | None,
        check: Callable[[], None],
    ) -> Played:
        """Play operations in one order.

        :param operations: the operations.
        :param order: the operation that gets each turn. After these turns, an operation continues
            until it ends.
        :param fault: a fault, if there is to be one.
        :param check: called between all commands.
        :returns: each turn: the operation that got it, and those that waited.
        """
        self._states = ["running"] * len(operations)
        self._sent = [0] * len(operations)
        self._fault, self.fault_happened = fault, False
        threads = [
            threading.Thread(target=self._run, args=(index, operation), daemon=True)
            for index, operation in enumerate(operations)
        ]
        for thread in threads:
            thread.start()
        played: Played = []
        while waiting := self._waiting():
            check()
            wanted = order[len(played)] if len(played) < len(order) else -1
            if wanted not in waiting:
                wanted = played[-1][0] if played and played[-1][0] in waiting else waiting[0]
            played.append((wanted, waiting))
            with self._turn:
                self._states[wanted] = "running"
                self._turn.notify_all()
        for thread in threads:
            thread.join(_SETTLE_SECONDS)
            assert not thread.is_alive()
        check()
        return played

    def _run(self, index: int, operation: Callable[[], None]) -> None:
        self._thread.index = index
        try:
            operation()
        finally:
            with self._turn:
                self._states[index] = "done"
                self._turn.notify_all()

    def _waiting(self) -> list[int]:
        """Return which operations wait, once no other one runs, or what runs waits for a lock."""
        with self._turn:
            if not self._turn.wait_for(lambda: "running" not in self._states, _BLOCKED_SECONDS):
                some = ("waiting" in self._states) or "running" not in self._states
                assert some or self._turn.wait_for(
                    lambda: "waiting" in self._states or "running" not in self._states,
                    _SETTLE_SECONDS,
                )
            return [index for index, state in enumerate(self._states) if state == "waiting"]

    def _begin(self) -> None:
        index = getattr(self._thread, "index", None)
        if index is None:
            return
        with self._turn:
            self._states[index] = "waiting"
            self._turn.notify_all()
            assert self._turn.wait_for(lambda: self._states[index] != "waiting", _SETTLE_SECONDS)

    def _end(self) -> None:
        index = getattr(self._thread, "index", None)
        if index is None:
            return
        self._sent[index] += 1
        fault = self._fault
        if fault and (fault.operation, fault.command) == (index, self._sent[index]):
            self.fault_happened = True
            raise Crash if fault.is_crash else StoreUnavailable("The answer was lost.")

    def _wrapped(self, name: str, collection: str) -> Any:
        method = getattr(StoreCollection, name)

        def send(store: StoreCollection, *args: Any, **kwargs: Any) -> Any:
            if store.name != collection:
                return method(store, *args, **kwargs)
            self._begin()
            answer = method(store, *args, **kwargs)
            self._end()
            return answer

        return send

    def _wrapped_find(self, collection: str) -> Any:
        method = StoreCollection.find_raw

        def send(store: StoreCollection, *args: Any, **kwargs: Any) -> Iterator[bytes]:
            if store.name != collection:
                return method(store, *args, **kwargs)
            self._begin()
            answer = list(method(store, *args, **kwargs))
            self._end()
            return iter(answer)

        return send
