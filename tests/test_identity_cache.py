"""What was made of options is found by the identity of their values."""

import weakref

import pytest

from beaker_mongo_soajs.backend import identity_cache
from beaker_mongo_soajs.backend.identity_cache import IdentityCache


class _Value:
    """A value that is equal to itself alone."""


def _make(options: dict[str, object]) -> list[str]:
    return list(options)


def test_made_once() -> None:
    """The same values lead to the same object; other values, names and terms do not."""
    cache: IdentityCache[list[str]] = IdentityCache()
    value = _Value()
    made = cache.get({"a": value}, _make, "term")
    assert made is cache.get({"a": value}, _make, "term")
    others = [
        cache.get({"a": _Value()}, _make, "term"),
        cache.get({"b": value}, _make, "term"),
        cache.get({"a": value}, _make, "other"),
    ]
    assert all(other is not made for other in others)


def test_values_are_kept() -> None:
    """No other object can get the identity of a value, since the value is kept."""
    cache: IdentityCache[list[str]] = IdentityCache()
    value = _Value()
    kept = weakref.ref(value)
    cache.get({"a": value}, _make)
    del value
    assert kept() is not None


def test_most_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full cache is emptied, so that it does not grow."""
    monkeypatch.setattr(identity_cache, "_MOST_ENTRIES", 2)
    cache: IdentityCache[list[str]] = IdentityCache()
    values = [_Value() for _ in range(3)]
    first = [cache.get({"a": value}, _make) for value in values[:2]]
    assert first[0] is cache.get({"a": values[0]}, _make)
    last = cache.get({"a": values[2]}, _make)
    assert last is cache.get({"a": values[2]}, _make)
    assert first[0] is not cache.get({"a": values[0]}, _make)
