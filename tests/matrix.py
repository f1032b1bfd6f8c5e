"""Write the tables of tested versions: ``python -m tests.matrix``.

The tables are made from the records of the tox environments (``tests.run_record``).
``docs/tested.md`` lists each environment, and the README lists each version in them. They are
written only if all environments that run tests have passed.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.repository import ROOT
from tests.versions import NAMES

_RECORDS = ROOT / ".tox" / "ran"
_TESTED = ROOT / "docs" / "tested.md"
_README = ROOT / "README.md"
_BEGIN, _END = "<!-- made by tests.matrix -->\n", "<!-- end -->\n"
_SEPARATOR = " · "

Versions = Mapping[str, str]


def environments() -> list[str]:
    """Return the names of the environments that run the tests, in the order of ``tox.ini``."""
    # Within tox, its own variables would be read as options.
    env = {name: value for name, value in os.environ.items() if not name.startswith("TOX_")}
    tox = [sys.executable, "-P", "-m", "tox", "list", "--no-desc", "-q"]
    listing = subprocess.run(tox, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return [name for name in listing.stdout.split() if re.match(r"py\d|pylons", name)]


def ran() -> dict[str, Versions]:
    """Return the versions of each environment in ``docs/tested.md``."""
    rows = re.findall(r"(?m)^\| `(.+?)` \| .+? \| (.+?) \|$", _TESTED.read_text())
    return {
        environment: dict(_split(version) for version in versions.split(_SEPARATOR))
        for environment, versions in rows
    }


def in_readme() -> str:
    """Return the table in the README."""
    return _README.read_text().partition(_BEGIN)[2].partition(_END)[0]


def table_of_versions(runs: Mapping[str, Versions]) -> str:
    """Return the README's table.

    :param runs: the versions of each environment.
    """
    lines = ["| | the tests passed with |", "| --- | --- |"]
    for name in NAMES:
        found = {versions[name] for versions in runs.values() if name in versions}
        if found:
            lines.append(f"| {name} | {', '.join(sorted(found, key=_numbers))} |")
    return "\n".join(lines) + "\n"


def _table_of_runs(records: Mapping[str, dict[str, object]]) -> str:
    lines = ["| environment | tests | versions |", "| --- | --- | --- |"]
    for environment, record in records.items():
        versions = record["versions"]
        assert isinstance(versions, dict)
        found = _SEPARATOR.join(f"{name} {version}" for name, version in versions.items())
        skipped = f", {record['skipped']} skipped" if record["skipped"] else ""
        lines.append(f"| `{environment}` | {record['passed']:,}{skipped} | {found} |")
    return "\n".join(lines) + "\n"


def _split(text: str) -> tuple[str, str]:
    name, _, version = text.rpartition(" ")
    return name, version


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _replace_table(path: Path, table: str) -> None:
    before, begin, rest = path.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert end, f"{path} has no marks for the table"
    path.write_text(before + begin + table + end + after)


def main() -> None:
    """Write both tables."""
    files = {name: _RECORDS / f"{name}.json" for name in environments()}
    missing = [name for name, path in files.items() if not path.exists()]
    if missing:
        sys.exit(f"Environments have not passed. Run: tox run -e {','.join(missing)}")
    records = {name: json.loads(path.read_text()) for name, path in files.items()}
    _replace_table(_TESTED, _table_of_runs(records))
    _replace_table(_README, table_of_versions(ran()))


if __name__ == "__main__":
    main()
