"""The figures of a run as tables in Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmarks.cells import Cell, Spec
from benchmarks.contenders import BEAKER, CONTENDERS, TYPE
from benchmarks.measurement import Group
from benchmarks.plan import MILLION, WITH_BEAKER
from benchmarks.samples import Samples
from benchmarks.targets import Results, Target

Row = Sequence[str]


def table(head: Row, rows: Iterable[Row], left: int = 1) -> str:
    """Return a table in Markdown.

    :param head: the titles of its columns.
    :param rows: its rows.
    :param left: how many columns are texts; the others are numbers.
    """
    ruler = ["---" if number < left else "---:" for number in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows)) + "\n"


def group_table(group: Group) -> str:
    """Return the figures of a group.

    :param group: one that was measured.
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


def medians_table(columns: Mapping[str, Spec], results: Results) -> str:
    """Return the medians of several groups in one table, in microseconds.

    :param columns: what a column is of, whoever the contender, by its title.
    :param results: what was measured.
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


def targets_table(targets: Iterable[Target], results: Results) -> str:
    """Return what was wanted beside what was seen.

    :param targets: what was wanted.
    :param results: what was measured.
    """
    head = ["median / median", "wanted", "seen", "", "by processor time"]
    return table(head, _target_rows(targets, results), left=2)


def _target_rows(targets: Iterable[Target], results: Results) -> Iterator[Row]:
    for target in targets:
        if not target.is_measured(results):
            yield [target.title, target.wanted, "—", "not measured", "—"]
            continue
        ratio = target.ratio(results)
        verdict = "reached" if target.is_reached(ratio) else "**not reached**"
        by_cpu = f"{target.processor_ratio(results):.2f}" if target.by_processor else "—"
        yield [target.title, target.wanted, f"{ratio:.2f}", verdict, by_cpu]


def _title(cell: Cell, samples: Mapping[Spec, Samples]) -> str:
    if len({spec.sessions for spec in samples}) == 1:
        return cell.title
    return f"{cell.title}, among a {'million' if cell.spec.sessions == MILLION else 'thousand'}"


def _times(samples: Samples, other: Samples | None) -> str:
    return "—" if other is None else f"{samples.median_us / other.median_us:.2f}"


def _us(microseconds: float) -> str:
    return f"{microseconds:,.0f}" if microseconds >= 100 else f"{microseconds:,.1f}"
