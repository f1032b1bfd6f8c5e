"""Whatever goes into a session comes out equal and of the same type, in both forms."""

import copy
import datetime
from typing import Any

import bson
import pytest
from hypothesis import given, settings

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sessions.changes import is_same
from beaker_mongo_soajs.sessions.codec import Codec, JsonCodec, NativeCodec
from beaker_mongo_soajs.sessions.stored import decode_document
from beaker_mongo_soajs.signature import Signer
from tests.effort import times
from tests.sessions.values import SESSIONS

_PLACE = b"0123456789abcdef"
_EXAMPLES = times(10_000)
_SECONDS = 900
"""So many examples take a minute or two, and longer on a busy machine."""


class Owner:
    """A class of the application's own, which no document holds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Owner) and other.name == self.name

    __hash__ = None  # type: ignore[assignment]


class CodecContract:
    """What both forms promise."""

    form: type[Codec]

    def codec(self, **options: Any) -> Codec:
        """Return the codec under test."""
        return self.form(**options)

    def through(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Return the tree as the database would give it back."""
        raise NotImplementedError

    def round_trip(self, session: dict[Any, Any], **options: Any) -> dict[Any, Any]:
        """Return what becomes of a session that is stored and read back."""
        codec = self.codec(**options)
        return codec.decode(self.through(codec.encode(session, _PLACE)), _PLACE)

    def test_same_set_is_stored_the_same_way_in_any_order(self) -> None:
        """A set is stored in one order, whatever the order in which a process iterates over it."""
        codec = self.codec()
        one = codec.encode({"s": {"a", "b", "c", 1, 2}}, _PLACE)
        other = codec.encode({"s": {2, 1, "c", "b", "a"}}, _PLACE)
        assert self.through(one) == self.through(other)

    def test_plain_values_stay_plain(self) -> None:
        """What the form holds natively is stored as it is, for people and for Node to read."""
        session = {"user": "ann", "n": 1, "f": 1.5, "b": True, "x": None, "l": [1, {"a": "é"}]}
        assert session == self.codec().encode(session, _PLACE)

    @pytest.mark.parametrize(
        ("value", "path", "named"),
        [
            (lambda: 0, "session['v']", "builtins.function"),
            ({"cart": [1, 2, {"owner": Owner("a")}]}, "session['v']['cart'][2]['owner']", "Owner"),
            ((1, object()), "session['v'][1]", "builtins.object"),
            ({"k": {2: object()}}, "session['v']['k'][2]", "builtins.object"),
            (bson.Binary(b"x", 0), "session['v']", "bson.binary.Binary"),
            (
                datetime.datetime(2026, 1, 1, tzinfo=type("Z", (datetime.tzinfo,), {})()),
                "session['v']",
                "",
            ),
        ],
        ids=["function", "object in lists", "tuple", "other key", "binary", "time zone class"],
    )
    def test_other_types_are_refused_by_path(self, value: object, path: str, named: str) -> None:
        """A value that no document holds is an error with its path, its type and both remedies."""
        with pytest.raises(SerializationError) as caught:
            self.codec().encode({"v": value}, _PLACE)
        assert path == caught.value.path
        assert str(caught.value).startswith(path)
        assert named in str(caught.value)
        assert "store.pickle" in str(caught.value)
        assert "plain values" in str(caught.value)

    def test_endless_value_is_refused(self) -> None:
        """A list that holds itself is an error, not an endless loop."""
        endless: list[Any] = []
        endless.append(endless)
        with pytest.raises(SerializationError, match="refers to itself"):
            self.codec().encode({"v": endless}, _PLACE)

    def test_pickle_option_keeps_other_types(self) -> None:
        """With store.pickle, a value of the application's own class is stored and read back."""
        session = {"owner": Owner("ann"), "plain": 1}
        assert session == self.round_trip(session, pickled=True)

    def test_pickle_option_names_what_cannot_be_pickled(self) -> None:
        """With store.pickle, a value that refuses to be pickled is an error that names its path."""
        with pytest.raises(SerializationError) as caught:
            self.codec(pickled=True).encode({"v": [lambda: 0]}, _PLACE)
        assert caught.value.path == "session['v'][0]"

    def test_pickle_is_not_loaded_without_the_option(self) -> None:
        """A stored pickle is an error when store.pickle is off, whoever stored it."""
        tree = self.through(self.codec(pickled=True).encode({"v": Owner("a")}, _PLACE))
        with pytest.raises(SerializationError, match="pickles from the database are not loaded"):
            self.codec().decode(tree, _PLACE)

    def test_signed_pickle_is_loaded_in_its_own_session_only(self) -> None:
        """A signed pickle is loaded in its own session, and refused in a copy or unsigned."""
        signer = Signer(b"key")
        codec = self.codec(pickled=True, signer=signer)
        tree = self.through(codec.encode({"v": Owner("a")}, _PLACE))
        assert codec.decode(tree, _PLACE) == {"v": Owner("a")}
        with pytest.raises(SerializationError, match="signature"):
            codec.decode(tree, b"another session")
        with pytest.raises(SerializationError, match="signature"):
            self.codec(pickled=True, signer=Signer(b"other")).decode(tree, _PLACE)
        with pytest.raises(SerializationError, match="signature"):
            codec.decode({"another key": tree["v"]}, _PLACE)
        unsigned = copy.deepcopy(tree)
        del unsigned["v"]["signature"]
        with pytest.raises(SerializationError, match="signature"):
            codec.decode(unsigned, _PLACE)

    @pytest.mark.parametrize(
        "value",
        [
            {"__type__": "uuid", "value": "zzz"},
            {"__type__": "decimal", "value": "one"},
            {"__type__": "int", "value": [1]},
            {"__type__": "datetime", "value": ["2026-01-01", "../../etc/passwd", 0]},
            {"__type__": "datetime", "value": {}},
            {"__type__": "timedelta", "value": [10**12, 0, 0]},
            {"__type__": "set", "value": [[1]]},
            {"__type__": "dict", "value": [[["a"], 1]]},
            {"__type__": "bson", "value": {"$date": 1}},
            {"__type__": "bytes", "value": "***"},
            {"__type__": "str", "value": 12.5},
            {"__type__": "str", "value": 1 << 40},
            {"__type__": "uuid", "value": 5},
            {"__type__": "bson", "value": {"$oid": "zz"}},
        ],
        ids=repr,
    )
    def test_damaged_value_is_an_error(self, value: dict[str, Any]) -> None:
        """A tagged value that does not fit its tag is one clear error that quotes none of it."""
        with pytest.raises(SerializationError) as caught:
            self.codec().decode({"v": value}, _PLACE)
        assert caught.value.path == "session['v']"
        assert "zzz" not in str(caught.value)
        assert "etc" not in str(caught.value)

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
    def test_what_only_looks_tagged_is_left_alone(self, value: dict[str, Any]) -> None:
        """Another application's sub-document that has our tag's key is read as it is."""
        assert {"v": value} == self.codec().decode({"v": copy.deepcopy(value)}, _PLACE)

    def test_keys_that_no_field_holds_have_a_field_each(self) -> None:
        """Top-level keys that no update path can hold are stored in fields of their own."""
        session = {"$a": 1, "$b": 2, 3: 4, ("t", 1): 5, "__type__": 6, "__key__x": 7}
        tree = self.codec().encode(session, _PLACE)
        assert len(session) == len(tree)
        assert "__type__" not in tree
        assert session == self.codec().decode(self.through(tree), _PLACE)


