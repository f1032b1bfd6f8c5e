"""A pytest plugin for the loop while writing: ``pytest --fast``, which ``make test-fast`` runs.

It leaves out tests of the integrations and of the command line, tests that start processes or
servers of their own, that pause the server, or that are marked as slow.
"""

import pytest

_FOLDERS = frozenset(
    {"applications", "cli", "demo", "django", "flask", "frameworks", "interleavings", "metrics"}
    | {"migration", "node", "testing", "tools"}
)
_FIXTURES = frozenset(
    {"auth_server", "distributions", "foreign_server", "fork_python", "mongo_server"}
    | {"replica_set", "replica_set_of_one", "run_python", "start_python", "strict_server"}
    | {"tls_server", "workers"}
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--fast", action="store_true", help="leave out the slow tests")


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", "slow: starts processes or servers, or waits for seconds")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the slow tests."""
    if config.getoption("fast"):
        config.hook.pytest_deselected(items=[item for item in items if is_slow(item)])
        items[:] = [item for item in items if not is_slow(item)]


def is_slow(item: pytest.Item) -> bool:
    """Tell whether a test is left out."""
    return bool(
        item.get_closest_marker("slow")
        or _FOLDERS.intersection(item.path.parts)
        or _FIXTURES.intersection(getattr(item, "fixturenames", ()))
    )
