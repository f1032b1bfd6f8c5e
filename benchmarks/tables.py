"""The figures of a run as tables in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from benchmarks.cells import Cell, Spec
from benchmarks.contenders import BEAKER, CONTENDERS, TYPE
from benchmarks.measurement import Group
from benchmarks.plan import MILLION, WITH_BEAKER
from benchmarks.ratios import Ratio, Results
from benchmarks.samples import Samples

Row = Sequence[str]


class HasMedian(Protocol):
    """The figures of a cell."""

    @property
    def median_us(self) -> float:
        """The median time of a request in microseconds."""


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a table in Markdown: a column of text, then columns of numbers.

    :param head: the titles of the columns.
    :param rows: the rows.
    """
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows)) + "\n"


def group_table(group: Group) -> str:
    """Return the figures of a group.

    :param group: a measured group.
    """
    together = group.cells[0].spec.threads > 1
    ours = next(cell.title for cell in group.cells if cell.spec.contender == TYPE)
    to_ours = f"to {ours.replace('*', '')}"
    head = ["", "median µs", "p95", "p99", "processor µs", to_ours, "to `ext:mongodb`"]
    head += ["requests/s"] if together else []
    rows = []
    for cell in group.cells:
        spec = cell.spec
        samples = group.samples[spec]
        row = [
            _title(cell, group.samples),
            *map(_us, (samples.median_us, samples.p95_us, samples.p99_us, samples.cpu_us)),
            *(_times(samples, group.samples.get(spec.of(name))) for name in (TYPE, BEAKER)),
        ]
        rows.append([*row, f"{samples.throughput:,.0f}"] if together else row)
    return table(head, rows)


def medians_table(columns: Mapping[str, Spec], results: Mapping[Spec, HasMedian]) -> str:
    """Return the medians of several groups in one table, in microseconds.

    :param columns: the specs of the columns, for any contender, by title.
    :param results: the results of a run.
    """
    rows = []
    for name, contender in CONTENDERS.items():
        if name in WITH_BEAKER:
            continue
        found = [results.get(spec.of(name)) for spec in columns.values()]
        if any(found):
            medians = ["" if each is None else _us(each.median_us) for each in found]
            rows.append([contender.title, *medians])
    return table(["", *columns], rows)


def ratios_table(ratios: Iterable[Ratio], results: Results) -> str:
    """Return ratios of medians as a table.

    :param ratios: the ratios.
    :param results: the results of a run.
    """
    rows = []
    for ratio in ratios:
        by_time = by_processor = "—"
        if ratio.is_measured(results):
            by_time = f"{ratio.by_time(results):.2f}"
            if ratio.by_processor:
                by_processor = f"{ratio.by_processor_time(results):.2f}"
        rows.append([ratio.title, by_time, by_processor])
    return table(["median / median", "by time", "by processor time"], rows)


def _title(cell: Cell, samples: Mapping[Spec, Samples]) -> str:
    if len({spec.sessions for spec in samples}) == 1:
        return cell.title
    return f"{cell.title}, among a {'million' if cell.spec.sessions == MILLION else 'thousand'}"


def _times(samples: Samples, other: Samples | None) -> str:
    return "—" if other is None else f"{samples.median_us / other.median_us:.2f}"


def _us(microseconds: float) -> str:
    return f"{microseconds:,.0f}" if microseconds >= 100 else f"{microseconds:,.1f}"
