"""Finding the keys that a request changed."""

import datetime
import math
import threading
import zoneinfo
from collections import OrderedDict, deque
from decimal import Decimal
from typing import Any

import pytest
from bson import ObjectId

from beaker_mongo_soajs.sessions.changes import Changes, Snapshot, changes_between, is_same, merged

_HOUR = datetime.datetime(2026, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Paris"))


class TestIsSame:
    """Equality by value and type."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1, True),
            (1, 1.0),
            (0.0, -0.0),
            ("1", b"1"),
            ((1,), [1]),
            ({1}, frozenset({1})),
            ({1, 2.0}, {1.0, 2}),
            ({(1,)}, {(True,)}),
            ({Decimal("1.0")}, {Decimal("1.00")}),
            ({1: "a"}, {True: "a"}),
            ({(1, "x"): 0}, {(True, "x"): 0}),
            ({"a": [{"b": 1}]}, {"a": [{"b": 1.0}]}),
            (Decimal("1.0"), Decimal("1.00")),
            ([1, 2], [1, 2, 3]),
            (_HOUR, _HOUR.replace(fold=1)),
            ([_HOUR], [_HOUR.replace(fold=1)]),
            ({"a": [threading.Lock()]}, {"a": [threading.Lock()]}),
            (ObjectId(), ObjectId()),
            (OrderedDict(a=1, b=[2]), OrderedDict(b=[2], a=1)),
        ],
    )
    def test_tells_types_apart(self, one: object, other: object) -> None:
        """Values differ if their types differ, also those that Python considers equal."""
        assert not is_same(one, other)
        assert not is_same(other, one)

    @pytest.mark.parametrize(
        "make",
        [
            lambda _: math.nan,
            lambda _: {1, (2, frozenset({3}))},
            lambda _: {"a": {1: [None]}},
            lambda _: 10**5000,
            lambda _: ObjectId("0123456789abcdef01234567"),
            lambda _: OrderedDict(a=1, b=[2]),
            # The order of these elements is that in which they are added, and so are the pickles.
            set,
            lambda items: [frozenset(items)],
            lambda items: deque([set(items)]),
        ],
        ids=range(9),
    )
    def test_equal_values(self, make: Any) -> None:
        """Equal values of the same types are the same, also if they have other pickles."""
        one, other = make([8, 16]), make([16, 8])
        assert is_same(one, other)
        assert is_same([one], [other])
        assert not changes_between({"a": one}, {"a": other})


class TestChanges:
    """Changes by top-level key."""

    def test_time_of_access_is_no_change(self) -> None:
        """A new access time does not count as a change."""
        assert not changes_between({"_accessed_time": 1.0, "a": 1}, {"_accessed_time": 2.0, "a": 1})

    def test_added_changed_and_removed_keys(self) -> None:
        """Changes are the added, changed and removed keys."""
        changes = changes_between({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2.0, "d": 4})
        assert changes == Changes({"b": 2.0, "d": 4}, frozenset({"c"}))

    def test_key_of_another_type_is_another_key(self) -> None:
        """Replacing the key 1 by the key True removes one key and adds one."""
        assert changes_between({1: "a"}, {True: "a"}) == Changes({True: "a"}, frozenset({1}))

    def test_merging_keeps_what_others_changed(self) -> None:
        """Merging changes leaves the other keys of the saved session unchanged."""
        changes = changes_between({"a": 1, "b": 1, "c": 1}, {"a": 2, "c": 1})
        assert merged({"a": 1, "b": 1, "c": 5, "d": 6}, changes) == {"a": 2, "c": 5, "d": 6}


class TestSnapshot:
    """Changes since a session was loaded."""

    @pytest.mark.parametrize(
        ("change", "assigned", "removed"),
        [
            (lambda _: None, {}, set()),
            (lambda session: session.update(_accessed_time=2.0), {}, set()),
            (lambda session: session.update(n=2), {"n": 2}, set()),
            (lambda session: session.update(n=1.0), {"n": 1.0}, set()),
            (lambda session: session.update(text=str(b"ann", "ascii")), {}, set()),
            (lambda session: session["cart"].append(2), {"cart": [1, 2]}, set()),
            (lambda session: session.pop("n"), {}, {"n"}),
            (lambda session: session.update(new=[]), {"new": []}, set()),
        ],
        ids=["none", "time", "value", "type", "equal", "in place", "removal", "addition"],
    )
    def test_changes(self, change: Any, assigned: dict[str, Any], removed: set[str]) -> None:
        """Assigned, removed and nested changes are found; the access time does not count."""
        session = {"n": 1, "text": "ann", "cart": [1], "_accessed_time": 1.0}
        snapshot = Snapshot(session)
        change(session)
        changes = snapshot.changes(session)
        assert (assigned, removed) == (changes.assigned, set(changes.removed))
        assert bool(assigned or removed) is bool(changes)

    def test_unverified_changes(self) -> None:
        """A value with another pickle and a key that is no text have to be compared."""
        assert {"cart"} == Snapshot({"n": 1, "cart": [1]}).changes({"n": 2, "cart": [2]}).unverified
        assert {True} == Snapshot({1: "a"}).changes({True: "a"}).unverified

    def test_value_made_anew(self) -> None:
        """An equal value is no change, whether or not its parts are the same object."""
        item: list[int] = []
        snapshot = Snapshot({"cart": [[], []]})
        assert not snapshot.changes({"cart": [item, item]})

    def test_values_without_pickles(self) -> None:
        """A value that cannot be pickled has to be compared."""
        session = {"function": lambda: None}
        assert {"function"} == Snapshot(session).changes(session).unverified
