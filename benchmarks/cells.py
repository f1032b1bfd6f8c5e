"""Cells: combinations of a contender, a workload and conditions, ready to serve requests."""

import itertools
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from benchmarks.contenders import CONTENDERS
from benchmarks.environment import Environment
from benchmarks.population import SAMPLE
from benchmarks.samples import Turn
from benchmarks.visits import cart
from benchmarks.workloads import WORKLOADS, Workload


@dataclass(frozen=True)
class Spec:
    """The description of a cell.

    :param contender: the name of the contender.
    :param workload: the name of the workload.
    :param size: the size of a session in bytes.
    :param sessions: the number of stored sessions.
    :param threads: the number of concurrent requests.
    :param round_trip_ms: the additional time of a round trip, compared with loopback.
    """

    contender: str
    workload: str
    size: int = 2_000
    sessions: int = 1_000
    threads: int = 1
    round_trip_ms: float = 0.0

    def of(self, contender: str) -> "Spec":
        """Return the same spec for another contender."""
        return replace(self, contender=contender)


class ServingCell(Protocol):
    """Serve one kind of request."""

    spec: Spec
    title: str

    def prepare(self) -> Any:
        """Return the input of the next request."""

    def serve(self, visit: Any) -> object:
        """Serve a request.

        :param visit: the result of :meth:`prepare`.
        """

    def close(self) -> None:
        """Drop the stored data."""


@runtime_checkable
class SelfTimedCell(Protocol):
    """A cell in another process, which measures the times itself."""

    spec: Spec
    title: str

    def take_turn(self, requests: int) -> Turn:
        """Serve a number of requests."""

    def close(self) -> None:
        """Drop the stored data."""


Cell = ServingCell | SelfTimedCell


class SessionCell:
    """A site with sessions, and requests of one kind: a :class:`ServingCell`.

    :param spec: what is measured.
    :param place: the servers; each cell has a database of its own.
    :param most_sessions: an upper limit for the number of sessions.
    """

    def __init__(self, spec: Spec, place: Environment, most_sessions: int | None = None) -> None:
        self.spec = spec
        # A million documents are made once, and shared by all contenders with the same format.
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
        # The first request makes indexes and connections.
        self.serve(self.prepare())

    def prepare(self) -> Any:
        """Return the input of the next request."""
        return self._workload.prepare(self.site, self._cookies)

    def serve(self, visit: Any) -> object:
        """Serve a request.

        :param visit: the result of :meth:`prepare`.
        """
        return self._workload.serve(self.site, visit)

    def close(self) -> None:
        """Drop the stored data."""
        self.place.direct.drop_database(self.place.database)
        self.place.close()