class TestNativeCodec(CodecContract):
    """``stringify: false``."""

    form = NativeCodec

    def through(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Return the tree after a pass through BSON."""
        return decode_document(bson.encode(tree))

    @pytest.mark.timeout(_SECONDS)
    @settings(max_examples=_EXAMPLES)
    @given(SESSIONS)
    def test_round_trip(self, session: dict[Any, Any]) -> None:
        """A session comes back equal and of the same types after a pass through BSON."""
        assert is_same(session, self.round_trip(session))

    def test_native_types_stay_native(self) -> None:
        """Bytes, dates of whole milliseconds and the driver's own types are stored natively."""
        session = {
            "bytes": b"\0",
            "date": datetime.datetime(2026, 1, 2, 3, 4, 5, 678000),
            "id": bson.ObjectId(),
            "long": 2**40,
            "nan": float("inf"),
        }
        assert session == self.codec().encode(session, _PLACE)


class TestJsonCodec(CodecContract):
    """``stringify: true``."""

    form = JsonCodec

    def through(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Return the tree after a pass through JSON text in BSON."""
        codec = JsonCodec()
        text = codec.dumps(tree)
        stored: str = bson.decode(bson.encode({"session": text}))["session"]
        return codec.loads(stored)

    @pytest.mark.timeout(_SECONDS)
    @settings(max_examples=_EXAMPLES)
    @given(SESSIONS)
    def test_round_trip(self, session: dict[Any, Any]) -> None:
        """A session comes back equal and of the same types after a pass through JSON text."""
        assert is_same(session, self.round_trip(session))

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**53, -(2**53)])
    def test_numbers_that_javascript_would_spoil_are_tagged(self, number: float) -> None:
        """Numbers that JSON.parse refuses or rounds are not written as JSON numbers."""
        text = JsonCodec().dumps(JsonCodec().encode({"n": number}, _PLACE))
        assert '"__type__"' in text

    @pytest.mark.parametrize("text", ["", "[]", "{", "1", '"x"', "{'a': 1}", "[" * 100_000])
    def test_text_without_an_object_is_an_error(self, text: str) -> None:
        """A text that is not that of a JSON object is one clear error."""
        with pytest.raises(SerializationError, match="no JSON object"):
            JsonCodec().loads(text)
