"""One option of a dbConfig: its name, its values and its effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.options.coerce import Kind
from beaker_mongo_soajs.options.masking import PEM_SHOWN, show

Path = tuple[str, ...]
"""The path of an option: ``("extraParam", "db", "w")``."""


def same(value: Any) -> Any:
    """Return a value unchanged."""
    return value


@dataclass(frozen=True)
class LeaveOut:
    """Mark a value that needs no keyword, because PyMongo behaves that way without it.

    :param because: the reason, to complete "… because"
    """

    because: str


@dataclass(frozen=True)
class Keyword:
    """Pass the option to ``MongoClient`` as a keyword argument.

    :param name: the keyword
    :param convert: turns the option's value into the keyword's, or into :class:`LeaveOut`
    :param note: the conversion in words, for the documentation
    :param yields: whether every other option for the same keyword overrides this one
    """

    name: str
    convert: Callable[[Any], Any] = same
    note: str = ""
    yields: bool = False


@dataclass(frozen=True)
class NoEffect:
    """Accept the option, which changes nothing here.

    :param because: the reason, to complete "no effect, because …"
    """

    because: str


@dataclass(frozen=True)
class Refused:
    """Refuse the option with any value.

    :param because: the reason, to complete "refused, because …"
    """

    because: str


@dataclass(frozen=True)
class Setting:
    """Use the option in this package itself.

    :param what: what it does: "the name of the database"
    """

    what: str


Effect = Keyword | NoEffect | Refused | Setting


@dataclass(frozen=True)
class Option:
    """Describe one option: a row of the table.

    :param path: its path, in the spelling of a dbConfig
    :param kind: the values that it takes
    :param effect: its effect
    :param doc: a sentence or two for the documentation, units included
    :param default: the default, or ``None``
    :param reference: the value that connect-mongo-soajs documents for it, as JSON; ``""`` if
        connect-mongo-soajs does not have the option
    :param secret: whether its value must never be shown
    :param guarded: whether an invalid value must not be shown, as it may contain a password
    """

    path: Path
    kind: Kind
    effect: Effect
    doc: str = ""
    default: Any = None
    reference: str = ""
    secret: bool = False
    guarded: bool = False

    @property
    def name(self) -> str:
        """The option's full name with dots: ``extraParam.db.w``."""
        return ".".join(self.path)

    def show(self, value: object) -> str:
        """Format a value of this option for a message.

        :param value: the value, raw or read
        :returns: JSON as far as possible, without a secret
        """
        return MASK if self.secret else show(value)

    def error(
        self, value: object, wanted: str, *, code: int | None = None, hint: str | None = None
    ) -> ConfigError:
        """Return the error for an invalid value.

        :param value: the value
        :param wanted: the accepted values, to complete "it must be …"
        :param code: 190 or 191 for the two errors that the reference numbers
        :param hint: what to do, if ``wanted`` does not say it
        :returns: the error, for the caller to raise
        """
        shown = MASK if self.guarded else self.show(value)
        problem = "is not valid" if self.guarded else f"is {shown}"
        return ConfigError(
            f"{self.name} {problem}: it must be {wanted}.",
            option=self.name,
            value=shown if MASK in shown or PEM_SHOWN in shown else value,
            hint=hint,
            code=code,
        )
