"""``manage.py sessions``: the commands of ``beaker-mongo``."""

import importlib
import sys
from importlib.util import find_spec

from beaker_mongo_soajs.django.settings import find_store

_USAGE_ERROR = 2


class Command:
    """Pass the arguments of ``manage.py`` to the commands of ``beaker-mongo``.

    Django's own base class would parse the arguments.
    """

    def run_from_argv(self, argv: list[str]) -> None:
        """Run a command.

        :param argv: the arguments: ``manage.py sessions …``.
        """
        if find_spec("click") is None:
            sys.stderr.write('This needs click: run pip install "beaker_mongo_soajs[cli]".\n')
            sys.exit(_USAGE_ERROR)
        embedded = importlib.import_module("beaker_mongo_soajs.cli.embedded")
        commands = embedded.SessionCommands(lambda _: find_store(), "settings.BEAKER_MONGO")
        commands.main(argv[2:], prog_name=f"{argv[0]} {argv[1]}")

    def print_help(self, prog_name: str, subcommand: str) -> None:
        """Print the list of commands.

        :param prog_name: ``manage.py``.
        :param subcommand: ``sessions``.
        """
        self.run_from_argv([prog_name, subcommand, "--help"])
