"""Beaker's caches: reading a value, and creating a missing one."""

import itertools
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from beaker.cache import Cache

from benchmarks.cells import Spec
from benchmarks.contenders import BEAKER, MEMORY, REDIS, TYPE
from benchmarks.environment import Environment
from benchmarks.visits import cart
from tests.behaviour.scenarios import beaker_options

HIT, MISS = "hit", "miss"

_OPTIONS: dict[str, Callable[[Environment], dict[str, Any]]] = {
    TYPE: lambda place: {
        "type": "ext:mongodb_soajs",
        "url": place.mongo_url,
        "name": place.database,
    },
    MEMORY: lambda _: {"type": "memory"},
    BEAKER: lambda place: dict(beaker_options(place.mongo_url, place.database)),
    REDIS: lambda place: {"type": "ext:redis", "url": place.redis_url},
}
CACHES = tuple(_OPTIONS)
"""The contenders that have caches."""

_TITLES = {TYPE: "**this package**"}

_numbers = itertools.count(1)


class CacheCell:
    """A cell that reads from a cache: a :class:`~benchmarks.cells.ServingCell`.

    :param spec: what is measured. The workload is a hit, or a miss that creates the value.
    :param place: the servers.
    """

    def __init__(self, spec: Spec, place: Environment) -> None:
        self.spec = spec
        self.title = _TITLES.get(spec.contender, f"Beaker `{spec.contender}`")
        self._place = replace(place, database=f"bench_{uuid.uuid4().hex[:16]}")
        self._value = cart(spec.size)
        self._cache = Cache(self._place.database, **_OPTIONS[spec.contender](self._place))
        self._cache.put("there", self._value)
        self.serve(self.prepare())

    def prepare(self) -> str:
        """Return the key for the next request."""
        return "there" if self.spec.workload == HIT else f"absent {next(_numbers)}"

    def serve(self, key: str) -> object:
        """Read a value, and create it if it is missing.

        :param key: the key.
        """
        return self._cache.get(key, createfunc=self._create)

    def close(self) -> None:
        """Drop the database of the cache."""
        self._place.direct.drop_database(self._place.database)

    def _create(self) -> Any:
        return self._value
