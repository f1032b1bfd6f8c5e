"""Values of known types, and planted documents that claim to hold them."""

import enum
import importlib
import importlib.resources
import json
import sys
import zoneinfo
from collections import defaultdict, namedtuple
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv6Address
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import bson
import pytest
from bson.int64 import Int64
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sessions import class_types, collection_types, scalars
from beaker_mongo_soajs.sessions.codec import Codec, JsonCodec, NativeCodec
from beaker_mongo_soajs.sessions.stored import decode_document
from tests.effort import times
from tests.sessions.values import VALUES, Color, Level, Mood, Point, library

_CONTEXT = b"0123456789abcdef"
_TAGS = sorted(scalars.BUILDERS | collection_types.BUILDERS | class_types.BUILDERS)
# This may import the package tzdata. On its first use in a test, it would look like an attack.
zoneinfo.available_timezones()

_MODULE = "planted_module"
_CALLS: list[object] = []
"""What ran, of the code that must not run."""


class _Access(enum.Flag):
    """A set of flags."""

    READ = 1
    WRITE = 2


class _Guarded(enum.Enum):
    """An enumeration that runs code for unknown values."""

    ONE = 1

    @classmethod
    def _missing_(cls, value: object) -> Self:
        _CALLS.append(value)
        return cls(1)


_Texts = enum.StrEnum(
    "_Texts",
    {
        "bytes": "YQ==",
        "complex": "(1+0j)",
        "date": "2026-01-01",
        "decimal": "1",
        "float": "1e+20",
        "fraction": "1/2",
        "int": "0x5",
        "int64": "5",
        "uuid": "00000000-0000-0000-0000-000000000000",
        "zone": "UTC",
    },
    module=__name__,
)
"""Members that are texts, and could have methods of the application; named after tags."""


class _Checked(namedtuple("_Checked", ["x"])):  # noqa: PYI024 - a class with a constructor
    """A named tuple whose constructor runs code."""

    __slots__ = ()

    def __new__(cls, x: object) -> Self:
        """Note the call."""
        _CALLS.append(x)
        return super().__new__(cls, x)


class _Proxy:
    """An object that pretends to be of another class, by running code."""

    def __getattribute__(self, name: str) -> Any:
        _CALLS.append(name)
        return Color


PROXY = _Proxy()


def _own_zone() -> zoneinfo.ZoneInfo:
    """Return a time zone that only this process has."""
    for folder in zoneinfo.TZPATH:
        if (file := Path(folder) / "UTC").is_file():
            with file.open("rb") as stream:
                return zoneinfo.ZoneInfo.from_file(stream, key="Own/Zone")
    with importlib.resources.files("tzdata.zoneinfo").joinpath("UTC").open("rb") as stream:
        return zoneinfo.ZoneInfo.from_file(stream, key="Own/Zone")


def _local_member() -> enum.Enum:
    class Local(enum.Enum):
        ONE = 1

    return Local.ONE


def _decode(codec: Codec, value: Any) -> Any:
    return codec.decode({"v": value}, _CONTEXT)["v"]


def _tagged(tag: str, value: Any) -> dict[str, Any]:
    return {"__type__": tag, "value": value}


