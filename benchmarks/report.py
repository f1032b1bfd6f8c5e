"""A run in Markdown, and its raw figures."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from benchmarks import memory, own_time
from benchmarks.cells import Spec
from benchmarks.contenders import CONTENDERS
from benchmarks.run import Run
from benchmarks.tables import group_table, table, targets_table
from benchmarks.targets import targets
from benchmarks.workloads import READ, WORKLOADS

_LISTED_FUNCTIONS = 12


def report(run: Run, heading: str = "##") -> str:
    """Return all tables of a run.

    :param run: the run.
    :param heading: what a heading starts with.
    """
    parts = [
        _conditions(run),
        f"{heading} What was wanted\n",
        targets_table(targets(), run.samples),
    ]
    parts += [f"{heading} Our own code\n", *_own_time(run)]
    for group in run.groups:
        parts += [
            f"{heading} {_first_upper(group.title)}\n",
            _note(group.served),
            group_table(group),
        ]
    parts += [f"{heading} Besides time, 2 kB\n", _traffic(run)]
    if run.stored:
        parts += [f"{heading} A million sessions of 200 B\n", *_memory(run)]
    if run.dogpile:
        parts += [f"{heading} Many ask a cache for one value\n", _dogpile(run)]
    return "\n".join(parts)


def raw_figures(run: Run) -> dict[str, Any]:
    """Return the figures of a run, as they go into a file of JSON."""
    return {
        "machine": run.machine,
        "load_after": run.load_after,
        "seconds": round(run.seconds),
        "versions": run.versions,
        "missing": run.missing,
        "distances": [asdict(distance) for distance in run.distances],
        "cells": [
            {"group": group.title, **asdict(spec), **samples.raw()}
            for group in run.groups
            for spec, samples in group.samples.items()
        ],
        "stored": [asdict(each) for each in run.stored],
        "process_mb": {title: round(each, 1) for title, each in run.process_mb.items()},
        "dogpile": run.dogpile,
        "traffic": [{**asdict(spec), **asdict(each)} for spec, each in run.traffic.items()],
        "own_time_us": [
            {
                **asdict(spec),
                "subtracted": round(_subtracted(run, spec), 1),
                "sampled": round(shares.own_us, 1),
                "owners": {o: round(shares.us(n), 1) for o, n in shares.owners.most_common()},
                "functions": {f: round(shares.us(n), 1) for f, n in shares.functions.most_common()},
            }
            for spec, shares in run.shares.items()
        ],
    }


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


def _own_time(run: Run) -> list[str]:
    head = ["processor µs a request, 2 kB", "wanted", "subtracted", "sampled"]
    rows = []
    for spec, shares in run.shares.items():
        wanted = f"< {own_time.MOST_US:g}" if spec.workload == READ else "—"
        others = [f"{shares.us(shares.owners[owner]):.0f}" for owner in own_time.OTHERS]
        seen = [f"{_subtracted(run, spec):.0f}", f"{shares.own_us:.0f}", *others]
        rows.append([_title(spec), wanted, *seen])
    parts = [table([*head, *own_time.OTHERS], rows)]
    for spec, shares in run.shares.items():
        rows = [
            [f"`{function}`", f"{shares.us(seen):.1f}"]
            for function, seen in shares.functions.most_common(_LISTED_FUNCTIONS)
        ]
        parts.append(table([f"{_title(spec)}, sampled", "µs"], rows))
    return parts


def _subtracted(run: Run, spec: Spec) -> float:
    return own_time.subtracted_us(run.samples, spec)


def _title(spec: Spec) -> str:
    return f"{WORKLOADS[spec.workload].title}: {CONTENDERS[spec.contender].title}"


def _traffic(run: Run) -> str:
    head = ["", "commands", "bytes sent", "bytes received", "documents written"]
    rows = []
    for spec, each in run.traffic.items():
        figures = f"{each.commands:g} {each.sent:g} {each.received:g} {each.written:g}".split()
        rows.append([_title(spec), *figures])
    return table(head, rows)


def _memory(run: Run) -> Iterator[str]:
    rows = [
        [each.title, f"{each.data_mb:,.0f}", f"{each.index_mb:,.0f}", each.where]
        for each in run.stored
    ]
    yield table(["in the store", "MB of data", "MB of indexes", ""], rows)
    rows = [[title, f"{megabytes:,.0f}"] for title, megabytes in run.process_mb.items()]
    visitors = f"{memory.VISITORS:,}"
    yield table([f"in the process, from {visitors} visitors", "MB for a million"], rows)


def _dogpile(run: Run) -> str:
    head, _, *rows = run.dogpile
    return table(head, rows)


def _note(requests: int) -> str:
    return f"Of {requests:,} requests each.\n"


def _first_upper(text: str) -> str:
    return text[0].upper() + text[1:]
