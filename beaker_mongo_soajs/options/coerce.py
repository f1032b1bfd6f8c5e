"""The kinds of value that options take, and their readers for Python, JSON and INI values.

A reader turns a raw value into the value that the configuration holds. That value is hashable, and
the same for every way to write it. For a value that it cannot read, a reader raises
:class:`InvalidValue`, whose text completes the sentence "it must be ...".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from beaker_mongo_soajs.options.frozen import FrozenDict, freeze
from beaker_mongo_soajs.options.masking import show_name

BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "off", "n", "f", "0"), False),
}
"""The words that Beaker's and Paste's ``asbool`` accept."""

NULL_WORDS = frozenset({"", "null", "none"})
"""The INI spellings of JSON's ``null``, in lower case."""

FOREVER_MS = 1000 * 365 * 24 * 3600 * 1000
"""A thousand years. Neither Python nor the store can hold dates beyond the year 9999."""


MINUTE_MS = 60_000
LARGEST = 2**31 - 1
"""MongoDB's own limit for times and counts. Beyond it, Python's timers overflow sooner or later."""

_DEEPEST = 20
"""No option needs more levels than this."""

_UNITS_MS = {
    "ms": 1,
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1000),
    **dict.fromkeys(("m", "min", "minute", "minutes"), MINUTE_MS),
    **dict.fromkeys(("h", "hour", "hours"), 60 * MINUTE_MS),
    **dict.fromkeys(("d", "day", "days"), 24 * 60 * MINUTE_MS),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 24 * 60 * MINUTE_MS),
}
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([a-z]+)")


class InvalidValue(ValueError):
    """Signal a value that a reader does not accept. The text completes "it must be ...".

    It describes the accepted values and never quotes the rejected one, which may be a secret.
    """


@dataclass(frozen=True)
class Kind:
    """Describe the values that an option takes.

    :param name: the description in the documentation: "true or false"
    :param read: the reader: returns the value to hold, or raises :class:`InvalidValue`
    :param nullable: whether ``null`` means "not given"
    :param null_words: the texts, in lower case, that mean it, too
    """

    name: str
    read: Callable[[Any], Any]
    nullable: bool = True
    null_words: frozenset[str] = NULL_WORDS

    def is_null(self, value: object) -> bool:
        """Check whether a raw value means "not given".

        :param value: the raw value
        :returns: whether to treat the option as absent
        """
        if isinstance(value, str):
            return self.nullable and value.strip().lower() in self.null_words
        return self.nullable and value is None


