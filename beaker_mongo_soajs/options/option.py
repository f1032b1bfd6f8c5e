"""One option: its name, its values, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.options.coerce import Kind
from beaker_mongo_soajs.options.kinds import PEM_BEGIN

Path = tuple[str, ...]
"""Where an option stands: ``("extraParam", "db", "w")``."""


def same(value: Any) -> Any:
    """Pass a value on as it is."""
    return value


@dataclass(frozen=True)
class LeaveOut:
    """Say that a value needs no keyword: PyMongo does without it what the value asks for.

    :param because: the reason, as the rest of a sentence
    """

    because: str


@dataclass(frozen=True)
class Keyword:
    """The option becomes a keyword argument of ``MongoClient``.

    :param name: the keyword
    :param convert: turns the option's value into the keyword's, or into :class:`LeaveOut`
    :param note: the conversion in words, for the documentation
    :param yields: whether any other option for the same keyword goes before this one
    """

    name: str
    convert: Callable[[Any], Any] = same
    note: str = ""
    yields: bool = False


@dataclass(frozen=True)
class NoEffect:
    """The option is accepted and changes nothing.

    :param because: the reason, as the rest of a sentence
    """

    because: str


@dataclass(frozen=True)
class Refused:
    """The option is an error, whatever its value.

    :param because: the reason, as the rest of a sentence
    """

    because: str


@dataclass(frozen=True)
class Setting:
    """The option stays with this package, which uses it itself.

    :param what: what for, as the rest of a sentence
    """

    what: str


Effect = Keyword | NoEffect | Refused | Setting


@dataclass(frozen=True)
class Option:
    """Describe one option: a row of the table.

    :param path: where it stands, in dbConfig spelling
    :param kind: what values it takes
    :param effect: what becomes of it
    :param doc: a sentence or two for the documentation, units included
    :param default: what holds when it is not given, ``None`` for nothing
    :param reference: the value that connect-mongo-soajs shows for it, as JSON; ``""`` where the
        option is none of the reference's
    :param secret: whether its value may appear nowhere
    """

    path: Path
    kind: Kind
    effect: Effect
    doc: str = ""
    default: Any = None
    reference: str = ""
    secret: bool = False

    @property
    def name(self) -> str:
        """The option's full name with dots: ``extraParam.db.w``."""
        return ".".join(self.path)

    def show(self, value: object) -> str:
        """Write a value of this option for people to read.

        :param value: the value, raw or read
        :returns: JSON as far as possible, without a secret
        """
        return MASK if self.secret else show(value)

    def error(
        self, value: object, wanted: str, *, code: int | None = None, hint: str | None = None
    ) -> ConfigError:
        """Make the error for a value that does not fit.

        :param value: the value
        :param wanted: what it must be, as the rest of a sentence
        :param code: 190 or 191 where the reference has a number for the error
        :param hint: what to do, where that does not follow from ``wanted``
        :returns: the error, for the caller to raise
        """
        shown = self.show(value)
        return ConfigError(
            f"{self.name} is {shown}: it must be {wanted}.",
            option=self.name,
            value=shown if MASK in shown or _PEM in shown else value,
            hint=hint,
            code=code,
        )


_PEM = "(PEM text)"
_LONGEST = 120


def show(value: object) -> str:
    """Write any value for people to read, on one line, PEM texts and long ones shortened.

    :param value: the value
    :returns: JSON where there is one for it
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        if PEM_BEGIN in value:
            return _PEM
        # What stands before an "@" may be the user and password of a connection string.
        _, at, rest = value.rpartition("@")
        return json.dumps(_shorten(f"{MASK}@{rest}" if at else value), ensure_ascii=False)
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, Mapping):
        items = ", ".join(f"{show(str(name))}: {show(item)}" for name, item in value.items())
        return _shorten(f"{{{items}}}")
    if isinstance(value, list | tuple | set | frozenset):
        return _shorten(f"[{', '.join(show(item) for item in value)}]")
    return f"a {type(value).__name__}"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
