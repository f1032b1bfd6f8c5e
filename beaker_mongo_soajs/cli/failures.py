"""Errors of the command line, and its exit codes."""

import os
import sys
from typing import IO, Any

import click

from beaker_mongo_soajs.exceptions import (
    BeakerMongoError,
    ConfigError,
    LockTimeout,
    StoreError,
)

FINDINGS = 1
"""The command found something to look at: a check that failed, an unreadable session."""

USAGE = 2
"""The arguments or the configuration cannot be used."""

UNAVAILABLE = 3
"""The database did not carry out a command."""

INTERRUPTED = 130
"""Ctrl-C, as shells report it."""

BROKEN_PIPE = 141
"""The reader of the output has ended, as in ``| head``; as shells report it."""


class Failure(click.ClickException):
    """End the command with a message on standard error, and the exit code 1.

    :param message: what is wrong, where, and what to do.
    """

    exit_code = FINDINGS

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message.

        :param file: where to; standard error by default.
        """
        label = click.style("Error:", fg="red", bold=True)
        click.echo(f"{label} {self.message}", file=file, err=True)


class UsageFailure(Failure):
    """End the command because of its arguments or the configuration."""

    exit_code = USAGE


class UnavailableFailure(Failure):
    """End the command because the database did not carry out a command."""

    exit_code = UNAVAILABLE


def failure_of(error: BeakerMongoError) -> Failure:
    """Return the failure for an error of this package.

    :param error: the error; its text has no secrets.
    """
    if isinstance(error, ConfigError):
        return UsageFailure("\n".join(map(str, error.errors)))
    if isinstance(error, StoreError | LockTimeout):
        return UnavailableFailure(str(error))
    return Failure(str(error))


class Group(click.Group):
    """A group of commands in which errors of this package have their exit codes.

    It also works inside the group of another program, such as ``flask``.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        :param ctx: click's context.
        """
        try:
            return super().invoke(ctx)
        except BeakerMongoError as error:
            raise failure_of(error) from error
        except (KeyboardInterrupt, click.Abort):
            click.echo(err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            silence_output()
            raise click.exceptions.Exit(BROKEN_PIPE) from None


def silence_output() -> None:
    """Discard what Python would still write when it exits, after a pipe was closed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
