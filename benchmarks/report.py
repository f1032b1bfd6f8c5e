"""The report of a run in Markdown."""

from collections.abc import Container, Iterator

from benchmarks import own_time
from benchmarks.cells import Spec
from benchmarks.contenders import CONTENDERS
from benchmarks.ratios import ratios
from benchmarks.run import Run
from benchmarks.tables import group_table, ratios_table, table
from benchmarks.workloads import WORKLOADS

_LISTED_FUNCTIONS = 12


def report(run: Run) -> str:
    """Return all tables of a run.

    :param run: the run.
    """
    parts = [_conditions(run), *_part("Ratios", ratios_table(ratios(), run.samples))]
    parts += _part("Our own code", _own_time(run), *_functions(run))
    for group in run.groups:
        note = f"Of {group.served:,} requests each.\n"
        parts += _part(group.title, note, group_table(group))
    parts += _part("Besides time, 2 kB", _traffic(run, WORKLOADS))
    parts += _memory_and_dogpiles(run)
    return "\n".join(parts)


def _part(title: str, *content: str) -> list[str]:
    return [f"## {title[0].upper()}{title[1:]}\n", *content]


def _conditions(run: Run) -> str:
    where = run.machine
    load = f"load {where['load']:.1f} before, {run.load_after:.1f} after {run.seconds:.0f} s"
    named = ", ".join(f"{name} {each}" for name, each in run.versions.items())
    lines = [
        f"{where['cores']} cores ({where['processor']}), {where['system']}; {load}.",
        f"Versions: {named}.",
    ]
    lines += [f"Missing: {title}, because {reason}." for title, reason in run.missing.items()]
    for each in run.distances:
        figures = f"{each.median_ms:.2f} ms (median; 95 %: {each.p95_ms:.2f} ms)"
        lines.append(f"1 ms of round trip to {each.server} was {figures} more than on loopback.")
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _own_time(run: Run) -> str:
    head = ["processor µs a request, 2 kB", "sampled", "subtracted"]
    rows = []
    for spec, shares in run.shares.items():
        own = [shares.own_us, own_time.subtracted_us(run.samples, spec)]
        others = [shares.us(shares.owners[owner]) for owner in own_time.OTHERS]
        rows.append([_title(spec), *(f"{figure:.0f}" for figure in (*own, *others))])
    return table([*head, *(f"sampled: {owner}" for owner in own_time.OTHERS)], rows)


def _functions(run: Run) -> Iterator[str]:
    for spec, shares in run.shares.items():
        rows = [
            [f"`{function}`", f"{shares.us(seen):.1f}"]
            for function, seen in shares.functions.most_common(_LISTED_FUNCTIONS)
        ]
        yield table([f"{_title(spec)}, sampled", "µs"], rows)


def _traffic(run: Run, workloads: Container[str]) -> str:
    head = ["", "commands", "bytes sent", "bytes received", "documents written"]
    rows = []
    for spec, each in run.traffic.items():
        if spec.workload in workloads:
            figures = f"{each.commands:g} {each.sent:g} {each.received:g} {each.written:g}"
            rows.append([_title(spec), *figures.split()])
    return table(head, rows)


def _memory_and_dogpiles(run: Run) -> list[str]:
    parts = []
    if run.stored:
        parts += _part("A million sessions of 200 B", *_memory(run))
    if run.dogpile:
        head, _, *rows = run.dogpile
        parts += _part("Many requests for one cached value", table(head, rows))
    return parts


def _memory(run: Run) -> Iterator[str]:
    rows = [
        [each.title, f"{each.data_mb:,.0f}", f"{each.index_mb:,.0f}", each.where]
        for each in run.stored
    ]
    yield table(["in the store", "MB of data", "MB of indexes", ""], rows)
    rows = [[title, f"{each:,.0f}"] for title, each in run.process_bytes.items()]
    yield table(["in the process", "bytes for each further visitor"], rows)


def _title(spec: Spec) -> str:
    return f"{WORKLOADS[spec.workload].title}: {CONTENDERS[spec.contender].title}"
