"""``beaker-mongo migrate``."""

import dataclasses
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from click import Choice, Context, command, option, pass_context
from click.core import ParameterSource
from rich.padding import Padding

from beaker_mongo_soajs.cli.application import Application, pass_application
from beaker_mongo_soajs.cli.failures import FINDINGS, UsageFailure
from beaker_mongo_soajs.cli.output import format_option
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.migrate_from import GROUP, MigrateFrom
from beaker_mongo_soajs.middleware import check_options
from beaker_mongo_soajs.options.migrate_from import TYPES
from beaker_mongo_soajs.session import MongoSession
from beaker_mongo_soajs.sessions.coder import SessionCoder
from beaker_mongo_soajs.sessions.migration import MOST_NAMED, Migration, migrate
from beaker_mongo_soajs.sessions.moving import Move
from beaker_mongo_soajs.sessions.store import SessionStore

_SOURCES = {"file": "fileDir", "dbm": "dbmDir", "ext:mongodb_soajs": "collection"}
SOURCE_VARIABLE = "BEAKER_MONGO_SOURCE"


@command("migrate")
@option("--from", "kind", type=Choice(TYPES), help="The type of the old backend.")
@option(
    "--source",
    metavar="URL|FOLDER|COLLECTION",
    envvar=SOURCE_VARIABLE,
    help=f"Where its sessions are. A URL with a password belongs in {SOURCE_VARIABLE}.",
)
@option(
    "--trust-pickles",
    is_flag=True,
    help="Load pickles. They run code, so whoever can write to the old backend can run code in this"
    " command.",
)
@option("--keep", is_flag=True, help="Leave the moved sessions in the old backend.")
@option("--dry-run", is_flag=True, help="Only count, and name what cannot be stored.")
@format_option()
@pass_application
@pass_context
def migrate_sessions(
    context: Context,
    app: Application,
    kind: str | None,
    source: str | None,
    trust_pickles: bool,
    keep: bool,
    dry_run: bool,
    output_format: str,
) -> None:
    """Move all sessions of another backend into the collection.

    Without --from, store.migrateFrom of the configuration is used. A session that is here is never
    overwritten. After an interruption, run the command again.
    """
    options = _read_source(context, app, kind, source)
    options = dataclasses.replace(
        options,
        trust_pickles=options.trust_pickles or trust_pickles,
        keep=options.keep or keep,
    )
    store, coder = _open(app, options)
    mover = store.mover
    assert mover is not None
    try:
        with app.output.progress("Migrating", mover.source.count()) as advance:
            migration = migrate(mover, coder, dry_run=dry_run, on_progress=advance)
    finally:
        mover.source.close()
    if output_format == "json":
        app.output.json(_as_json(migration, dry_run=dry_run))
    else:
        _print(app, migration, dry_run=dry_run)
    if migration.failed:
        context.exit(FINDINGS)


def _read_source(
    context: Context, app: Application, kind: str | None, source: str | None
) -> MigrateFrom:
    if kind is None:
        configured = app.config.store.migrate_from
        if configured is None:
            raise UsageFailure(
                "There is no old backend. Give --from and --source, or set store.migrateFrom in the"
                " configuration."
            )
        return configured
    is_argument = context.get_parameter_source("source") is ParameterSource.COMMANDLINE
    if source and is_argument and "://" in source and urlsplit(source).password:
        raise UsageFailure(
            "--source has a password, and other users of this machine can see arguments. Set the "
            f"environment variable {SOURCE_VARIABLE} instead."
        )
    if not source:
        raise UsageFailure("--source is missing. Give the URL, the folder or the collection.")
    folder = Path(source, f"container_{kind}")
    if kind in ("file", "dbm") and folder.is_dir():
        # It is Beaker's data_dir.
        source = str(folder)
    values: dict[Any, Any] = {(*GROUP, "type"): kind}
    values[*GROUP, _SOURCES.get(kind, "url")] = source
    made = MigrateFrom.from_values(values)
    assert made is not None
    return made


def _open(app: Application, options: MigrateFrom) -> tuple[SessionStore, SessionCoder]:
    """Return the store, and how the application's sessions are stored: encrypted, if it does so."""

    def with_source(config: DbConfig) -> DbConfig:
        store = dataclasses.replace(config.store, migrate_from=options)
        return dataclasses.replace(config, store=store)

    settings = app.settings
    if settings.made is not None:
        store = SessionStore(with_source(settings.made))
        return store, store.record().coder
    with warnings.catch_warnings():
        # The warnings about cookies are for the application.
        warnings.simplefilter("ignore")
        read = check_options(settings.options)
    session: MongoSession = read["session_class"]({}, **read)
    store = SessionStore(with_source(session.config), timeout=session.store.timeout)
    return store, session.coder


def _as_json(migration: Migration, *, dry_run: bool) -> dict[str, Any]:
    moves = migration.moves
    return {
        "dry_run": dry_run,
        "moved": moves[Move.MOVED],
        "present": moves[Move.PRESENT],
        "expired": moves[Move.EXPIRED],
        "empty": moves[Move.EMPTY],
        "failed": migration.failed,
        "failures": [{"handle": handle, "reason": reason} for handle, reason in migration.named],
    }


def _print(app: Application, migration: Migration, *, dry_run: bool) -> None:
    moves = migration.moves
    moved = f"{moves[Move.MOVED]} {'can be moved' if dry_run else 'moved'}"
    others = (
        f"{moves[Move.PRESENT]} already here, {moves[Move.EXPIRED]} expired, "
        f"{moves[Move.EMPTY]} empty"
    )
    app.output.text(f"Sessions: {moved}, {others}, {migration.failed} cannot be moved.")
    by_reason: dict[str, list[str]] = {}
    for handle, reason in migration.named:
        by_reason.setdefault(reason, []).append(handle)
    for reason, handles in by_reason.items():
        app.output.text(reason, Padding(", ".join(handles), (0, 0, 0, 2), expand=False))
    if migration.failed > MOST_NAMED:
        app.output.text(f"The first {MOST_NAMED} of them are named.")
