"""BSON values in the notation of MongoDB's shell, as tokens with colors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import NoneType
from typing import Any, NamedTuple

from bson.binary import UUID_SUBTYPE, Binary
from bson.int64 import Int64

_SHOWN_OF_AN_ID = 8
# A document that a session has left points to its new id.
_ID_KEYS = frozenset({"_id", "moved_to", "to"})
_SHOWN_OF_A_TEXT = 24
_SHOWN_LEVELS = 3
_MISSING = object()
_BARE_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*", re.ASCII)


class Token(NamedTuple):
    """A part of a line.

    :param kind: the CSS class of its color; empty for punctuation
    :param text: the text
    """

    kind: str
    text: str


class Line(NamedTuple):
    """A line of a document.

    :param depth: the level of nesting
    :param tokens: the tokens
    :param type: the BSON type of its value; empty at the end of a document or array
    :param changed: whether the value has changed
    """

    depth: int
    tokens: list[Token]
    type: str
    changed: bool


def lines(document: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[Line]:
    """Return the lines of a document.

    Session ids are shortened, because an id gives access to the session.

    :param document: the document
    :param before: an earlier state to compare with; ``None`` marks nothing as changed
    """
    return list(_lines([], "", document, document if before is None else before, 0, ""))


def inline(value: Any, key: str = "") -> list[Token]:
    """Return a value on one line, with long texts shortened and deep levels omitted.

    :param value: the value
    :param key: its key
    """
    return list(_inline(value, key, 0))


def _lines(
    lead: list[Token], key: str, value: Any, before: Any, depth: int, tail: str
) -> Iterator[Line]:
    changed = before is _MISSING or type(before) is not type(value)
    if not isinstance(value, Mapping | list) or not value:
        token, kind = _scalar(value, key)
        differs = changed or before != value
        pieces = [token, Token("", tail)]
        if token.kind == "date":
            # The page does not break a date, but would break the line before a separate comma.
            pieces = [Token(token.kind, token.text + tail)]
        yield Line(depth, [*lead, *pieces], kind, differs)
        return
    opening, closing, kind = (
        ("[", "]", "array") if isinstance(value, list) else ("{", "}", "object")
    )
    old, new = _items(before), _items(value)
    shrunk = not old.keys() <= new.keys()
    yield Line(depth, [*lead, Token("", opening)], kind, changed or shrunk)
    for number, (name, item) in enumerate(new.items(), 1):
        inner = [] if isinstance(value, list) else [Token("key", _key(name)), Token("", ": ")]
        comma = "," if number < len(new) else ""
        yield from _lines(inner, name, item, old.get(name, _MISSING), depth + 1, comma)
    yield Line(depth, [Token("", closing + tail)], "", False)


def _items(value: Any) -> Mapping[str, Any]:
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return value if isinstance(value, Mapping) else {}


def _inline(value: Any, key: str, depth: int) -> Iterator[Token]:
    if not isinstance(value, Mapping | list) or not value:
        if isinstance(value, str) and key not in _ID_KEYS and len(value) > _SHOWN_OF_A_TEXT:
            value = value[:_SHOWN_OF_A_TEXT] + "…"
        token, _ = _scalar(value, key)
        yield Token("date", "ISODate(…)") if isinstance(value, datetime) else token
        return
    opening, closing = "[]" if isinstance(value, list) else "{}"
    if depth >= _SHOWN_LEVELS:
        yield Token("", f"{opening}…{closing}")
        return
    yield Token("", opening)
    for number, (name, item) in enumerate(_items(value).items()):
        yield Token("", ", " if number else "")
        if not isinstance(value, list):
            yield Token("key", _key(name))
            yield Token("", ": ")
        yield from _inline(item, name, depth + 1)
    yield Token("", closing)


def _scalar(value: Any, key: str) -> tuple[Token, str]:
    """Return the token and the BSON type of a value that is no document or array."""
    if key in _ID_KEYS and isinstance(value, str):
        value = value[:_SHOWN_OF_AN_ID] + "…"
    for python_type, kind, bson_type, show in _SCALARS:
        if isinstance(value, python_type):
            return Token(kind, show(value)), bson_type
    name = type(value).__name__
    return Token("date", f"{name}(…)"), name


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    # Unprintable characters could hide the text next to them, or change its direction.
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{''.join(_visible(character) for character in quoted)}'"


def _visible(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _date(value: datetime) -> str:
    return f"ISODate('{value.isoformat(timespec='milliseconds')}Z')"


def _binary(value: bytes) -> str:
    # PyMongo reads binary data of subtype 0 as bytes.
    if isinstance(value, Binary) and value.subtype == UUID_SUBTYPE:
        return f"UUID('{value.as_uuid()}')"
    return f"BinData({getattr(value, 'subtype', 0)}, …)"


# The Python type, the CSS class, the BSON type, the notation. The order matters: bool and Int64
# are subclasses of int.
_SCALARS: tuple[tuple[type, str, str, Callable[[Any], str]], ...] = (
    (NoneType, "word", "null", lambda _: "null"),
    (bool, "word", "bool", lambda value: str(value).lower()),
    (Int64, "number", "long", str),
    (int, "number", "int", str),
    (float, "number", "double", repr),
    (str, "string", "string", _quoted),
    (datetime, "date", "date", _date),
    (bytes, "date", "binData", _binary),
    (Mapping, "", "object", lambda _: "{}"),
    (list, "", "array", lambda _: "[]"),
)
