"""The same commands in the command line of a framework: ``flask sessions``.

This module can be imported without rich, which the other modules of this folder need.
"""

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import click

from beaker_mongo_soajs.cli.failures import Group, UsageFailure

_MISSING = 'The commands of sessions need rich: run pip install "beaker_mongo_soajs[cli]".'


class SessionCommands(Group):
    """The commands for the sessions of one application.

    :param find: finds an object that holds its configuration: a store, for example. It is called
        with click's context, when a command needs it.
    :param origin: where that was found, for messages.
    """

    def __init__(self, find: Callable[[click.Context], Any], origin: str) -> None:
        super().__init__("sessions", help="Inspect and manage the sessions in MongoDB.")
        self._find = find
        self._origin = origin

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands.

        :param ctx: click's context.
        """
        self._import_commands()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command.

        :param ctx: click's context.
        :param cmd_name: its name.
        """
        self._import_commands()
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        :param ctx: click's context.
        """
        self._import_commands()
        application = importlib.import_module("beaker_mongo_soajs.cli.application").Application
        settings = importlib.import_module("beaker_mongo_soajs.cli.settings")
        ctx.obj = application(lambda: settings.settings_of(self._find(ctx), self._origin))
        return super().invoke(ctx)

    def _import_commands(self) -> None:
        if find_spec("rich") is None:
            raise UsageFailure(_MISSING)
        for each in importlib.import_module("beaker_mongo_soajs.cli.app").COMMANDS:
            self.add_command(each)