class TestPlantedNames:
    """Names of classes that a planted document holds."""

    @pytest.mark.parametrize("tag", ["enum", "named_tuple"])
    def test_a_module_is_not_imported(
        self, tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Decoding the name of a class does not import its module."""
        (tmp_path / f"{_MODULE}.py").write_text("class Color: pass\n")
        monkeypatch.syspath_prepend(tmp_path)
        before = set(sys.modules)
        rest = ["RED", "plain"] if tag == "enum" else [[1]]
        for name in (_MODULE, "antigravity", f"{_MODULE}.Color", "", ".", "xml.dom.minidom"):
            _decode(NativeCodec(), _tagged(tag, [name, "Color", *rest]))
        assert before == set(sys.modules)
        assert importlib.import_module(_MODULE).Color

    @pytest.mark.parametrize("tag", ["zone", "datetime"])
    def test_a_time_zone_is_not_imported(self, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Decoding the name of a time zone does not look for a package of that name."""
        asked: list[str] = []

        class Finder:
            def find_spec(self, name: str, *_: object) -> None:
                asked.append(name)

        monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
        zone = "planted/zone"
        value = zone if tag == "zone" else ["2026-01-01T00:00:00", zone, 0]
        with pytest.raises(SerializationError):
            _decode(NativeCodec(), _tagged(tag, value))
        assert [] == [name for name in asked if "planted" in name]

    def test_code_of_a_class_is_not_called(self) -> None:
        """Decoding does not call _missing_ of an enumeration or the constructor of a tuple."""
        _CALLS.clear()
        with pytest.raises(SerializationError):
            _decode(NativeCodec(), _tagged("enum", [__name__, "_Guarded", "TWO", None]))
        built = _decode(NativeCodec(), _tagged("named_tuple", [__name__, "_Checked", [1]]))
        assert [] == _CALLS
        assert type(built) is _Checked
        assert (1,) == built

    @pytest.mark.parametrize("member", _Texts)
    def test_a_text_of_another_class(self, member: enum.StrEnum) -> None:
        """A member of an enumeration of texts, which may have methods, is not parsed as a text."""
        assert _decode(NativeCodec(), _tagged(member.name, str(member))) is not None
        tree = NativeCodec().encode({"v": member}, _CONTEXT)["v"]
        with pytest.raises(SerializationError):
            _decode(NativeCodec(), _tagged(member.name, tree))

    def test_code_of_a_module_is_not_called(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Decoding computes no attribute of a module or of an object in it."""
        lazy = ModuleType(_MODULE)
        lazy.__dict__["__getattr__"] = _CALLS.append
        monkeypatch.setitem(sys.modules, _MODULE, lazy)
        monkeypatch.setitem(sys.modules, "proxy_module", PROXY)
        _CALLS.clear()
        for module, name in (
            (_MODULE, "Color"),
            ("proxy_module", "Color"),
            (__name__, "PROXY"),
            (__name__, "PROXY.Color"),
        ):
            value = _decode(NativeCodec(), _tagged("enum", [module, name, "RED", "plain"]))
            assert "plain" == value
        assert [] == _CALLS

    @pytest.mark.parametrize(
        ("module", "name", "fields"),
        [
            ("os", "system", ["true"]),
            ("builtins", "eval", ["1"]),
            ("builtins", "tuple", [1]),
            ("os", "stat_result", [1]),
            ("subprocess", "Popen", ["true"]),
        ],
    )
    def test_other_classes_are_not_used(self, module: str, name: str, fields: list[Any]) -> None:
        """The name of something that is not a named tuple gives a tuple or an error."""
        value: Any = ()
        try:
            value = _decode(NativeCodec(), _tagged("named_tuple", [module, name, fields]))
        except SerializationError:
            return
        assert type(value) is tuple

    @pytest.mark.parametrize(
        ("module", "name", "tag", "value", "plain"),
        [
            ("markupsafe", "Markup", "markup", "<b>", "<b>"),
            ("django.utils.safestring", "SafeString", "safe_string", "<b>", "<b>"),
            (
                "translationstring",
                "TranslationString",
                "translation_string",
                ["a", None, "b", None, None],
                "a",
            ),
            ("webob.multidict", "MultiDict", "multidict", [["a", 1]], [("a", 1)]),
        ],
    )
    def test_a_library_is_not_imported(
        self,
        monkeypatch: pytest.MonkeyPatch,
        module: str,
        name: str,
        tag: str,
        value: Any,
        plain: object,
    ) -> None:
        """A process that has not imported a library reads its values as plain ones."""
        library(module, name)
        monkeypatch.delitem(sys.modules, module, raising=False)
        assert plain == _decode(NativeCodec(), _tagged(tag, value))
        assert module not in sys.modules

    @pytest.mark.parametrize("codec", [NativeCodec(), JsonCodec()], ids=["native", "JSON"])
    @settings(max_examples=times(400))
    @given(tag=st.sampled_from(_TAGS), value=VALUES | st.lists(VALUES, max_size=5))
    def test_any_content_of_a_tag(self, codec: Codec, tag: str, value: Any) -> None:
        """A tag with any content is read or is a SerializationError, and imports nothing."""
        tree = codec.encode({"v": value}, _CONTEXT)
        before = set(sys.modules)
        with suppress(SerializationError):
            _decode(codec, _tagged(tag, tree.get("v")))
        assert before == set(sys.modules)


class TestFallbacks:
    """Values whose class a process has not imported, or has changed."""

    @pytest.mark.parametrize(
        ("value", "plain"), [(Level.HIGH, 2), (Mood.GOOD, "good"), (Point(1, 2), (1, 2))], ids=repr
    )
    def test_a_class_that_is_absent(self, value: Any, plain: object) -> None:
        """Members with a plain value, and named tuples, are read as plain values."""
        tree = NativeCodec().encode({"v": value}, _CONTEXT)
        tree["v"]["value"][0] = "absent_module"
        found = _decode(NativeCodec(), decode_document(bson.encode(tree))["v"])
        assert plain == found
        assert type(plain) is type(found)


class TestUnstorable:
    """Values of known types that cannot be stored."""

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (defaultdict(lambda: 0), "default_factory"),
            (_Access.READ | _Access.WRITE, "combination"),
            (_local_member(), "top level"),
            (2**40_000, "12000 digits"),
            (Decimal("9" * 12_001), "12000 digits"),
            (Fraction(1, 2**8000), "2400 digits"),
            (IPv6Address("fe80::1%" + "x" * 193), "200 characters"),
            (tuple.__new__(Point, (1,)), "other items"),
            (_own_zone(), "time zone"),
        ],
        ids=[
            "defaultdict",
            "flags",
            "local class",
            "integer",
            "decimal",
            "fraction",
            "address",
            "named tuple",
            "zone",
        ],
    )
    def test_the_error_names_the_problem(self, value: object, words: str) -> None:
        """A value of a known type that cannot be stored is an error with its path."""
        with pytest.raises(SerializationError, match=words) as caught:
            NativeCodec().encode({"v": [value]}, _CONTEXT)
        assert "session['v'][0]" == caught.value.path

    @pytest.mark.parametrize(
        ("module", "name", "arguments"),
        [
            ("translationstring", "TranslationString", ("a", 5)),
            ("translationstring", "TranslationString", ("a", None, 5)),
            ("webob.multidict", "MultiDict", ([(1, "a")],)),
            ("werkzeug.datastructures", "MultiDict", ([(1, "a")],)),
        ],
        ids=["domain", "default", "webob", "werkzeug"],
    )
    def test_values_that_could_not_be_read(
        self, module: str, name: str, arguments: tuple[Any, ...]
    ) -> None:
        """A value of a library that could not be read again is an error when it is saved."""
        kind = library(module, name)
        if kind is None:
            pytest.skip(f"needs {module}")
        with pytest.raises(SerializationError, match="is not a text"):
            NativeCodec().encode({"v": kind(*arguments)}, _CONTEXT)

    def test_json_is_named_where_it_helps(self) -> None:
        """The error names data_serializer for a value that JSON can hold, and for no other."""

        class Name(str):
            __slots__ = ()

        with pytest.raises(SerializationError, match="data_serializer to json to store it as str"):
            NativeCodec().encode({"v": Name("ann")}, _CONTEXT)
        assert '"ann"' == json.dumps(Name("ann"))
        with pytest.raises(SerializationError) as caught:
            NativeCodec().encode({"v": object()}, _CONTEXT)
        assert "data_serializer" not in str(caught.value)

    @pytest.mark.parametrize(
        "value",
        [
            -(2**40_000) + 1,
            Decimal("9" * 12_000),
            Fraction(2**8000 - 1, 2**8000 - 3),
            IPv6Address("fe80::1%" + "x" * 192),
            Int64(-(2**63)),
            Int64(2**63 - 1),
        ],
        ids=["integer", "decimal", "fraction", "address", "least int64", "greatest int64"],
    )
    def test_the_longest_values(self, value: object) -> None:
        """The longest values that can be stored are read again."""
        tree = NativeCodec().encode({"v": value}, _CONTEXT)
        assert {"v": value} == NativeCodec().decode(tree, _CONTEXT)

    def test_pickle_keeps_them(self) -> None:
        """With store.pickle, a value of a known type that cannot be tagged is pickled."""
        codec = NativeCodec(pickled=True)
        session = {"v": [_Access.READ | _Access.WRITE]}
        assert session == codec.decode(codec.encode(session, _CONTEXT), _CONTEXT)


class TestLazyTexts:
    """Texts that are translated when they are used."""

    def test_of_django(self) -> None:
        """A lazily translated text of Django is stored as the text that it has now."""
        lazy = library("django.utils.functional", "lazystr")
        if lazy is None:
            pytest.skip("needs Django")
        assert {"v": ["Hello"]} == NativeCodec().encode({"v": [lazy("Hello")]}, _CONTEXT)

    def test_of_turbogears(self) -> None:
        """A lazily translated text of TurboGears is stored as the text that it has now."""
        lazy = library("tg.util.lazystring", "lazify")
        if lazy is None:
            pytest.skip("needs TurboGears")
        text = lazy(lambda value: value.upper())("hello")
        assert {"v": "HELLO"} == NativeCodec().encode({"v": text}, _CONTEXT)
