"""``beaker-mongo destroy`` and ``clear``."""

from collections.abc import Sequence
from typing import Any

from click import argument, command, option

from beaker_mongo_soajs.cli.application import Application, pass_application
from beaker_mongo_soajs.cli.asking import ask, ask_for_name
from beaker_mongo_soajs.cli.failures import UsageFailure
from beaker_mongo_soajs.cli.output import format_option
from beaker_mongo_soajs.cli.selecting import make_selection, resolve_handles, selection_options
from beaker_mongo_soajs.sessions.inventory import SessionInventory
from beaker_mongo_soajs.sessions.store import SessionStore


@command()
@argument("handles", nargs=-1, metavar="[HANDLE]...")
@selection_options
@option("--dry-run", is_flag=True, help="Only count the sessions.")
@option("--yes", is_flag=True, help="Do not ask.")
@format_option()
@pass_application
def destroy(
    app: Application,
    handles: tuple[str, ...],
    user: str | None,
    where: Sequence[tuple[str, tuple[Any, ...]]],
    dry_run: bool,
    yes: bool,
    output_format: str,
) -> None:
    """End sessions: their users are logged out.

    Name the sessions by their handles, or select them with --user and --where.
    """
    selection = make_selection(app, user, where)
    if bool(handles) == bool(selection.where):
        raise UsageFailure("Give handles, or --user or --where.")
    inventory = SessionInventory(app.config)
    ids = resolve_handles(app, inventory, handles) if handles else []
    found = None
    if dry_run or not yes:
        with app.output.status("Counting the sessions"):
            found = len(ids) if handles else inventory.count(selection)
    if found and not dry_run:
        ask(f"End {_sessions(found)} in {_place(app)}?")
    if dry_run or found == 0:
        destroyed = 0
    elif handles:
        destroyed = inventory.destroy(ids)
    else:
        destroyed = inventory.destroy_selected(selection)
    if output_format == "json":
        app.output.json({"found": destroyed if found is None else found, "destroyed": destroyed})
    elif dry_run:
        app.output.text(f"{_sessions(found or 0)} would be ended.")
    else:
        app.output.text(f"{_sessions(destroyed)} ended.")


@command()
@option("--expired", is_flag=True, help="Only delete the documents of expired sessions.")
@option("--yes", is_flag=True, help="Do not ask for the name of the database.")
@format_option()
@pass_application
def clear(app: Application, expired: bool, yes: bool, output_format: str) -> None:
    """Delete all sessions. The collection and its indexes stay."""
    if not yes:
        what = "the documents of expired sessions" if expired else "all sessions"
        ask_for_name(app.config.database, f"This deletes {what} in {_place(app)}.")
    if expired:
        deleted = SessionInventory(app.config).clear_expired()
    else:
        deleted = SessionStore(app.config).clear()
    if output_format == "json":
        app.output.json({"deleted": deleted})
    else:
        app.output.text(f"{deleted} document{'s' * (deleted != 1)} deleted.")


def _sessions(number: int) -> str:
    return f"{number} session{'s' * (number != 1)}"


def _place(app: Application) -> str:
    return f"{app.config.database}.{app.config.collection}"
