"""A read-only, hashable mapping: what a configuration keeps its groups of options in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class FrozenDict(Mapping[str, Any]):
    """Keep a mapping that nobody can change.

    ``types.MappingProxyType`` can be neither hashed nor pickled.

    :param items: what the mapping holds; nested mappings and lists are frozen as well
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
        # Names only: among the values there may be a passphrase.
        return f"<FrozenDict of {', '.join(self._items) or 'nothing'}>"


def freeze(value: object) -> Any:
    """Make mappings and sequences in a value read-only and hashable.

    :param value: any value
    :returns: a :class:`FrozenDict` for a mapping, a tuple for a list or tuple, the value otherwise
    """
    if isinstance(value, FrozenDict):
        return value
    if isinstance(value, Mapping):
        return FrozenDict({str(key): item for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    return value


def thaw(value: object) -> Any:
    """Turn what :func:`freeze` made back into plain dicts and lists.

    :param value: a frozen value
    :returns: the same in ``dict`` and ``list``, for an API that asks for those
    """
    if isinstance(value, FrozenDict):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [thaw(item) for item in value]
    return value
