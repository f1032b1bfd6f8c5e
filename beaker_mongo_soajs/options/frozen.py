"""Read-only, hashable mappings, for the groups of options in a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class FrozenDict(Mapping[str, Any]):
    """Hold a mapping that cannot be changed.

    Unlike ``types.MappingProxyType``, it can be hashed and pickled.

    :param items: the content; nested mappings and lists are frozen as well
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, object] | None = None) -> None:
        self._items: dict[str, Any] = {key: freeze(value) for key, value in (items or {}).items()}

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        # Names only: a value may be a passphrase.
        return f"<FrozenDict of {', '.join(self._items) or 'nothing'}>"


class ByIdentity:
    """Hold an object that cannot be hashed, and compare it by identity.

    :param value: the object
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)

    def __repr__(self) -> str:
        return f"<{type(self.value).__name__}>"


def freeze(value: Any) -> Any:
    """Make a value read-only and hashable.

    :param value: any value
    :returns: a :class:`FrozenDict` for a mapping, a tuple for a list or tuple, a
        :class:`ByIdentity` for any other unhashable object, and any other value unchanged
    """
    if isinstance(value, FrozenDict):
        return value
    if isinstance(value, Mapping):
        return FrozenDict({str(key): item for key, item in value.items()})
    if type(value) in (list, tuple):  # not a named tuple such as pymongo's DriverInfo
        return tuple(freeze(item) for item in value)
    try:
        hash(value)
    except TypeError:
        return ByIdentity(value)
    return value


def thaw(value: Any) -> Any:
    """Turn a frozen value back into plain dicts and lists.

    :param value: a value that :func:`freeze` returned
    :returns: the same value, made of ``dict`` and ``list``
    """
    if isinstance(value, FrozenDict):
        return {key: thaw(item) for key, item in value.items()}
    if type(value) is tuple:
        return [thaw(item) for item in value]
    return value.value if isinstance(value, ByIdentity) else value
