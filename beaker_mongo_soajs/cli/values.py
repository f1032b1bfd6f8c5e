"""Durations, sizes, dates and conditions, as arguments and as text."""

import json
from datetime import datetime, timedelta
from typing import Any

import click

from beaker_mongo_soajs.options.coerce import parse_duration

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
_INT64 = range(-(2**63), 2**63)


class Duration(click.ParamType[float]):
    """Seconds, or a number with a unit: ``1h``, ``30d``."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds of an argument.

        :param value: the argument.
        :param param: its option, for the error.
        :param ctx: click's context, for the error.
        """
        milliseconds = parse_duration(value)
        try:
            return float(value) if milliseconds is None else milliseconds / 1000
        except ValueError:
            self.fail(f"{value!r} is no duration. Write 90s, 30m, 1h or 30d.", param, ctx)


class Condition(click.ParamType[tuple[str, tuple[Any, ...]]]):
    """A key and a value: ``device=phone``."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the key, and the values that it may have.

        :param value: the argument.
        :param param: its option, for the error.
        :param ctx: click's context, for the error.
        """
        key, equals, text = str(value).partition("=")
        if not equals or not all(key.split(".")) or any(p[0] == "$" for p in key.split(".")):
            self.fail("Write it as KEY=VALUE.", param, ctx)
        return key, possible_values(text)


def possible_values(text: str) -> tuple[Any, ...]:
    """Return the values that an argument may mean: a text, and a number or truth value.

    :param text: the argument.
    """
    try:
        value = json.loads(text)
    except ValueError:
        return (text,)
    if isinstance(value, bool | float) or (isinstance(value, int) and value in _INT64):
        return (text, value)
    return (text,)


def show_size(size: int) -> str:
    """Return a number of bytes as text.

    :param size: the number.
    """
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


def show_span(span: timedelta) -> str:
    """Return a time span as text, in its largest unit.

    :param span: the span.
    """
    seconds = abs(span.total_seconds())
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def show_past(moment: datetime | None, now: datetime) -> str:
    """Return how long ago a moment was.

    :param moment: naive UTC; ``None`` if it is unknown.
    :param now: naive UTC.
    """
    return "" if moment is None else f"{show_span(now - moment)} ago"


def show_future(moment: datetime | None, now: datetime) -> str:
    """Return in how much time a moment comes.

    :param moment: naive UTC; ``None`` for never.
    :param now: naive UTC.
    """
    return "never" if moment is None else f"in {show_span(moment - now)}"
