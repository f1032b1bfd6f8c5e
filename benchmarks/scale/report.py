"""The report of the measurements, and its files."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.files import DOCUMENT, RESULTS, marks, replaced
from benchmarks.machine import machine, versions
from benchmarks.tables import table

MARKS = marks("make bench-scale")

Parts = Mapping[str, dict[str, Any]]


def report(parts: Parts) -> str:
    """Return the tables in Markdown.

    :param parts: the results of parts, by name.
    """
    texts = []
    for part in parts.values():
        texts.append(f"### {part['title']}\n\n{table(part['head'], part['rows'])}")
        texts += [f"{note}\n" for note in part["notes"]]
    return "\n".join(texts)


def write(parts: Parts, root: Path) -> list[Path]:
    """Write the results beside those of other parts of the same day, and update the documentation.

    :param parts: the results of parts, by name.
    :param root: the root of the repository.
    :returns: the paths of the files.
    """
    day = datetime.now(UTC).date().isoformat()
    tables = root / RESULTS / f"{day}-scale.md"
    raw = tables.with_suffix(".json")
    document = root / DOCUMENT
    tables.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(raw.read_text())["parts"] if raw.exists() else {}
    everything = before | dict(parts)
    where = machine()
    figures = {"machine": where, "versions": versions({}), "parts": everything}
    raw.write_text(json.dumps(figures, indent=1) + "\n")
    text = report(everything)
    tables.write_text(f"# Sessions in large numbers, {day}\n\n{text}")
    conditions = f"{where['cores']} cores ({where['processor']}), {where['system']}."
    link = f"Unrounded: [raw figures](../{RESULTS}/{raw.name})."
    content = f"{conditions} {link}\n\n{text}"
    document.write_text(replaced(document.read_text(), content, MARKS))
    return [tables, raw, document]
