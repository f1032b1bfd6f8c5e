"""The report of a run in Markdown."""

from collections.abc import Container, Iterable, Iterator

from benchmarks import own_time
from benchmarks.cells import Spec
from benchmarks.contenders import CONTENDERS
from benchmarks.plan import LARGE, LARGE_SESSIONS, SMALL, THOUSAND
from benchmarks.ratios import ratios
from benchmarks.run import Run
from benchmarks.tables import group_table, medians_table, ratios_table, table
from benchmarks.workloads import CHANGE, LOGIN, NEW, READ, WORKLOADS

_LISTED_FUNCTIONS = 12

_OVERVIEWS = (
    {
        f"{WORKLOADS[workload].title}{where}": Spec("", workload, round_trip_ms=round_trip_ms)
        for where, round_trip_ms in (("", 0.0), (", 1 ms away", 1.0))
        for workload in ((READ, CHANGE) if round_trip_ms else (READ, CHANGE, LOGIN, NEW))
    },
    {
        f"{WORKLOADS[workload].title}, {size:,} B": Spec("", workload, size, sessions)
        for size, sessions in ((SMALL, THOUSAND), (LARGE, LARGE_SESSIONS))
        for workload in (READ, CHANGE)
    },
    {
        f"{WORKLOADS[workload].title}, {threads} threads": Spec("", workload, threads=threads)
        for threads in (8, 32)
        for workload in (READ, CHANGE)
    },
)


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


def summary(run: Run) -> str:
    """Return the most important tables of a run.

    :param run: the run.
    """
    parts = [_conditions(run), *_part("Ratios", ratios_table(ratios(), run.samples))]
    parts += _part("Our own code", _own_time(run))
    parts += _part("Medians in microseconds", *_overviews(run))
    for group in run.groups:
        if group.cells[0].spec.workload not in WORKLOADS:
            parts += _part(group.title, group_table(group))
    parts += _part("Besides time, 2 kB", _traffic(run, (READ, CHANGE)))
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


def _overviews(run: Run) -> Iterator[str]:
    measured = run.samples
    for columns in _OVERVIEWS:
        found = {
            title: spec
            for title, spec in columns.items()
            if any(spec.of(name) in measured for name in CONTENDERS)
        }
        if found:
            yield medians_table(found, measured)
            yield f"{_least_requests(run, found.values())}\n"


def _least_requests(run: Run, columns: Iterable[Spec]) -> str:
    alike = {spec.of("") for spec in columns}
    least = min(
        len(samples.wall_ns) for spec, samples in run.samples.items() if spec.of("") in alike
    )
    return f"Each is of {least:,} requests or more."


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
