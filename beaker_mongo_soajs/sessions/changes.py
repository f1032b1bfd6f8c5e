"""What a request changed in its session.

A save writes only that. Two requests that change different keys then both keep what they wrote, and
one that changed nothing cannot put an old snapshot over a newer save.
"""

import operator
import pickle
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

ACCESSED_TIME = "_accessed_time"
"""Beaker's key for the time of the last request; it moves with every touch and is no change."""


@dataclass(frozen=True, slots=True, repr=False)
class Changes:
    """The top-level keys of a session that a request changed.

    :param assigned: the new values of added and changed keys.
    :param removed: the keys that are gone.
    """

    assigned: dict[Any, Any] = field(default_factory=dict)
    removed: frozenset[Any] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.assigned or self.removed)


def changes_between(before: dict[Any, Any], after: dict[Any, Any]) -> Changes:
    """Return what turns one session into another, Beaker's time of access left aside.

    :param before: the session as it was loaded.
    :param after: the session as it is to be saved.
    """
    earlier, later = _identities(before), _identities(after)
    assigned = {
        key: value
        for key, value in after.items()
        if key != ACCESSED_TIME and not (_identity(key) in earlier and is_same(before[key], value))
    }
    removed = frozenset(
        key for key in before if key != ACCESSED_TIME and _identity(key) not in later
    )
    return Changes(assigned, removed)


def merged(session: dict[Any, Any], changes: Changes) -> dict[Any, Any]:
    """Return a session with changes applied to it.

    :param session: the session that another request saved meanwhile.
    :param changes: what this request changed.
    """
    kept = {key: value for key, value in session.items() if key not in changes.removed}
    return kept | changes.assigned


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal and of the same types: 1, 1.0 and True are not.

    :param one: a value that a session holds.
    :param other: another.
    """
    kind = type(one)
    if kind is not type(other):
        return False
    compare = _SCALARS.get(kind)
    if compare is not None:
        return bool(compare(one, other))
    compare = _CONTAINERS.get(kind)
    if compare is not None:
        return _have_equal_pickles(one, other) or bool(compare(one, other))
    if kind.__module__.startswith("bson."):
        return bool(one == other)
    # Exact where == is not (Decimal 1.0 and 1.00, equal moments in two time zones), and objects
    # that only a pickle can hold do not always know how to be compared.
    return _pickled(one) == _pickled(other)


def _pickled(value: object) -> bytes:
    # A protocol that tells the two hours apart that a clock shows twice when summer time ends.
    return pickle.dumps(value, 4)


def _have_equal_pickles(one: object, other: object) -> bool:
    """Tell whether two values are the same for sure; the same in another order may differ here.

    Most keys of a session were not changed since it was loaded. To pickle both takes a tenth of the
    time of a walk through them.
    """
    try:
        return _pickled(one) == _pickled(other)
    except Exception:  # noqa: BLE001 - it is the code of whatever stands in there
        return False


def _are_same_dicts(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    return _identities(one) == _identities(other) and all(
        is_same(one[key], other[key]) for key in one
    )


def _are_same_sequences(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(map(is_same, one, other))


def _are_same_sets(one: AbstractSet[Any], other: AbstractSet[Any]) -> bool:
    return one == other and _fingerprints(one) == _fingerprints(other)


def _are_same_floats(one: float, other: float) -> bool:
    return repr(one) == repr(other)  # tells 0.0 from -0.0, and takes one NaN for another


def _identity(key: Any) -> Any:
    """Return what stands for a key of this very type: 1, 1.0 and True are one key to Python."""
    return key if type(key) is str else (_fingerprint(key),)


def _identities(keys: Iterable[Any]) -> set[Any]:
    return set(map(_identity, keys))


def _fingerprints(values: Iterable[Any]) -> list[str]:
    return sorted(map(_fingerprint, values))


def _fingerprint(value: Any) -> str:
    """Return a text that two hashable values share only if they are the same."""
    kind = type(value)
    if kind is tuple:
        return f"({','.join(map(_fingerprint, value))})"
    if kind is frozenset:
        return f"{{{','.join(_fingerprints(value))}}}"
    # Hexadecimal: Python refuses to write very large numbers in decimal.
    return f"{kind.__name__} {hex(value) if kind is int else repr(value)}"


_SCALARS: dict[type, Callable[[Any, Any], bool]] = {
    **dict.fromkeys((str, bytes, int, bool, type(None)), operator.eq),
    float: _are_same_floats,
}
_CONTAINERS: dict[type, Callable[[Any, Any], bool]] = {
    dict: _are_same_dicts,
    list: _are_same_sequences,
    tuple: _are_same_sequences,
    set: _are_same_sets,
    frozenset: _are_same_sets,
}
