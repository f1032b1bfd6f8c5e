"""A cache of what options were read as."""

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

_Made = TypeVar("_Made")

_MOST_ENTRIES = 256


class IdentityCache(Generic[_Made]):
    """Find what was made of some options by the identity of their values.

    Each request passes the same objects, so they are only read once. The options are kept, so that
    no other object can get the identity of a value. A value that is changed in place is not read
    again.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[Any, ...], tuple[_Made, dict[str, Any]]] = {}

    def get(
        self, options: dict[str, Any], make: Callable[[dict[str, Any]], _Made], *more: Hashable
    ) -> _Made:
        """Return what was made of options, or make it.

        :param options: the options.
        :param make: makes it from a copy of the options.
        :param more: what else distinguishes one from another.
        """
        key = (*more, *options, *map(id, options.values()))
        entry = self._entries.get(key)
        if entry is None:
            entry = make(dict(options)), options
            if len(self._entries) >= _MOST_ENTRIES:
                self._entries.clear()
            self._entries[key] = entry
        return entry[0]