def parse_json(text: str) -> Any:
    """Read a JSON text strictly.

    :param text: the JSON text
    :returns: the value
    :raises InvalidValue: the text is not valid JSON, or an object in it has a name twice
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise InvalidValue(f"JSON that has the name {show_name(name)} once only")
            found[name] = value
        return found

    def no_constant(name: str) -> NoReturn:
        raise InvalidValue(f"JSON, which has no {name}")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        # The cause would hold the whole text, secrets included, in its attribute doc.
        raise InvalidValue(f"valid JSON (line {error.lineno}, column {error.colno})") from None


def is_json(value: object) -> bool:
    """Check whether a raw value is the text of a JSON object or list."""
    return isinstance(value, str) and value.lstrip()[:1] in ("{", "[")


def read_boolean(value: Any) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in BOOLEANS:
        return BOOLEANS[value.strip().lower()]
    raise InvalidValue("true or false")


def integer(minimum: int = 0, maximum: int = LARGEST) -> Callable[[Any], int]:
    """Return a reader for whole numbers within bounds."""
    bounds = f" from {minimum} to {maximum}"
    if maximum == LARGEST:
        bounds = f" of {minimum} or more, and at most {LARGEST}"

    def read(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidValue(f"a whole number{bounds}")
        if not minimum <= value <= maximum:
            raise InvalidValue(f"a whole number{bounds}")
        return value

    return read


def number(above: float | None = None) -> Callable[[Any], float]:
    """Return a reader for finite numbers: zero or more, or above a bound."""
    bounds = "of 0 or more" if above is None else f"above {above:g}"

    def read(value: Any) -> float:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise InvalidValue(f"a number {bounds}") from None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise InvalidValue(f"a number {bounds}")
        fits = value >= 0 if above is None else value > above
        if not (math.isfinite(value) and fits and value <= FOREVER_MS):
            raise InvalidValue(f"a number {bounds}")
        return int(value) if float(value).is_integer() else value

    return read


def parse_duration(value: Any) -> float | int | None:
    """Read a duration that has a unit: ``"30m"``, ``"2w"``, or a ``timedelta``.

    :param value: any value
    :returns: milliseconds, or ``None`` for a value without a unit
    """
    if isinstance(value, timedelta):
        milliseconds = value / timedelta(milliseconds=1)
    else:
        match = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
        if match is None or match[2] not in _UNITS_MS:
            return None
        milliseconds = round(float(match[1]) * _UNITS_MS[match[2]], 6)
    return int(milliseconds) if milliseconds.is_integer() else milliseconds


def duration(read: Callable[[Any], Any], unit_ms: int = 1) -> Callable[[Any], Any]:
    """Return a reader for durations: a number in the option's own unit, or one with a unit.

    :param read: the reader for numbers
    :param unit_ms: the option's own unit, in milliseconds
    """

    def read_duration(value: Any) -> Any:
        milliseconds = parse_duration(value)
        if milliseconds is not None:
            value = milliseconds / unit_ms
        try:
            return read(value)
        except InvalidValue as error:
            raise InvalidValue(f'{error}, or a duration with its unit, such as "30s"') from None

    return read_duration


def check_encodable(value: Any, depth: int = 0) -> None:
    """Check that all text in a raw value can be encoded, and that the value has an end.

    :param value: the raw value
    :raises InvalidValue: some text holds a lone surrogate or a NUL, or the value nests too deep
    """
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidValue("text that UTF-8 can encode, without lone surrogates") from None
        if "\0" in value:
            raise InvalidValue("text without a NUL character")
    elif isinstance(value, Mapping | list | tuple):
        if depth > _DEEPEST:
            raise InvalidValue(f"a value that nests at most {_DEEPEST} levels deep")
        for item in (*value.keys(), *value.values()) if isinstance(value, Mapping) else value:
            check_encodable(item, depth + 1)


def read_text(value: Any) -> str:
    """Read text unchanged."""
    if not isinstance(value, str):
        raise InvalidValue("text")
    return value


def choice(*choices: str) -> Callable[[Any], str]:
    """Return a reader for one of several words, in upper or lower case."""
    known = {word.lower(): word for word in choices}

    def read(value: Any) -> str:
        if isinstance(value, str) and value.strip().lower() in known:
            return known[value.strip().lower()]
        raise InvalidValue("one of " + ", ".join(choices))

    return read


def read_text_list(value: Any) -> tuple[str, ...]:
    """Read a list of texts, or comma-separated text."""
    if is_json(value):
        value = parse_json(value)
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        raise InvalidValue("a list of texts, or comma-separated text")
    return tuple(value)


def read_text_map(value: Any) -> FrozenDict:
    """Read an object of texts, or text of the form ``NAME:value,NAME:value``."""
    if is_json(value):
        value = parse_json(value)
    if isinstance(value, str):
        value = _pairs(value.split(","), "an object, or text of the form NAME:value,NAME:value")
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise InvalidValue("an object, or text of the form NAME:value,NAME:value")
    return FrozenDict(value)


def _pairs(parts: Iterable[str], wanted: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        name, colon, item = part.strip().partition(":")
        if not colon or not name.strip() or name.strip() in found:
            raise InvalidValue(wanted)
        found[name.strip()] = item.strip()
    return found


def read_object(value: Any) -> Any:
    """Read a Python object, which has no text form."""
    if isinstance(value, str):
        raise InvalidValue("a Python object; it cannot be given as text")
    return freeze(value)


def read_anything(value: Any) -> Any:
    """Read any value, for options that have no effect here."""
    return freeze(value)


BOOLEAN = Kind("true or false", read_boolean)
COUNT = Kind("whole number", integer())
MILLISECONDS = Kind("milliseconds", duration(integer()))
SECONDS = Kind("seconds", duration(number(), 1000))
TEXT = Kind("text", read_text)
TEXT_MAP = Kind("object of texts", read_text_map)
OBJECT = Kind("Python object", read_object)
ANYTHING = Kind("anything", read_anything)


def one_of(*choices: str) -> Kind:
    """Return the kind of an option that takes one of several words."""
    return Kind(" / ".join(f"`{word}`" for word in choices), choice(*choices))
