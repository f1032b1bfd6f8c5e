"""A pytest plugin that records a passed run and its versions: ``pytest --record FILE``.

``tests.matrix`` makes its tables from these records.
"""

import json
from pathlib import Path

import pytest

from tests.versions import find_all


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--record", type=Path, help="record passed tests and versions in this file")


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", "tables: checks the tables that are made from the records")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of the tables, which are written after the records."""
    if config.getoption("record") is not None:
        tables = [item for item in items if item.get_closest_marker("tables")]
        config.hook.pytest_deselected(items=tables)
        items[:] = [item for item in items if item not in tables]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the record if the run passed; remove an earlier one if it failed."""
    path: Path | None = session.config.getoption("record")
    if path is None or hasattr(session.config, "workerinput"):
        # The workers of pytest-xdist send their results to the process that writes the record.
        return
    path.unlink(missing_ok=True)
    if exitstatus == pytest.ExitCode.OK:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        counts = {
            outcome: len(reporter.stats.get(outcome, ())) for outcome in ("passed", "skipped")
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(counts | {"versions": find_all()}, indent=1))
