"""Encoding and decoding sessions, in the native and the JSON form."""

import copy
import datetime
import enum
import sys
from collections import defaultdict
from typing import Any

import bson
import pytest
from hypothesis import given, settings

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sessions.changes import is_same
from beaker_mongo_soajs.sessions.codec import Codec, JsonCodec, NativeCodec
from beaker_mongo_soajs.sessions.shared_codec import SharedNativeCodec
from beaker_mongo_soajs.sessions.stored import decode_document
from beaker_mongo_soajs.signature import Signer
from tests.effort import times
from tests.sessions.values import SESSIONS, Point

_CONTEXT = b"0123456789abcdef"
_EXAMPLES = times(500)
_SECONDS = 900
"""The timeout of a round trip: all examples take a minute or two, and longer on a busy machine."""


class Owner:
    """A class of the application, which no document can hold."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Owner) and other.name == self.name

    __hash__ = None  # type: ignore[assignment]


class Label(enum.Flag):
    """Flags, whose combinations are pickled."""

    FIRST = 1
    SECOND = 2


def nested(levels: int) -> list[Any]:
    """Return lists inside of each other."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


class CodecContract:
    """The behaviour of both forms."""

    form: type[Codec]

    def codec(self, **options: Any) -> Codec:
        """Return the codec under test."""
        return self.form(**options)

    def through(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Return the tree as the database would give it back."""
        raise NotImplementedError

    def round_trip(self, session: dict[Any, Any], **options: Any) -> dict[Any, Any]:
        """Return a session after it was stored and read."""
        codec = self.codec(**options)
        return codec.decode(self.through(codec.encode(session, _CONTEXT)), _CONTEXT)

    def test_same_set_is_stored_the_same_way_in_any_order(self) -> None:
        """Equal sets are stored alike, independent of their iteration order."""
        codec = self.codec()
        one = codec.encode({"s": {"a", "b", "c", 1, 2}}, _CONTEXT)
        other = codec.encode({"s": {2, 1, "c", "b", "a"}}, _CONTEXT)
        assert self.through(one) == self.through(other)

    def test_lone_surrogates(self) -> None:
        """Text that UTF-8 cannot encode is read as it was stored, as a value and as a key."""
        session = {"text": "\ud800", "map": {"\udfff": "\ud800"}, "\ud800": [1]}
        assert session == self.round_trip(session)

    @pytest.mark.parametrize("hashes", [1, 100])
    def test_collisions(self, hashes: int) -> None:
        """Up to a thousand collisions of hashes are stored and read; more are refused."""
        numbers = [
            first + turn * sys.hash_info.modulus for turn in range(1200) for first in range(hashes)
        ]
        most = {"s": set(numbers[: 1000 + hashes])}
        assert most == self.round_trip(most)
        with pytest.raises(SerializationError, match="same hash"):
            self.codec().encode({"s": set(numbers[: 1001 + hashes])}, _CONTEXT)

    def test_plain_values_stay_plain(self) -> None:
        """Values that the form can hold are stored natively, readable for people and Node."""
        session = {"user": "ann", "n": 1, "f": 1.5, "b": True, "X": None, "l": [1, {"A": "é"}]}
        assert session == self.codec().encode(session, _CONTEXT)

    @pytest.mark.parametrize(
        ("value", "path", "named"),
        [
            (lambda: 0, "session['v']", "builtins.function"),
            ({"cart": [1, 2, {"owner": Owner("a")}]}, "session['v']['cart'][2]['owner']", "Owner"),
            ((1, object()), "session['v'][1]", " is a builtins.object, which cannot be stored."),
            ({"k": {2: object()}}, "session['v']['k'][2]", "builtins.object"),
            (Point(1, object()), "session['v'][1]", "builtins.object"),
            (defaultdict(list, {"a": [object()]}), "session['v']['a'][0]", "builtins.object"),
            (bson.Binary(b"x", 0), "session['v']", "bson.binary.Binary"),
            (
                datetime.datetime(2026, 1, 1, tzinfo=type("Z", (datetime.tzinfo,), {})()),
                "session['v']",
                "",
            ),
        ],
        ids="function lists tuple other-key named-tuple defaultdict binary time-zone".split(),
    )
    def test_other_types_are_refused_by_path(self, value: object, path: str, named: str) -> None:
        """The error for an unsupported type names the path, the type and both remedies."""
        with pytest.raises(SerializationError) as caught:
            self.codec().encode({"v": value}, _CONTEXT)
        assert path == caught.value.path
        assert str(caught.value).startswith(path)
        assert named in str(caught.value)
        assert "store.pickle" in str(caught.value)
        assert "plain values" in str(caught.value)

    def test_endless_value_is_refused(self) -> None:
        """A list that contains itself is an error, not an endless loop."""
        endless: list[Any] = []
        endless.append(endless)
        with pytest.raises(SerializationError, match="refers to itself"):
            self.codec().encode({"v": endless}, _CONTEXT)

    def test_pickle_option_keeps_other_types(self) -> None:
        """With store.pickle, an object of the application's class is stored and read."""
        session = {"owner": Owner("ann"), "plain": 1}
        assert session == self.round_trip(session, pickled=True)

    def test_pickle_option_names_what_cannot_be_pickled(self) -> None:
        """With store.pickle, the error for a value that cannot be pickled names its path."""
        with pytest.raises(SerializationError) as caught:
            self.codec(pickled=True).encode({"v": [lambda: 0]}, _CONTEXT)
        assert caught.value.path == "session['v'][0]"

    def test_pickle_is_not_loaded_without_the_option(self) -> None:
        """A stored pickle is an error without store.pickle."""
        tree = self.through(self.codec(pickled=True).encode({"v": Owner("a")}, _CONTEXT))
        with pytest.raises(SerializationError, match="pickles from the database are not loaded"):
            self.codec().decode(tree, _CONTEXT)

    def test_signed_pickle_is_loaded_in_its_own_session_only(self) -> None:
        """A signed pickle is only loaded in its own session and field, with its signature."""
        signer = Signer([b"key"], "shop", "sessions")
        codec = self.codec(pickled=True, signer=signer)
        tree = self.through(codec.encode({"v": Owner("a")}, _CONTEXT))
        assert codec.decode(tree, _CONTEXT) == {"v": Owner("a")}
        with pytest.raises(SerializationError, match="signature"):
            codec.decode(tree, b"another session")
        with pytest.raises(SerializationError, match="signature"):
            self.codec(pickled=True, signer=Signer([b"other"], "shop", "sessions")).decode(
                tree, _CONTEXT
            )
        with pytest.raises(SerializationError, match="signature"):
            codec.decode({"another key": tree["v"]}, _CONTEXT)
        unsigned = copy.deepcopy(tree)
        del unsigned["v"]["signature"]
        with pytest.raises(SerializationError, match="signature"):
            codec.decode(unsigned, _CONTEXT)

    def test_signed_pickles_as_keys(self) -> None:
        """A pickled key is signed, and the name of its field does not depend on the signing key."""
        old, new = (Signer([name.encode()], "shop", "sessions") for name in ("old", "new"))
        rotated = Signer([b"new", b"old"], "shop", "sessions")
        session = {Label.FIRST | Label.SECOND: Owner("a")}
        tree = self.through(self.codec(pickled=True, signer=old).encode(session, _CONTEXT))
        assert session == self.codec(pickled=True, signer=rotated).decode(tree, _CONTEXT)
        assert tree.keys() == self.codec(pickled=True, signer=new).encode(session, _CONTEXT).keys()
        with pytest.raises(SerializationError, match="signature"):
            self.codec(pickled=True, signer=new).decode(tree, _CONTEXT)
        for item in tree.values():
            # Of the two pickles, only that of the key counts here.
            item["value"][1] = 1
        assert {Label.FIRST | Label.SECOND: 1} == self.codec(pickled=True, signer=old).decode(
            tree, _CONTEXT
        )
        with pytest.raises(SerializationError, match="signature"):
            self.codec(pickled=True, signer=old).decode(tree, b"another session")

    @pytest.mark.parametrize(
        "value",
        [
            {"__type__": "uuid", "value": "zzz"},
            {"__type__": "decimal", "value": "one"},
            {"__type__": "uuid", "value": "A" * 32},
            {"__type__": "uuid", "value": f"{{{'a' * 32}}}"},
            {"__type__": "int", "value": [1]},
            {"__type__": "int", "value": "0X5"},
            {"__type__": "int64", "value": str(2**63)},
            {"__type__": "int64", "value": str(-(2**63) - 1)},
            {"__type__": "float", "value": "1.5"},
            {"__type__": "datetime", "value": ["2026-01-01", "../../etc/passwd", 0]},
            {"__type__": "datetime", "value": {}},
            {"__type__": "timedelta", "value": [10**12, 0, 0]},
            {"__type__": "set", "value": [[1]]},
            {"__type__": "dict", "value": [[["a"], 1]]},
            {"__type__": "bson", "value": {"$date": 1}},
            {"__type__": "bytes", "value": "***"},
            {"__type__": "str", "value": 1 << 40},
            {"__type__": "str", "value": b"plain"},
            {"__type__": "uuid", "value": 5},
            {"__type__": "enum", "value": ["absent_module", "Color", "RED", None]},
            {"__type__": "named_tuple", "value": [Point.__module__, "Point", [1]]},
            {"__type__": "bson", "value": {"$oid": "zz"}},
            {"__type__": "bson", "value": {"$oid": "ABCDEF0123456789ABCDEF01"}},
            {"__type__": "bson", "value": {"$numberInt": "7"}},
            {"__type__": "set", "value": "ab"},
            {"__type__": "dict", "value": {"a": 1}},
            {"__type__": "decimal", "value": 1},
            {"__type__": "decimal", "value": "1" * 1_000_000},
        ],
        ids=lambda value: repr(value)[:60],
    )
    def test_damaged_value_is_an_error(self, value: dict[str, Any]) -> None:
        """The error for an invalid tagged value names the path, and does not quote the value."""
        with pytest.raises(SerializationError) as caught:
            self.codec().decode({"v": value}, _CONTEXT)
        assert caught.value.path == "session['v']"
        assert "zzz" not in str(caught.value)
        assert "etc" not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("__key__0", {"__type__": "item", "value": [["a", "list"], 1]}),
            ("deep", nested(5_000)),
        ],
        ids=["a key that cannot be hashed", "many levels"],
    )
    def test_values_that_python_cannot_take(self, name: str, value: Any) -> None:
        """A key or a value that Python itself refuses is an error that names the path."""
        with pytest.raises(SerializationError) as caught:
            self.codec().decode({name: value}, _CONTEXT)
        assert caught.value.path == f"session['{name}']"

    @pytest.mark.parametrize(
        "value",
        [
            {"__type__": "Product", "id": 1},
            {"__type__": ["tuple"], "value": []},
            {"__type__": "tuple", "value": [1], "more": 2},
            {"__type__": "item", "value": [1, 2]},
            {"__type__": "pickle"},
        ],
        ids=repr,
    )
    def test_dict_that_resembles_a_tagged_value_is_a_dict(self, value: dict[str, Any]) -> None:
        """A sub-document of another application that has a __type__ field is read unchanged."""
        assert {"v": value} == self.codec().decode({"v": copy.deepcopy(value)}, _CONTEXT)

    def test_keys_that_cannot_be_field_names_have_a_field_each(self) -> None:
        """Each top-level key that cannot be a field name is stored in its own field."""
        session = {"$a": 1, "$b": 2, 3: 4, ("t", 1): 5, "__type__": 6, "__key__x": 7}
        tree = self.codec().encode(session, _CONTEXT)
        assert len(session) == len(tree)
        assert "__type__" not in tree
        assert session == self.codec().decode(self.through(tree), _CONTEXT)


