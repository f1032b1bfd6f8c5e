"""``beaker-mongo index``."""

from click import argument, command, group, option
from click.exceptions import Exit
from rich.table import Table

from beaker_mongo_soajs.cli.application import Application, pass_application
from beaker_mongo_soajs.cli.asking import ask
from beaker_mongo_soajs.cli.failures import FINDINGS, Failure, Group, UsageFailure
from beaker_mongo_soajs.cli.output import format_option
from beaker_mongo_soajs.cli.values import show_size
from beaker_mongo_soajs.exceptions import StoreError
from beaker_mongo_soajs.mongo.index_admin import (
    MISSING,
    OTHER,
    Build,
    IndexAdmin,
    IndexState,
)

_STYLES = {MISSING: "red", OTHER: "red"}
_NOT_FOUND = 27


@group(cls=Group)
def index() -> None:
    """Look at the indexes, make the missing ones, drop one."""


@command()
@format_option()
@pass_application
def status(app: Application, output_format: str) -> None:
    """List the indexes that exist or are needed.

    The exit code is 1 if a needed index is missing, or has another definition.
    """
    states = IndexAdmin(app.config).states()
    if output_format == "json":
        app.output.json([_row(state) for state in states])
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("Index", "Fields", "State"):
            table.add_column(name)
        table.add_column("Size", justify="right", min_width=8)
        for state in states:
            table.add_row(
                state.name,
                ", ".join(state.fields),
                state.state,
                "" if state.size is None else show_size(state.size),
                style=_STYLES.get(state.state),
            )
        app.output.text(table)
    if any(state.state in _STYLES for state in states):
        raise Exit(FINDINGS)


@command()
@format_option()
@pass_application
def create(app: Application, output_format: str) -> None:
    """Create the indexes that are missing.

    Requests are answered meanwhile. A build of a large collection takes a while; Ctrl-C ends the
    command, and the server may complete the build.
    """
    admin = IndexAdmin(app.config)
    with app.output.progress("Building", None) as advance:

        def show(build: Build) -> None:
            advance(build.done, build.total or None)

        names = admin.create(show)
        advance(len(names), len(names))
    if output_format == "json":
        app.output.json({"created": names})
    elif names:
        app.output.text(f"Created {', '.join(names)}.")
    else:
        app.output.text("All indexes exist.")


@command()
@argument("names", nargs=-1, required=True, metavar="NAME...")
@option("--yes", is_flag=True, help="Do not ask.")
@format_option()
@pass_application
def drop(app: Application, names: tuple[str, ...], yes: bool, output_format: str) -> None:
    """Drop indexes by their names."""
    if "_id_" in names:
        raise UsageFailure("The index _id_ cannot be dropped: MongoDB needs it.")
    if not yes:
        ask(f"Drop {', '.join(names)} in {app.config.database}.{app.config.collection}?")
    admin = IndexAdmin(app.config)
    for name in names:
        try:
            admin.remove(name)
        except StoreError as error:
            if error.code != _NOT_FOUND:
                raise
            raise Failure(f"There is no index {name}. To list all: index status.") from error
    if output_format == "json":
        app.output.json({"dropped": [*names]})
    else:
        app.output.text(f"Dropped {', '.join(names)}.")


for _each in (status, create, drop):
    index.add_command(_each)


def _row(state: IndexState) -> dict[str, object]:
    return {
        "name": state.name,
        "fields": [*state.fields],
        "state": state.state,
        "bytes": state.size,
    }
