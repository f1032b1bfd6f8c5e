"""``beaker-mongo check``."""

from collections.abc import Iterable, Iterator

from click import command, option
from click.exceptions import Exit
from rich.table import Table
from rich.text import Text

from beaker_mongo_soajs.cli.application import Application, pass_application
from beaker_mongo_soajs.cli.failures import FINDINGS, UNAVAILABLE
from beaker_mongo_soajs.cli.output import Output, format_option
from beaker_mongo_soajs.cli.values import Duration
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.mongo.findings import Finding, Level, problem
from beaker_mongo_soajs.mongo.setup_check import check_setup

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_TOPIC_WIDTH = 14


@command()
@option(
    "--wait",
    type=Duration(),
    default="10s",
    show_default=True,
    help="How long to wait for an answer.",
)
@option("--strict", is_flag=True, help="Warnings are findings, too.")
@format_option()
@pass_application
def check(app: Application, wait: float, strict: bool, output_format: str) -> None:
    """Check the configuration, the server, the rights, the indexes and the clock.

    The check changes nothing. The exit code is 1 if there is a problem, and 3 if the server cannot
    be reached.
    """
    findings = _print(app.output, find_all(app, wait), output_format)
    levels = {finding.level for finding in findings}
    if any(_is_unreachable(finding) for finding in findings):
        raise Exit(UNAVAILABLE)
    if Level.PROBLEM in levels or (strict and Level.WARNING in levels):
        raise Exit(FINDINGS)


def find_all(app: Application, wait_seconds: float) -> Iterator[Finding]:
    """Yield all findings about the set-up of an application.

    :param app: the application.
    :param wait_seconds: how long to wait for each answer of the server.
    """
    settings = app.settings
    try:
        config = app.config
    except ConfigError as error:
        for each in error.errors:
            yield problem("configuration", f"{each.args[0]} ({settings.origin})", each.hint or "")
        return
    yield from check_setup(config, wait_seconds)


def to_rows(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Return findings as JSON shows them.

    :param findings: the findings.
    """
    return [
        {
            "level": finding.level.name.lower(),
            "topic": finding.topic,
            "text": finding.text,
            "remedy": finding.remedy,
        }
        for finding in findings
    ]


def _print(output: Output, findings: Iterable[Finding], output_format: str) -> list[Finding]:
    if output_format == "json":
        found = [*findings]
        output.json(to_rows(found))
        return found
    seen: list[Finding] = []
    for finding in findings:
        output.text(render(finding))
        seen.append(finding)
    return seen


def render(finding: Finding) -> Table:
    """Return a finding as text: its mark, its topic, what was found and what to do.

    :param finding: the finding.
    """
    style = _STYLES[finding.level]
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1, style=style)
    table.add_column(width=_TOPIC_WIDTH, style="bold")
    table.add_column()
    table.add_row(finding.level.value, finding.topic, Text(finding.text))
    if finding.remedy:
        table.add_row("", "", Text(f"→ {finding.remedy}"))
    return table


def _is_unreachable(finding: Finding) -> bool:
    return finding.level is Level.PROBLEM and finding.topic == "connection"
