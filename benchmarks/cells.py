"""One combination of contender, workload and circumstances, ready to be served."""

import itertools
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from benchmarks.contenders import CONTENDERS
from benchmarks.place import Place
from benchmarks.population import SAMPLE
from benchmarks.samples import Turn
from benchmarks.visits import cart
from benchmarks.workloads import WORKLOADS, Workload


@dataclass(frozen=True)
class Spec:
    """What is measured.

    :param contender: the name of the contender.
    :param workload: the name of the workload.
    :param size: the bytes of a session.
    :param sessions: how many sessions there are.
    :param threads: how many requests are served at once.
    :param round_trip_ms: how much longer than on loopback an answer takes.
    """

    contender: str
    workload: str
    size: int = 2_000
    sessions: int = 1_000
    threads: int = 1
    round_trip_ms: float = 0.0

    def of(self, contender: str) -> "Spec":
        """Return the same of another contender."""
        return replace(self, contender=contender)


class ServingCell(Protocol):
    """Serves one kind of requests under one set of circumstances."""

    spec: Spec
    title: str

    def prepare(self) -> Any:
        """Return what the next request needs."""

    def serve(self, visit: Any) -> object:
        """Serve a request.

        :param visit: what :meth:`prepare` returned.
        """

    def close(self) -> None:
        """Drop what was stored."""


@runtime_checkable
class SelfTimedCell(Protocol):
    """The same in another process, which measures by itself how long requests take."""

    spec: Spec
    title: str

    def take_turn(self, requests: int) -> Turn:
        """Serve a number of requests."""

    def close(self) -> None:
        """Drop what was stored."""


Cell = ServingCell | SelfTimedCell


class SessionCell:
    """A site with its sessions, and visitors who do one thing: a :class:`ServingCell`.

    :param spec: what is measured.
    :param place: where the sessions are to be; each cell has a database of its own there.
    :param most_sessions: no more than these are made, whatever the number should be.
    """

    def __init__(self, spec: Spec, place: Place, most_sessions: int | None = None) -> None:
        self.spec = spec
        # A million are made only once for all whose documents are the same.
        own = spec.sessions if spec.sessions > SAMPLE else uuid.uuid4().hex[:16]
        self.place = replace(place, database=f"bench_{own}")
        contender = CONTENDERS[spec.contender]
        self.title = contender.title
        self._workload: Workload = WORKLOADS[spec.workload]
        self.site = contender.make(self.place, cart(spec.size))
        sessions = min(spec.sessions, most_sessions or spec.sessions)
        cookies = contender.populate(self.site, self.place, sessions)
        random.shuffle(cookies)
        self._cookies: Iterator[str] = itertools.cycle(cookies)
        # Indexes, connections and whatever else is made once.
        self.serve(self.prepare())

    def prepare(self) -> Any:
        """Return what the next request needs."""
        return self._workload.prepare(self.site, self._cookies)

    def serve(self, visit: Any) -> object:
        """Serve a request.

        :param visit: what :meth:`prepare` returned.
        """
        return self._workload.serve(self.site, visit)

    def close(self) -> None:
        """Drop what was stored."""
        self.place.direct.drop_database(self.place.database)
        self.place.close()
