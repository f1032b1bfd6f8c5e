"""Options that nobody can change."""

from beaker_mongo_soajs.options.frozen import ByIdentity, FrozenDict, freeze


def test_repr_shows_names_only() -> None:
    """The repr shows the names of options, and no values, which may be secrets."""
    assert "<FrozenDict of a, b>" == repr(FrozenDict({"a": "secret", "b": 1}))
    assert "<FrozenDict of nothing>" == repr(FrozenDict({}))
    assert "<object>" == repr(ByIdentity(object()))


def test_equality() -> None:
    """Options are equal by value; objects that cannot be hashed, only if they are the same."""
    one: list[object] = [object()]
    assert ByIdentity(one) == ByIdentity(one)
    assert ByIdentity(one) != ByIdentity(list(one))
    assert ByIdentity(one) != one
    assert one != ByIdentity(one)
    assert freeze({"a": [1, {"b": 2}]}) == freeze({"a": [1, {"b": 2}]})
    assert freeze({"a": 1}) != freeze({"a": 2})
