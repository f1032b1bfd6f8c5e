"""The files that a run writes."""

import json
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chart import draw
from benchmarks.figures import Figures
from benchmarks.page import charts, page
from benchmarks.raw import raw_figures
from benchmarks.report import report
from benchmarks.run import Run

ROOT = Path(__file__).resolve().parent.parent

DOCUMENT = Path("docs", "performance.md")
RESULTS = Path("benchmarks", "results")
IMAGES = Path("docs", "images")

Marks = tuple[str, str]


def marks(command: str) -> Marks:
    """Return the lines around what a command writes into the documentation."""
    return f"<!-- written by `{command}` -->", f"<!-- end of what `{command}` writes -->"


BEGIN, END = marks("make bench")


def write(run: Run, root: Path = ROOT) -> list[Path]:
    """Write the results of a run, and update the documentation.

    :param run: the run.
    :param root: the root of the repository.
    :returns: the paths of the files.
    """
    day = datetime.now(UTC).date().isoformat()
    tables = root / RESULTS / f"{day}.md"
    raw = tables.with_suffix(".json")
    tables.parent.mkdir(parents=True, exist_ok=True)
    tables.write_text(f"# Cost of sessions, {day}\n\n{report(run)}")
    raw.write_text(json.dumps(raw_figures(run), indent=1) + "\n")
    return [tables, raw, *update(raw, root)]


def update(raw: Path, root: Path = ROOT) -> list[Path]:
    """Update the documentation and its charts with the figures of a run.

    :param raw: the JSON file with the raw figures.
    :param root: the root of the repository.
    :returns: the paths of the files.
    """
    figures = Figures.read(json.loads(raw.read_text()))
    files = f"`{RESULTS}/{raw.stem}.md` and `{raw.name}`"
    link = f"All figures of this run are in {files} of the repository.\n"
    document = root / DOCUMENT
    document.write_text(replaced(document.read_text(), f"{page(figures)}\n{link}"))
    images = root / IMAGES
    images.mkdir(parents=True, exist_ok=True)
    return [document, *(draw(chart, images) for chart in charts(figures))]


def replaced(text: str, content: str, within: Marks = (BEGIN, END)) -> str:
    """Return a document with new content between its marks.

    :param text: the document.
    :param content: the new content.
    :param within: the marks.
    :raises ValueError: the document has no marks.
    """
    begin, end = within
    before, first, rest = text.partition(f"{begin}\n")
    _, last, after = rest.partition(end)
    if not first or not last:
        raise ValueError(f"the document lacks the marks {begin} and {end}")
    return f"{before}{begin}\n\n{content}\n{end}{after}"
