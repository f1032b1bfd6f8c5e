"""What the command line prints: text on a terminal and in pipes, and JSON."""

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from beaker_mongo_soajs.cli.failures import BROKEN_PIPE, silence_output

WIDE = 10_000
"""The width of lines in pipes and files, where nothing is wrapped."""

Command = TypeVar("Command", bound=Callable[..., Any])


class _PipeConsole(Console):
    def on_broken_pipe(self) -> None:
        """End quietly, as other commands do."""
        silence_output()
        raise SystemExit(BROKEN_PIPE)


class Output:
    """Print results to standard output, and messages to standard error.

    Colours and progress bars appear on terminals only.
    """

    def __init__(self) -> None:
        self.console = _make_console(stderr=False)
        self.messages = _make_console(stderr=True)

    @property
    def is_terminal(self) -> bool:
        """Whether standard output is a terminal."""
        return self.console.is_terminal

    def json(self, value: object) -> None:
        """Print a value as indented JSON.

        :param value: the value; dates become texts in UTC.
        """
        click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=json_value))

    def text(self, *renderables: Any) -> None:
        """Print a table or a styled text of rich; a ``str`` is printed as it is.

        :param renderables: what to print, one below the other.
        """
        for renderable in renderables:
            self.console.print(renderable)

    def message(self, text: str) -> None:
        """Print a message to standard error.

        :param text: one or more sentences.
        """
        self.messages.print(text, soft_wrap=True)

    @contextmanager
    def status(self, what: str) -> Iterator[None]:
        """Show that something takes its time, on standard error, if that is a terminal.

        :param what: what is done: "Counting the sessions".
        """
        if self.messages.is_terminal:
            with self.messages.status(f"{what} …"):
                yield
        else:
            yield

    @contextmanager
    def progress(
        self, what: str, total: int | None, *, in_bytes: bool = False
    ) -> Iterator[Callable[..., None]]:
        """Show a progress bar on standard error, if that is a terminal.

        :param what: a word or two: "Exporting".
        :param total: the number of steps, if it is known.
        :param in_bytes: whether the steps are bytes.
        :returns: a function to call with the number of completed steps, and the new total if that
            was unknown.
        """
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            DownloadColumn() if in_bytes else MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        disable = not self.messages.is_terminal
        with Progress(*columns, console=self.messages, disable=disable) as progress:
            task = progress.add_task(what, total=total)

            def advance(completed: int, total: int | None = total) -> None:
                progress.update(task, completed=completed, total=total)

            yield advance


def format_option(*formats: str) -> Callable[[Command], Command]:
    """Return the decorator for the option ``--format``.

    :param formats: the formats of a command; the first is the default.
    """
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(formats or ("text", "json")),
        default=(formats or ("text",))[0],
        show_default=True,
        help="The format of the output.",
    )


def json_value(value: object) -> object:
    """Return what JSON shows for a value that it has no type for.

    :param value: the value.
    """
    if isinstance(value, datetime):
        return to_iso(value if value.tzinfo is None else value.astimezone(UTC))
    return str(value)


def to_iso(moment: datetime) -> str:
    """Return a date in UTC as text: ``2026-01-31T12:00:00Z``.

    :param moment: naive UTC.
    """
    return moment.replace(tzinfo=UTC, microsecond=0).isoformat().replace("+00:00", "Z")


def _make_console(*, stderr: bool) -> Console:
    # Texts of users are shown as they are.
    make = functools.partial(
        _PipeConsole, stderr=stderr, markup=False, highlight=False, emoji=False
    )
    console = make()
    return console if console.is_terminal else make(width=WIDE)
