"""Collections of the standard library, beyond the list and the dict that BSON and JSON have."""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

from beaker_mongo_soajs.sessions.parts import Build, Items, KnownType, Pairs
from beaker_mongo_soajs.sessions.tags import DICT, UnstorableValueError

MOST_COLLISIONS = 1000
"""How many values of a session may share a hash with another value of their set or dict."""

_FACTORIES: dict[str, type | None] = {
    "None": None,
    **{
        kind.__name__: kind
        for kind in (bool, bytes, dict, float, int, list, set, str, tuple, Counter, OrderedDict)
    },
}
_FACTORY_NAMES = {factory: name for name, factory in _FACTORIES.items()}


class CollisionLimit:
    """Refuse keys that make sets and dicts slow: many with one hash, as of chosen integers.

    One limit is shared by all sets and dicts of a session. Comparing two sets that hold colliding
    sets multiplies the comparisons at each level.
    """

    def __init__(self) -> None:
        self._left = MOST_COLLISIONS

    def check(self, keys: Iterable[object]) -> None:
        """Count the collisions of one set or dict.

        :param keys: its keys, before the set or dict is made.
        :raises ValueError: if there are more than a thousand collisions by now.
        :raises TypeError: if a key is not hashable.
        """
        hashes = [hash(key) for key in keys]
        self._left -= len(hashes) - len(set(hashes))
        if self._left < 0:
            raise ValueError("too many values have the same hash")


def build_pairs(value: Any) -> list[tuple[Any, Any]]:
    """Return a decoded list of keys and values.

    :param value: a decoded value.
    :raises ValueError: if it is something else.
    """
    return [(key, item) for key, item in build_items(value)]


def build_items(value: Any) -> list[Any]:
    """Return a decoded list.

    :param value: a decoded value.
    :raises ValueError: if it is something else.
    """
    if type(value) is not list:
        raise ValueError("not a list")
    return value


def _split_set(value: set[Any] | frozenset[Any]) -> Items:
    try:
        CollisionLimit().check(value)
    except ValueError as error:
        raise UnstorableValueError(f"is a set in which {error}") from None
    return Items([], list(value))


def _split_pairs(value: Any) -> Pairs:
    return Pairs([], list(value.items()))


def _split_defaultdict(value: defaultdict[Any, Any]) -> Pairs:
    name = _FACTORY_NAMES.get(value.default_factory)  # type: ignore[arg-type]
    if name is None:
        raise UnstorableValueError(
            "is a defaultdict whose default_factory is not a type of the standard library"
        )
    return Pairs([name], list(value.items()))


def _build_defaultdict(value: Any) -> defaultdict[Any, Any]:
    name, pairs = value
    return defaultdict(_FACTORIES[name], build_pairs(pairs))


def _build_counter(value: Any) -> Counter[Any]:
    # Counter(pairs) would count the pairs.
    return Counter(dict(build_pairs(value)))


def _split_deque(value: deque[Any]) -> Items:
    return Items([value.maxlen], list(value))


def _build_deque(value: Any) -> deque[Any]:
    maxlen, items = value
    if maxlen is not None and len(build_items(items)) > maxlen:
        raise ValueError("more items than it may hold")
    return deque(build_items(items), maxlen)


def _build_range(value: Any) -> range:
    start, stop, step = value
    return range(start, stop, step)


def _keys_of_pairs(value: Any) -> list[Any]:
    return [key for key, _ in build_pairs(value)]


TYPES: dict[type, KnownType] = {
    tuple: KnownType("tuple", lambda value: Items([], list(value))),
    set: KnownType("set", _split_set),
    frozenset: KnownType("frozenset", _split_set),
    OrderedDict: KnownType("ordered_dict", _split_pairs),
    defaultdict: KnownType("defaultdict", _split_defaultdict),
    Counter: KnownType("counter", _split_pairs),
    deque: KnownType("deque", _split_deque),
    range: KnownType("range", lambda value: [value.start, value.stop, value.step]),
    bytearray: KnownType("bytearray", bytes),
}
"""How collections are stored, by their type. A dict with other keys than text has its own tag."""

BUILDERS: dict[str, Build] = {
    "tuple": lambda value: tuple(build_items(value)),
    "set": lambda value: set(build_items(value)),
    "frozenset": lambda value: frozenset(build_items(value)),
    DICT: lambda value: dict(build_pairs(value)),
    "ordered_dict": lambda value: OrderedDict(build_pairs(value)),
    "defaultdict": _build_defaultdict,
    "counter": _build_counter,
    "deque": _build_deque,
    "range": _build_range,
    "bytearray": lambda value: bytearray(memoryview(value)),
}
"""Decoders of collections, by tag."""

KEYS: dict[str, Callable[[Any], Iterable[object]]] = {
    "set": build_items,
    "frozenset": build_items,
    DICT: _keys_of_pairs,
    "ordered_dict": _keys_of_pairs,
    "counter": _keys_of_pairs,
    "defaultdict": lambda value: _keys_of_pairs(value[1]),
}
"""The keys that will be hashed, by tag; each takes the same value as the decoder."""
