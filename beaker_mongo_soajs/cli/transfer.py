"""``beaker-mongo export`` and ``import``."""

import sys
from dataclasses import asdict
from pathlib import Path

from click import argument, command
from click.exceptions import Exit

from beaker_mongo_soajs.cli.application import Application, pass_application
from beaker_mongo_soajs.cli.failures import FINDINGS, Failure, UsageFailure
from beaker_mongo_soajs.cli.output import format_option
from beaker_mongo_soajs.mongo.admin_collection import AdminCollection
from beaker_mongo_soajs.sessions.exporting import ExportResult, export_file, export_stream
from beaker_mongo_soajs.sessions.importing import ImportResult, import_file, import_stream
from beaker_mongo_soajs.sessions.json_lines import DamagedLineError

_STREAM = "-"
_AGAIN = "Interrupted. Run the same command again to continue."


@command("export")
@argument("file", metavar="FILE.jsonl")
@format_option()
@pass_application
def export_sessions(app: Application, file: str, output_format: str) -> None:
    """Write all live sessions to a file, as MongoDB extended JSON.

    The file has one session a line, with its id: keep it as secret as the database. If the export
    was interrupted, the same command continues it. FILE may be - for standard output.
    """
    collection = AdminCollection(app.config)
    if file == _STREAM:
        _finish_export(app, export_stream(collection, sys.stdout.buffer), output_format, "")
        return
    path = Path(file)
    try:
        with app.output.progress("Exporting", collection.estimate()) as advance:
            result = export_file(collection, path, advance)
    except FileExistsError:
        raise UsageFailure(f"{path} exists. Give another name, or remove it.") from None
    except DamagedLineError as error:
        raise Failure(
            f"The unfinished file beside {path} is damaged. Remove {path}.*.part and start again."
        ) from error
    except OSError as error:
        raise UsageFailure(f"{path} cannot be written: {error.strerror}.") from error
    except KeyboardInterrupt:
        app.output.message(_AGAIN)
        raise
    _finish_export(app, result, output_format, f" to {path}")


@command("import")
@argument("file", metavar="FILE.jsonl")
@format_option()
@pass_application
def import_sessions(app: Application, file: str, output_format: str) -> None:
    """Store the sessions of a file that export wrote.

    Sessions whose id exists are left alone. If the import was interrupted, the same command
    continues it. FILE may be - for standard input. The exit code is 1 if a line holds no session.
    """
    collection = AdminCollection(app.config)
    if file == _STREAM:
        _finish_import(app, import_stream(collection, sys.stdin.buffer), output_format)
        return
    path = Path(file)
    try:
        size = path.stat().st_size
        with app.output.progress("Importing", size, in_bytes=True) as advance:
            result = import_file(collection, path, advance)
    except OSError as error:
        raise UsageFailure(f"{path} cannot be read: {error.strerror}.") from error
    except KeyboardInterrupt:
        app.output.message(_AGAIN)
        raise
    _finish_import(app, result, output_format)


def _finish_export(app: Application, result: ExportResult, output_format: str, where: str) -> None:
    if not where:
        # Standard output has the sessions.
        app.output.message(f"Exported {result.sessions} sessions.")
    elif output_format == "json":
        app.output.json(result._asdict())
    else:
        resumed = f", {result.resumed} of them before" if result.resumed else ""
        app.output.text(f"Exported {result.sessions} sessions{where}{resumed}.")
    if result.skipped:
        app.output.message(
            f"{result.skipped} documents cannot be written as extended JSON: they have names with a"
            " dollar sign."
        )
        raise Exit(FINDINGS)


def _finish_import(app: Application, result: ImportResult, output_format: str) -> None:
    if output_format == "json":
        app.output.json(asdict(result))
    else:
        resumed = f" The first {result.resumed} lines were done before." if result.resumed else ""
        app.output.text(
            f"Imported {result.inserted} sessions; {result.existing} existed, {result.expired} have"
            f" expired.{resumed}"
        )
    if result.damaged:
        lines = ", ".join(map(str, result.damaged_lines))
        more = " …" if result.damaged > len(result.damaged_lines) else ""
        app.output.message(
            f"{result.damaged} lines hold no session: {lines}{more}. The file may be cut off, or"
            " signed for another database or collection."
        )
        raise Exit(FINDINGS)