class TestNativeCodec(CodecContract):
    """``stringify: false``."""

    form = NativeCodec

    def through(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Return the tree after it was encoded as BSON and decoded."""
        return decode_document(bson.encode(tree))

    @pytest.mark.timeout(_SECONDS)
    @settings(max_examples=_EXAMPLES)
    @given(SESSIONS)
    def test_round_trip(self, session: dict[Any, Any]) -> None:
        """A session that was stored as BSON is read equal and of the same types."""
        assert is_same(session, self.round_trip(session))

    def test_native_types_stay_native(self) -> None:
        """Bytes, dates without microseconds and the types of PyMongo are stored natively."""
        session = {
            "bytes": b"\0",
            "date": datetime.datetime(2026, 1, 2, 3, 4, 5, 678000),
            "id": bson.ObjectId(),
            "long": 2**40,
            "nan": float("inf"),
        }
        assert session == self.codec().encode(session, _CONTEXT)


class TestJsonCodec(CodecContract):
    """``stringify: true``."""

    form = JsonCodec

    def through(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Return the tree after it was stored as a JSON text."""
        codec = JsonCodec()
        text = codec.dumps(tree)
        stored: str = bson.decode(bson.encode({"session": text}))["session"]
        return codec.loads(stored)

    @pytest.mark.timeout(_SECONDS)
    @settings(max_examples=_EXAMPLES)
    @given(SESSIONS)
    def test_round_trip(self, session: dict[Any, Any]) -> None:
        """A session that was stored as JSON is read equal and of the same types."""
        assert is_same(session, self.round_trip(session))

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**53, -(2**53)])
    def test_numbers_that_javascript_cannot_hold_are_tagged(self, number: float) -> None:
        """Numbers that JSON.parse rejects or rounds are not written as JSON numbers."""
        text = JsonCodec().dumps(JsonCodec().encode({"n": number}, _CONTEXT))
        assert '"__type__"' in text

    @pytest.mark.parametrize("text", ["", "[]", "{", "1", '"x"', "{'a': 1}", "[" * 100_000])
    def test_text_without_an_object_is_an_error(self, text: str) -> None:
        """A stored text that is not a JSON object is a SerializationError."""
        with pytest.raises(SerializationError, match="not a JSON object"):
            JsonCodec().loads(text)


