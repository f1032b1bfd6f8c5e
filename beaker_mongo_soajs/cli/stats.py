"""``beaker-mongo stats``."""

import io
import time
from dataclasses import asdict

from click import command, option
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from beaker_mongo_soajs.cli.application import Application, pass_application
from beaker_mongo_soajs.cli.output import WIDE, format_option
from beaker_mongo_soajs.cli.values import Duration, show_size
from beaker_mongo_soajs.mongo.admin_collection import AdminCollection
from beaker_mongo_soajs.sessions.statistics import Statistics, collect_statistics

_BAR_WIDTH = 30


@command()
@option("--watch", is_flag=True, help="Repeat, until Ctrl-C.")
@option(
    "--every", type=Duration(), default="2s", show_default=True, help="The interval of --watch."
)
@format_option()
@pass_application
def stats(app: Application, watch: bool, every: float, output_format: str) -> None:
    """Count the sessions, their sizes, their ages and how long they have been idle.

    The server reads all documents once for it.
    """
    collection = AdminCollection(app.config)
    with app.output.status("Counting the sessions"):
        found = collect_statistics(collection)
    if output_format == "json" or not app.output.is_terminal:
        _print(app, found, output_format)
        while watch:
            time.sleep(every)
            _print(app, collect_statistics(collection), output_format)
    elif watch:
        with Live(_render(found), console=app.output.console, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                live.update(_render(collect_statistics(collection)), refresh=True)
    else:
        _print(app, found, output_format)


def _print(app: Application, found: Statistics, output_format: str) -> None:
    if output_format == "json":
        app.output.json(asdict(found))
    else:
        app.output.text(_render(found))


def plain_lines(found: Statistics) -> list[str]:
    """Return the text of the command as lines, without colours.

    :param found: the numbers.
    """
    console = Console(width=WIDE, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(_render(found))
    return [line.rstrip() for line in capture.get().splitlines()]


def _render(found: Statistics) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column(justify="right", min_width=10)
    for name, text in (
        ("Live sessions", f"{found.live:,}"),
        ("Expired, not removed yet", f"{found.expired:,}"),
        ("Old ids of sessions", f"{found.moved:,}"),
        ("Median size", show_size(found.median_size)),
        ("95 % are smaller than", show_size(found.p95_size)),
        ("Largest", show_size(found.largest_size)),
        ("All live sessions", show_size(found.total_size)),
        ("On the disk", show_size(found.storage_size)),
        *((f"Index {name}", show_size(size)) for name, size in found.indexes.items()),
    ):
        facts.add_row(name, text)
    return Group(
        facts,
        Text("\nBegan", style="bold"),
        _histogram(found.ages),
        Text("\nLast use", style="bold"),
        _histogram(found.idles),
    )


def _histogram(counts: dict[str, int]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="cyan")
    most = max(counts.values(), default=0) or 1
    for name, number in counts.items():
        if number or name != "unknown":
            table.add_row(f"  {name}", f"{number:,}", "█" * round(_BAR_WIDTH * number / most))
    return table
