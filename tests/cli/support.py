"""Run commands of the command line in this process."""

from collections.abc import Mapping
from typing import Any

from click.testing import CliRunner, Result

from beaker_mongo_soajs.cli.app import main


def run(*arguments: str, url: str | None = None, **more: Any) -> Result:
    """Run ``beaker-mongo``, without a terminal.

    :param arguments: the arguments.
    :param url: the connection string for the environment variable, if any.
    :param more: more arguments of click's ``CliRunner.invoke``.
    """
    env: Mapping[str, str | None] = {"BEAKER_MONGO_URL": url}
    return CliRunner().invoke(main, arguments, env=env, **more)
