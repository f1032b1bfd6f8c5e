"""Find the top-level keys of a session that a request changed.

A save writes only these keys. If two requests change different keys, both changes are kept, and a
request that changed nothing cannot overwrite a newer save with its old snapshot.
"""

import io
import operator
import pickle
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from beaker_mongo_soajs.sessions import known_types
from beaker_mongo_soajs.sessions.parts import Items, Pairs
from beaker_mongo_soajs.sessions.tags import UnstorableValueError

ACCESSED_TIME = "_accessed_time"
"""Beaker's key for the time of the last request. It moves with every touch, and does not count as
a change."""


@dataclass(frozen=True, slots=True, repr=False)
class Changes:
    """Hold the top-level keys of a session that a request changed.

    :param assigned: added and changed keys, with their new values.
    :param removed: removed keys.
    :param unverified: keys whose values may be the same as before.
    """

    assigned: dict[Any, Any] = field(default_factory=dict)
    removed: frozenset[Any] = frozenset()
    unverified: frozenset[Any] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.assigned or self.removed or self.unverified)


_TEXT = frozenset({str})


def changes_between(before: dict[Any, Any], after: dict[Any, Any]) -> Changes:
    """Return the changes from one session to another, except to Beaker's access time.

    :param before: the session as it was loaded.
    :param after: the session to save.
    """
    if _has_text_keys(before):
        changed = {
            key: value
            for key, value in after.items()
            if key != ACCESSED_TIME and not (key in before and is_same(before[key], value))
        }
        removed = before.keys() - after.keys()
    else:
        earlier, later = _identities(before), _identities(after)
        changed = {
            key: value
            for key, value in after.items()
            if key != ACCESSED_TIME
            and not (_identity(key) in earlier and is_same(before[key], value))
        }
        removed = {key for key in before if _identity(key) not in later}
    return Changes(changed, frozenset(removed - {ACCESSED_TIME}))


class Snapshot:
    """What a session held when it was loaded, to find what the request changed in it.

    Values that can change in place are kept as pickles. An unchanged object always has the same
    pickle; a changed pickle may still be that of an equal value.

    :param session: the session, which the request may change afterwards.
    """

    __slots__ = ("_pickles", "_values")

    def __init__(self, session: dict[Any, Any]) -> None:
        self._values = dict(session)
        self._pickles = pickles = dict[Any, bytes | None]()
        for key, value in session.items():
            if type(value) not in _SCALARS:
                pickles[key] = _pickled(value)

    def changes(self, session: dict[Any, Any]) -> Changes:
        """Return what may have changed since then, except Beaker's access time.

        :param session: the session to save.
        :returns: the changes; those of ``unverified`` keys may be none.
        """
        values, pickles = self._values, self._pickles
        changed: dict[Any, Any] = {}
        for key, value in session.items():
            if key == ACCESSED_TIME:
                continue
            if key in pickles:
                pickled = pickles[key]
                if pickled is not None and pickled == _pickled(value):
                    continue
            elif key in values:
                before = values[key]
                if before is value or is_same(before, value):
                    continue
            changed[key] = value
        removed = frozenset(values.keys() - session.keys() - {ACCESSED_TIME})
        # Text equals nothing but text; a number may be equal to one of another type.
        has_text_keys = _TEXT.issuperset(map(type, (*session, *values)))
        unverified = changed.keys() & pickles.keys() if has_text_keys else session.keys()
        return Changes(changed, removed, frozenset(unverified))


def merged(session: dict[Any, Any], changes: Changes) -> dict[Any, Any]:
    """Return a copy of a session with changes applied.

    :param session: the session, as another request may have saved it.
    :param changes: the changes of this request.
    """
    kept = {key: value for key, value in session.items() if key not in changes.removed}
    return kept | changes.assigned


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and of the same types; 1, 1.0 and True are not.

    :param one: a value of a session.
    :param other: another one.
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
    # == is not exact: Decimal 1.0 equals 1.00, and a time equals that of another time zone. Many
    # classes do not define it at all.
    known = known_types.find(kind)
    if known is not None:
        with suppress(UnstorableValueError):
            return is_same(known.split(one), known.split(other))
    return _have_equal_pickles(one, other)


def _pickled(value: object) -> bytes | None:
    data = io.BytesIO()
    # Protocol 4 includes fold, which distinguishes the repeated hour at the end of summer time.
    pickler = pickle.Pickler(data, 4)
    # An object that occurs twice is pickled twice: that takes half of the time, and the pickle does
    # not depend on which equal objects are the same one.
    pickler.fast = True
    try:
        pickler.dump(value)
    except Exception:  # noqa: BLE001 - runs code of the application's classes
        return None
    return data.getvalue()


def _have_equal_pickles(one: object, other: object) -> bool:
    """Return whether two values are certainly the same; equal sets may still have other pickles.

    Most keys of a session did not change since it was loaded. Pickling both values takes a tenth of
    the time of walking through them.
    """
    pickled = _pickled(one)
    return pickled is not None and pickled == _pickled(other)


def _are_same_dicts(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    return _identities(one) == _identities(other) and all(
        is_same(one[key], other[key]) for key in one
    )


def _are_same_sequences(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(map(is_same, one, other))


def _are_same_sets(one: AbstractSet[Any], other: AbstractSet[Any]) -> bool:
    return one == other and _fingerprints(one) == _fingerprints(other)


def _are_same_floats(one: float, other: float) -> bool:
    # Their texts distinguish 0.0 and -0.0; NaN equals NaN.
    return (one == other and one != 0) or repr(one) == repr(other)


def _has_text_keys(session: dict[Any, Any]) -> bool:
    # Text equals nothing but text; a number may be equal to one of another type.
    return _TEXT.issuperset(map(type, session))


def _identity(key: Any) -> Any:
    """Return a key that also compares by type: to a dict, 1, 1.0 and True are one key."""
    return key if type(key) is str else (_fingerprint(key),)


def _identities(keys: Iterable[Any]) -> set[Any]:
    return set(map(_identity, keys))


def _fingerprints(values: Iterable[Any]) -> list[str]:
    return sorted(map(_fingerprint, values))


def _fingerprint(value: Any) -> str:
    """Return a text that is equal for two hashable values only if :func:`is_same` holds."""
    kind = type(value)
    if issubclass(kind, tuple):
        return f"{kind.__name__}({','.join(map(_fingerprint, value))})"
    if kind is frozenset:
        return f"{{{','.join(_fingerprints(value))}}}"
    # Hexadecimal, because Python refuses to write very large integers in decimal.
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
    Items: lambda one, other: is_same([one.head, one.items], [other.head, other.items]),
    Pairs: lambda one, other: is_same([one.head, one.pairs], [other.head, other.pairs]),
}
