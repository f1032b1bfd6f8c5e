"""``beaker-mongo list`` and ``show``."""

import csv
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from click import argument, command, echo, option
from rich.table import Table

from beaker_mongo_soajs.cli.application import Application, pass_application
from beaker_mongo_soajs.cli.failures import Failure
from beaker_mongo_soajs.cli.output import format_option, json_value, to_iso
from beaker_mongo_soajs.cli.selecting import (
    make_selection,
    resolve_handles,
    selection_options,
    shorten,
)
from beaker_mongo_soajs.cli.values import (
    Duration,
    show_future,
    show_past,
    show_size,
)
from beaker_mongo_soajs.exceptions import MASK
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.sessions.inventory import Row, SessionInventory
from beaker_mongo_soajs.sessions.stored import StorageForm

_MOST_SHORTENED = 1000
"""In longer lists, handles are shown in full: telling them apart would take memory for all."""

_ROWS_AT_ONCE = 500

_FIELDS = ("handle", "user", "created", "last_used", "expires", "bytes")


@command("list")
@selection_options
@option("--idle", type=Duration(), help="Only sessions not used for this long: 1h.")
@option("--older", type=Duration(), help="Only sessions that began this long ago: 30d.")
@option("--limit", type=int, default=50, show_default=True, help="How many at most; 0 for all.")
@format_option("table", "json", "csv")
@pass_application
def list_sessions(
    app: Application,
    user: str | None,
    where: Sequence[tuple[str, tuple[Any, ...]]],
    idle: float | None,
    older: float | None,
    limit: int,
    output_format: str,
) -> None:
    """List sessions by their handles.

    A handle is a public name: nobody can log in with it. Commands take its first characters.
    """
    selection = make_selection(app, user, where)
    selection = replace(selection, idle_seconds=idle, older_seconds=older)
    limit = max(limit, 0)
    found = SessionInventory(app.config).rows(selection, limit + 1 if limit else 0)
    rows = itertools.islice(found, limit or None)
    named = _with_short_handles(list(rows)) if 0 < limit <= _MOST_SHORTENED else _with_handles(rows)
    {"table": _print_table, "json": _print_json, "csv": _print_csv}[output_format](app, named)
    if limit and next(found, None) is not None:
        app.output.message(f"There are more than {limit} sessions; --limit 0 lists all.")


def _with_short_handles(rows: list[Row]) -> Iterable[tuple[str, Row]]:
    return zip(shorten([row.stored_id.handle for row in rows]), rows, strict=True)


def _with_handles(rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
    return ((row.stored_id.handle, row) for row in rows)


def _fields(handle: str, row: Row) -> dict[str, Any]:
    dates = (row.created, row.last_used, row.expires)
    texts = (None if date is None else to_iso(date) for date in dates)
    return dict(zip(_FIELDS, (handle, row.user, *texts, row.size), strict=True))


def _print_json(_: Application, rows: Iterable[tuple[str, Row]]) -> None:
    separator = "["
    for handle, row in rows:
        echo(f"{separator}\n  {json.dumps(_fields(handle, row), ensure_ascii=False)}", nl=False)
        separator = ","
    echo("[]" if separator == "[" else "\n]")


def _print_csv(_: Application, rows: Iterable[tuple[str, Row]]) -> None:
    writer = csv.DictWriter(sys.stdout, _FIELDS, lineterminator="\n")
    writer.writeheader()
    for handle, row in rows:
        writer.writerow(_fields(handle, row))
    sys.stdout.flush()


def _print_table(app: Application, rows: Iterable[tuple[str, Row]]) -> None:
    remaining = iter(rows)
    is_first = True
    while part := list(itertools.islice(remaining, _ROWS_AT_ONCE)):
        app.output.text(_make_table(part, show_header=is_first))
        is_first = False
    if is_first:
        app.output.text("There are no such sessions.")


def _make_table(rows: Iterable[tuple[str, Row]], *, show_header: bool) -> Table:
    now = utc_now()
    table = Table(box=None, header_style="bold", pad_edge=False, show_header=show_header)
    table.add_column("Handle")
    table.add_column("User", min_width=8)
    for name, width in (("Began", 9), ("Last use", 9), ("Expires", 8)):
        table.add_column(name, no_wrap=True, min_width=width)
    table.add_column("Size", justify="right", min_width=7)
    for handle, row in rows:
        table.add_row(
            handle,
            row.user or ("(unreadable)" if row.problem else ""),
            show_past(row.created, now),
            show_past(row.last_used, now),
            show_future(row.expires, now),
            show_size(row.size),
        )
    return table


@command()
@argument("handle")
@option("--reveal", is_flag=True, help="Show the values of the session.")
@format_option()
@pass_application
def show(app: Application, handle: str, reveal: bool, output_format: str) -> None:
    """Show one session. Its values are masked, unless --reveal is given."""
    inventory = SessionInventory(app.config)
    (stored_id,) = resolve_handles(app, inventory, [handle])
    found = inventory.read(stored_id)
    if found is None:
        raise Failure("The session has ended meanwhile.")
    row, session = found
    values = {str(key): value if reveal else _mask(value) for key, value in session.items()}
    facts = _fields(row.stored_id.handle, row) | {"form": row.form}
    if output_format == "json":
        app.output.json(facts | {"values": {key: _plain(value) for key, value in values.items()}})
        return
    now = utc_now()
    _print_pairs(
        app,
        {
            "Handle": row.stored_id.handle,
            "User": row.user or "",
            "Began": show_past(row.created, now),
            "Last use": show_past(row.last_used, now),
            "Expires": show_future(row.expires, now),
            "Size": show_size(row.size),
            "Stored as": row.form,
        },
    )
    if row.form == StorageForm.ENCRYPTED.value:
        app.output.text("\nThe values are encrypted with encrypt_key.")
    elif values:
        app.output.text("\nValues")
        _print_pairs(app, {f"  {key}": _show(value) for key, value in values.items()})


def _print_pairs(app: Application, pairs: dict[str, str]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in pairs.items():
        table.add_row(name, text)
    app.output.text(table)


def _mask(value: object) -> str:
    """Return the type and the length of a value."""
    kind = type(value).__name__
    try:
        return f"{MASK} ({kind}, length {len(value)})"  # type: ignore[arg-type]
    except TypeError:
        return f"{MASK} ({kind})"


def _show(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Return a value as JSON can show it, also keys that are no texts."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return json_value(value)
