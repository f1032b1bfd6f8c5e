"""Beaker's caches: a value that is there, and one that is not."""

import itertools
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from beaker.cache import Cache

from benchmarks.cells import Spec
from benchmarks.contenders import BEAKER, MEMORY, REDIS, TYPE
from benchmarks.place import Place
from benchmarks.visits import cart
from tests.behaviour.scenarios import beaker_options

HIT, MISS = "hit", "miss"

_OPTIONS: dict[str, Callable[[Place], dict[str, Any]]] = {
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
"""Who has caches."""

_TITLES = {TYPE: "**this package**"}

_numbers = itertools.count(1)


class CacheCell:
    """A cache that is asked for values, as :class:`~benchmarks.cells.ServingCell`.

    :param spec: what is measured: the workload is a hit or a miss, which creates the value.
    :param place: where the cache is to be.
    """

    def __init__(self, spec: Spec, place: Place) -> None:
        self.spec = spec
        self.title = _TITLES.get(spec.contender, f"Beaker `{spec.contender}`")
        self._place = replace(place, database=f"bench_{uuid.uuid4().hex[:16]}")
        self._value = cart(spec.size)
        self._cache = Cache(self._place.database, **_OPTIONS[spec.contender](self._place))
        self._cache.put("there", self._value)
        self.serve(self.prepare())

    def prepare(self) -> str:
        """Return the key to ask for."""
        return "there" if self.spec.workload == HIT else f"absent {next(_numbers)}"

    def serve(self, key: str) -> object:
        """Ask for a key.

        :param key: the key.
        """
        return self._cache.get(key, createfunc=self._create)

    def close(self) -> None:
        """Drop the cache."""
        self._place.direct.drop_database(self._place.database)

    def _create(self) -> Any:
        return self._value
