"""Types of well-known libraries, and classes of the application that are plain data.

A stored session names a class, and whoever can write to the database can change the name. So a
class is only looked up among the modules that the process has imported already, without running
any code: nothing is imported, no attribute is computed and no constructor of an application is
called.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, EnumType
from types import ModuleType
from typing import Any

from beaker_mongo_soajs.sessions.collection_types import build_items, build_pairs
from beaker_mongo_soajs.sessions.parts import Build, Items, KnownType, Pairs
from beaker_mongo_soajs.sessions.tags import UnstorableValueError

_MOST_STEPS = 10

_LAZY_TEXTS = (
    ("django.utils.functional", "Promise"),
    ("babel.support", "LazyProxy"),
    ("flask_babel.speaklater", "LazyString"),
    ("tg.util.lazystring", "LazyString"),
)
# Modules and classes may compute their attributes; these read them without running that code.
_dict_of_module: Callable[[Any], dict[str, Any]] = vars(ModuleType)["__dict__"].__get__
_dict_of_class: Callable[[type], Mapping[str, Any]] = vars(type)["__dict__"].__get__
_bases_of: Callable[[type], tuple[type, ...]] = vars(type)["__mro__"].__get__
_members_of: Callable[[type], Mapping[str, Enum]] = vars(EnumType)["__members__"].fget


@dataclass(frozen=True, slots=True, repr=False)
class _LibraryType:
    """A class of a library.

    :param module: the module that defines it.
    :param name: its name.
    :param known: how it is stored.
    :param build: returns a value, of the class and the decoded parts.
    :param fallback: returns a plain value, for a process that has not imported the library.
    """

    module: str
    name: str
    known: KnownType
    build: Any
    fallback: Build


def find(kind: type) -> KnownType | None:
    """Return how values of a class are stored, or ``None`` if they are not.

    :param kind: the class.
    """
    for library in _LIBRARY_TYPES:
        if find_class(library.module, library.name) is kind:
            return library.known
    if issubclass(kind, Enum):
        return _ENUM
    if issubclass(kind, tuple) and _field_names(kind) is not None:
        return _NAMED_TUPLE
    if any(find_class(*lazy) in kind.__mro__ for lazy in _LAZY_TEXTS):
        return LAZY_TEXT
    return None


def find_class(module_name: object, qualified_name: object) -> type | None:
    """Return a class of a module that is imported already; run no code of it.

    :param module_name: the name of the module: any value.
    :param qualified_name: the name of the class in it, with dots for nested classes: any value.
    """
    if type(module_name) is not str or type(qualified_name) is not str:
        return None
    module = sys.modules.get(module_name)
    if not issubclass(type(module), ModuleType):
        return None
    found: type | None = None
    names: Mapping[str, Any] = _dict_of_module(module)
    for step in qualified_name.split(".", _MOST_STEPS):
        value: Any = names.get(step)
        # Not isinstance(): it asks proxies for their __class__, which may run anything.
        if not issubclass(type(value), type):
            return None
        found = value
        names = _dict_of_class(value)
    return found


def _split_text(value: str) -> str:
    return str.__str__(value)


def _build_text(kind: type[str], value: Any) -> str:
    return str.__new__(kind, _plain_text(value))


def _plain_text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("not a text")
    return value


def _split_translation(value: Any) -> list[Any]:
    texts = (value.domain, value.default, value.context)
    if not all(map(_is_text_or_none, texts)):
        raise UnstorableValueError(
            "is a TranslationString whose domain, default or context is not a text"
        )
    mapping = value.mapping
    if mapping is not None and type(mapping) is not dict:
        mapping = dict(mapping)
    return [str.__str__(value), value.domain, value.default, mapping, value.context]


def _build_translation(kind: Any, value: Any) -> Any:
    msgid, domain, default, mapping, context = value
    if not all(map(_is_text_or_none, (domain, default, context))):
        raise ValueError("not a text")
    if not (mapping is None or type(mapping) is dict):
        raise ValueError("not a mapping")
    return kind(_plain_text(msgid), domain, default, mapping, context)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _split_multidict(value: Any) -> Pairs:
    return _text_pairs(value.items())


def _split_werkzeug(value: Any) -> Pairs:
    return _text_pairs(value.items(multi=True))


def _text_pairs(items: Iterable[tuple[Any, Any]]) -> Pairs:
    pairs = list(items)
    if not all(isinstance(key, str) for key, _ in pairs):
        raise UnstorableValueError("is a MultiDict with a key that is not a text")
    return Pairs([], pairs)


def _build_multidict(kind: Any, value: Any) -> object:
    pairs = build_pairs(value)
    if not all(isinstance(key, str) for key, _ in pairs):
        raise ValueError("not a text")
    return kind(pairs)


def _text_type(module: str, name: str, tag: str) -> _LibraryType:
    return _LibraryType(module, name, KnownType(tag, _split_text), _build_text, _plain_text)


_LIBRARY_TYPES = (
    _text_type("markupsafe", "Markup", "markup"),
    _text_type("django.utils.safestring", "SafeString", "safe_string"),
    _LibraryType(
        "translationstring",
        "TranslationString",
        KnownType("translation_string", _split_translation),
        _build_translation,
        lambda value: _plain_text(value[0]),
    ),
    _LibraryType(
        "webob.multidict",
        "MultiDict",
        KnownType("multidict", _split_multidict),
        _build_multidict,
        build_pairs,
    ),
    _LibraryType(
        "werkzeug.datastructures",
        "MultiDict",
        KnownType("werkzeug_multidict", _split_werkzeug),
        _build_multidict,
        build_pairs,
    ),
    _LibraryType(
        "werkzeug.datastructures",
        "ImmutableMultiDict",
        KnownType("werkzeug_immutable_multidict", _split_werkzeug),
        _build_multidict,
        build_pairs,
    ),
)


def _library_builder(library: _LibraryType) -> Build:
    def build(value: Any) -> object:
        kind = find_class(library.module, library.name)
        return library.fallback(value) if kind is None else library.build(kind, value)

    return build


def _name_class(kind: type) -> list[str]:
    if find_class(kind.__module__, kind.__qualname__) is not kind:
        raise UnstorableValueError(
            f"is a {kind.__module__}.{kind.__qualname__}, which is not defined at the top level of "
            "a module"
        )
    return [kind.__module__, kind.__qualname__]


def _split_enum(value: Enum) -> list[Any]:
    kind = type(value)
    name = _name_class(kind)
    if _members_of(kind).get(value.name) is not value:
        raise UnstorableValueError(
            f"is a combination of {kind.__module__}.{kind.__qualname__}, which cannot be stored"
        )
    plain: str | int | None = None
    if isinstance(value, str):
        plain = str.__str__(value)
    elif isinstance(value, int):
        plain = int.__int__(value)
    return [*name, value.name, plain]


def _build_enum(value: Any) -> object:
    module, qualified_name, name, plain = value
    kind = find_class(module, qualified_name)
    if kind is not None and issubclass(kind, Enum):
        member: object = _members_of(kind)[name]
        return member
    if type(plain) not in (str, int):
        raise ValueError("of a class that this process has not imported")
    return plain


def _split_named_tuple(value: Any) -> Items:
    kind = type(value)
    if len(_field_names(kind) or ()) != len(value):
        raise UnstorableValueError(
            f"is a {kind.__module__}.{kind.__qualname__} with other items than its fields"
        )
    if getattr(value, "__dict__", None):
        raise UnstorableValueError(
            f"is a {kind.__module__}.{kind.__qualname__} with attributes besides its fields"
        )
    return Items(_name_class(kind), list(tuple.__iter__(value)))


def _build_named_tuple(value: Any) -> object:
    module, qualified_name, items = value
    items = build_items(items)
    kind = find_class(module, qualified_name)
    if kind is None or not issubclass(kind, tuple):
        return tuple(items)
    names = _field_names(kind)
    if names is None or len(names) != len(items):
        raise ValueError("not the fields of that class")
    # The constructor could be one of the application's.
    return tuple.__new__(kind, items)


def _field_names(kind: type) -> tuple[str, ...] | None:
    for base in _bases_of(kind):
        names = _dict_of_class(base).get("_fields")
        if type(names) is tuple:
            return names
    return None


_ENUM = KnownType("enum", _split_enum)
_NAMED_TUPLE = KnownType("named_tuple", _split_named_tuple)
LAZY_TEXT = KnownType("", str)
"""Stored as a plain text, without a tag: the translation for the current request."""

BUILDERS: dict[str, Build] = {
    **{each.known.tag: _library_builder(each) for each in _LIBRARY_TYPES},
    _ENUM.tag: _build_enum,
    _NAMED_TUPLE.tag: _build_named_tuple,
}
"""Decoders of these types, by tag."""
