"""What one side of a fleet writes, the other one reads."""

import datetime
from typing import Any

from tests.node.conftest import Fleet
from tests.node.express import Express, Jar
from tests.node.python_side import Side, change, read

_VALUES: dict[str, Any] = {
    "nested": {"cart": [{"sku": "a", "count": 2, "price": 1.5}], "empty": {}},
    "unicode": "Grüße 😀 \u2028 \x00",
    "nothing": None,
    "array": [1, "two", None, [True, False]],
    "flag": True,
    "zero": 0,
    "whole": 1795633333,
    "negative": -7,
    "half": 0.5,
    "": "an empty key",
    "a.b": "a key with a dot",
}
_JS = """
Object.assign(session, {
  nested: { cart: [{ sku: "a", count: 2, price: 1.5 }], empty: {} },
  unicode: "Grüße 😀 \\u2028 \\0", nothing: null, array: [1, "two", null, [true, false]],
  flag: true, zero: 0, whole: 1795633333, negative: -7, half: 0.5,
  "": "an empty key", "a.b": "a key with a dot",
});
"""
_READ = "const { cookie, ...rest } = session; return rest;"


def without_times(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that Express sees, without Beaker's times."""
    return {key: value for key, value in values.items() if key[:1] != "_"}


def test_from_express(express: Express, python: Side, jar: Jar) -> None:
    """Python reads all that Express writes, with the same types."""
    express.run(jar, _JS)
    found = python.run(jar, read)
    assert _VALUES == found
    assert [type(value) for value in _VALUES.values()] == [type(found[key]) for key in _VALUES]


def test_from_python(express: Express, python: Side, jar: Jar) -> None:
    """Express reads all that Python writes."""
    python.run(jar, lambda session: (session.update(_VALUES), session.save()))
    assert _VALUES == without_times(express.run(jar, _READ))


def test_there_and_back(express: Express, python: Side, jar: Jar) -> None:
    """A save by the other side keeps all values, and a deletion is one for both."""
    python.run(jar, lambda session: (session.update(_VALUES), session.save()))
    express.run(jar, "session.more = 1; delete session.zero;")
    expected = {key: value for key, value in _VALUES.items() if key != "zero"} | {"more": 1}
    assert expected == python.run(jar, read)
    python.run(jar, lambda session: (session.pop("flag"), session.save()))
    del expected["flag"]
    assert expected == without_times(express.run(jar, _READ))


def test_nested_changes(express: Express, python: Side, jar: Jar) -> None:
    """A change inside of a value reaches the other side."""
    express.run(jar, "session.cart = [{ sku: 'a', count: 1 }]")

    def add(session: Any) -> None:
        session["cart"][0]["count"] += 1
        session["cart"].append({"sku": "b", "count": 1})
        session.save()

    python.run(jar, add)
    code = "session.cart[1].count = 5; return session.cart[0].count"
    assert 2 == express.run(jar, code)
    assert [{"sku": "a", "count": 2}, {"sku": "b", "count": 5}] == python.run(jar, read)["cart"]


def test_tagged_values_survive(express: Express, python: Side, jar: Jar) -> None:
    """A value that only Python has keeps its type when Express saves the session."""
    python.run(jar, change(roles={"admin"}, pair=(1, 2)))
    assert "set" == express.run(jar, "session.n = 1; return session.roles.__type__")
    assert {"roles": {"admin"}, "pair": (1, 2), "n": 1} == python.run(jar, read)


_HOSTILE: dict[str, Any] = {
    "__proto__": {"isAdmin": True},
    "constructor": {"prototype": {"isAdmin": True}},
    "_bsontype": "ObjectID",
}


def test_names_of_prototypes(express: Express, python: Side, jar: Jar) -> None:
    """Keys such as ``__proto__`` and ``_bsontype`` change no object of Express."""
    python.run(jar, change(nested=_HOSTILE, **_HOSTILE))
    code = """
    session.n = 1;
    return [{}.isAdmin, session.isAdmin, session.nested.isAdmin].map((found) => found ?? "no");
    """
    assert ["no", "no", "no"] == express.run(jar, code)
    found = python.run(jar, read)
    assert (_HOSTILE, 1) == (found["nested"], found["n"])
    code = "return ({}).isAdmin ?? session.isAdmin ?? session.nested.isAdmin ?? 'no'"
    assert "no" == express.run(jar, code)


def test_large_numbers_of_express(express: Express, python: Side, jar: Jar) -> None:
    """A whole number beyond 32 bits, such as Date.now(), is an int in Python, also nested."""
    express.run(jar, "session.now = 1795633333123; session.list = [{ n: -(2 ** 53) + 1 }];")
    found = python.run(jar, read)
    assert {"now": 1795633333123, "list": [{"n": -(2**53) + 1}]} == found
    assert (int, int) == (type(found["now"]), type(found["list"][0]["n"]))


_NUMBERS = [3e9, -(2.0**40), 2**31, 2**53 - 1, 2**62, 1e300, 2.5e9 + 0.5]


def test_large_numbers_of_python(
    express: Express, python: Side, jar: Jar, *, stringify: bool
) -> None:
    """A large number of Python keeps its type, also after a save by Express.

    In text, JavaScript writes floats without a fraction as it writes integers.
    """
    numbers = [number for number in _NUMBERS if not stringify or number != int(number)]
    python.run(
        jar, change(numbers=numbers, **{f"n{i}": number for i, number in enumerate(numbers)})
    )
    express.run(jar, "session.more = 1")
    found = python.run(jar, read)
    top = [found[f"n{i}"] for i in range(len(numbers))]
    for those in (found["numbers"], top):
        assert [(number, type(number)) for number in numbers] == [(n, type(n)) for n in those]


def test_dates(express: Express, python: Side, jar: Jar, fleet: Fleet) -> None:
    """A date of Express is a date in Python, or an ISO text where sessions are texts."""
    express.run(jar, "session.when = new Date(1795633333123)")
    date = datetime.datetime(2026, 11, 25, 19, 2, 13, 123000)
    text = "2026-11-25T19:02:13.123Z"
    found = python.run(jar, read)["when"]
    assert (text if fleet.stringify else date) == found
    python.run(jar, change(when=date))
    code = "return session.when instanceof Date ? session.when.toISOString() : session.when"
    expected = {"__type__": "datetime", "value": "2026-11-25T19:02:13.123000"}
    assert (expected if fleet.stringify else text) == express.run(jar, code)
    express.run(jar, "session.n = 1")
    assert date == python.run(jar, read)["when"]
