"""The group of all commands."""

import os
from importlib.metadata import version

import click

from beaker_mongo_soajs.cli.application import Application
from beaker_mongo_soajs.cli.check import check
from beaker_mongo_soajs.cli.doctor import doctor
from beaker_mongo_soajs.cli.endings import clear, destroy
from beaker_mongo_soajs.cli.explain import explain
from beaker_mongo_soajs.cli.failures import Group
from beaker_mongo_soajs.cli.index import index
from beaker_mongo_soajs.cli.listing import list_sessions, show
from beaker_mongo_soajs.cli.migrate import migrate_sessions
from beaker_mongo_soajs.cli.settings import URL_VARIABLE, find_settings
from beaker_mongo_soajs.cli.stats import stats
from beaker_mongo_soajs.cli.transfer import export_sessions, import_sessions

COMMANDS: tuple[click.Command, ...] = (
    check,
    explain,
    list_sessions,
    show,
    destroy,
    clear,
    stats,
    index,
    export_sessions,
    import_sessions,
    migrate_sessions,
    doctor,
)

_NAMES = {"help_option_names": ["-h", "--help"]}


@click.group("beaker-mongo", cls=Group, context_settings=_NAMES)
@click.option(
    "-c",
    "--config",
    "file",
    metavar="FILE[#SECTION]",
    help="An INI file of Paste or Pyramid, or the JSON file of a dbConfig.",
)
@click.option(
    "--settings",
    metavar="PACKAGE.MODULE:NAME",
    help="A dict of options, a DbConfig, a store or a middleware in a Python module.",
)
@click.option("--url", metavar="URL", help="A connection string without a password.")
@click.version_option(version("beaker_mongo_soajs"), prog_name="beaker-mongo")
@click.pass_context
def main(context: click.Context, file: str | None, settings: str | None, url: str | None) -> None:
    """Inspect and manage the sessions of an application in MongoDB."""
    context.obj = Application(lambda: find_settings(file, settings, url, os.environ))


main.epilog = (
    f"Without one of these options, the environment variable {URL_VARIABLE} is used. Exit codes: "
    "0 fine, 1 findings, 2 usage, 3 database unavailable."
)


for _each in COMMANDS:
    main.add_command(_each)
