"""The settings of ``make mutate``."""

import tomllib
from typing import Any

from tests.repository import ROOT

PACKAGE = ROOT / "beaker_mongo_soajs"
TESTS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "mutation"
]["tests"]
EQUIVALENTS: dict[str, list[dict[str, Any]]] = tomllib.loads(
    (ROOT / "tests" / "mutation" / "equivalents.toml").read_text()
)


def test_modules_and_tests_exist() -> None:
    """Each module and folder that is listed exists, and so do its tests."""
    named = [path for paths in TESTS.values() for path in paths]
    assert [] == [path for path in named if not (ROOT / path).exists()]
    assert [] == [
        name
        for name in TESTS
        if not any((PACKAGE / f"{name}{end}").exists() for end in ("", ".py"))
    ]


def test_equivalent_mutants() -> None:
    """Each equivalent mutant is one of a line that its module has, and has a reason."""
    for module, rows in EQUIVALENTS.items():
        lines = {line.strip() for line in (PACKAGE / f"{module}.py").read_text().splitlines()}
        for row in rows:
            assert {"before", "after", "reason"} == row.keys()
            assert row["before"] in lines, f"{module} has no line {row['before']}"
