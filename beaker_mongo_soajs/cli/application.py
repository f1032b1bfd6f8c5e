"""What all commands share: the configuration and the output."""

import functools
from collections.abc import Callable
from typing import Any

import click

from beaker_mongo_soajs.cli.output import Output
from beaker_mongo_soajs.cli.settings import Settings
from beaker_mongo_soajs.config import DbConfig


class Application:
    """Hold the configuration and the output of one run.

    :param find: finds the settings, on first use.
    """

    def __init__(self, find: Callable[[], Settings]) -> None:
        self._find = find
        self.output = Output()

    @functools.cached_property
    def settings(self) -> Settings:
        """The settings.

        :raises ConfigError: there are none, or they cannot be read.
        """
        return self._find()

    @functools.cached_property
    def config(self) -> DbConfig:
        """The configuration.

        :raises ConfigError: it is not valid.
        """
        return self.settings.read()


def pass_application(function: Callable[..., Any]) -> Callable[..., Any]:
    """Pass the :class:`Application` to a command, as its first argument.

    :param function: the function of the command.
    """
    return click.make_pass_decorator(Application)(function)