@pytest.mark.parametrize(
    ("key", "step"),
    [
        (10**58, f"[{10**58}]"),
        ("x" * 58, f"['{'x' * 58}']"),
        ("x" * 59, f"['{'x' * 56}…]"),
        (10**5000, "[a long int]"),
    ],
    ids=["number", "60 characters", "61 characters", "a number that Python does not print"],
)
def test_path_of_a_long_key(key: object, step: str) -> None:
    """The path in an error shows at most 60 characters of a key."""
    with pytest.raises(SerializationError) as caught:
        NativeCodec().encode({"a": {key: object()}}, _CONTEXT)
    assert f"session['a']{step}" == caught.value.path


def test_message_of_a_damaged_pickle() -> None:
    """A pickle that cannot be loaded is an error that names the field and the tag."""
    damaged = {"a": {"__type__": "pickle", "value": b"no pickle"}}
    with pytest.raises(SerializationError) as caught:
        NativeCodec(pickled=True).decode(damaged, _CONTEXT)
    reason = "its __type__ is 'pickle', but the pickle cannot be loaded (UnpicklingError)"
    expected = f"session['a'] of the stored document cannot be read: {reason}."
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("codec", "least", "greatest"),
    [(NativeCodec(), -(2**63), 2**63 - 1), (JsonCodec(), -(2**53) + 1, 2**53 - 1)],
    ids=["native", "JSON"],
)
def test_range_of_plain_integers(codec: Codec, least: int, greatest: int) -> None:
    """Exactly the integers that the form can hold are stored as they are."""
    for number in (least, -(2**52), 0, 2**52, greatest):
        assert {"a": number} == codec.encode({"a": number}, _CONTEXT)
    for number in (least - 1, greatest + 1):
        assert {"a": {"__type__": "int", "value": hex(number)}} == codec.encode(
            {"a": number}, _CONTEXT
        )


@pytest.mark.parametrize(
    ("value", "is_integer"),
    [
        *((2.0**31 - 1, False), (2.0**31, True), (-(2.0**31), True), (2.0**40 + 0.5, False)),
        *((2.0**53, True), (-(2.0**53), True), (2.0**53 + 2, False)),
    ],
)
def test_whole_numbers_of_node(value: float, is_integer: bool) -> None:
    """A double that Node stores for an integer is read as one, and a float of Python is not."""
    codec = SharedNativeCodec()
    found = codec.decode({"a": value}, _CONTEXT)["a"]
    assert (int if is_integer else float, value) == (type(found), found)
    tree = codec.encode({"a": value}, _CONTEXT)
    assert ({"__type__": "float", "value": repr(value)} if is_integer else value) == tree["a"]
    assert float is type(codec.decode(tree, _CONTEXT)["a"])
