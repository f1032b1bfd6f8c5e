"""Take values apart for encoding: what a value of a known type consists of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, repr=False)
class Items:
    """The parts of a value that holds other values by position.

    :param head: plain values that describe the value itself.
    :param items: the values that it holds.
    """

    head: list[Any]
    items: list[Any]


@dataclass(frozen=True, slots=True, repr=False)
class Pairs:
    """The parts of a value that holds other values by key.

    :param head: plain values that describe the value itself.
    :param pairs: its keys and values, in order.
    """

    head: list[Any]
    pairs: list[tuple[Any, Any]]


Parts = Any
""":class:`Items`, :class:`Pairs`, or a plain value that a session may hold."""


@dataclass(frozen=True, slots=True, repr=False)
class KnownType:
    """How values of one type are stored.

    :param tag: the tag of the stored value.
    :param split: returns the parts of a value. Raises ``UnstorableValueError`` for a value that
        cannot be stored.
    """

    tag: str
    split: Callable[[Any], Parts]


Build = Callable[[Any], object]
"""Returns the value that was split into some parts, after the parts were stored and decoded.

It raises any exception for parts that :attr:`KnownType.split` does not return."""
