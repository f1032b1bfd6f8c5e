"""A pytest plugin that reports how many orders of commands were played, by all processes."""

import pytest

PLAYED = "orders, games and complete games"
"""The property of a test with these numbers."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report the sums."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    played = [
        value
        for report in reports
        if getattr(report, "when", None) == "teardown"
        for name, value in report.user_properties
        if name == PLAYED
    ]
    if played:
        orders, games, complete = map(sum, zip(*played, strict=True))
        terminalreporter.write_line(
            f"{orders} orders of commands were played: all orders in {complete} of {games} games."
        )
