"""The list of mutants that change nothing, for ``make mutate``."""

import tomllib
from typing import Any

from tests.repository import ROOT

PACKAGE = ROOT / "beaker_mongo_soajs"
EQUIVALENTS: dict[str, list[dict[str, Any]]] = tomllib.loads(
    (ROOT / "tests" / "mutation" / "equivalents.toml").read_text()
)


def test_equivalent_mutants() -> None:
    """Each equivalent mutant is one of a line that its module has, and has a reason."""
    for module, rows in EQUIVALENTS.items():
        lines = {line.strip() for line in (PACKAGE / f"{module}.py").read_text().splitlines()}
        for row in rows:
            assert {"before", "after", "reason"} == row.keys()
            assert row["before"] in lines, f"{module} has no line {row['before']}"
