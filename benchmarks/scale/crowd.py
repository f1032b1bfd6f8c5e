"""Requests among a thousand and a million sessions."""

import math

from benchmarks.cells import SessionCell, Spec
from benchmarks.contenders import CONTENDERS, FIND, MONGO_SESSION
from benchmarks.measurement import Group
from benchmarks.measurement import measure as take_turns
from benchmarks.plan import SMALL
from benchmarks.scale.part import Part, Scope
from benchmarks.servers import grow_cache, servers
from benchmarks.workloads import READ

_SLICES = 10
_CACHE_GIGABYTES = 6


def measure(scope: Scope) -> Part:
    """Measure the same requests in collections of different sizes.

    :param scope: the size of the measurement.
    """
    part = Part(
        "Read only, 200 B, among many sessions",
        ["", "sessions", "median µs", "p99", "to the fewest", "MB on disk", "MB of indexes"],
    )
    with servers() as running:
        grow_cache(running.place, _CACHE_GIGABYTES)
        specs = [
            Spec(name, READ, SMALL, number)
            for name in (MONGO_SESSION, FIND)
            for number in scope.crowds
        ]
        group = Group("", [SessionCell(spec, running.place) for spec in specs], scope.reads)
        # Only data on disk are counted, and all reads begin with the same files.
        running.place.direct.admin.command("fsync")
        take_turns([group], _SLICES, math.inf, lambda _: None)
        sizes = {
            cell.spec: cell.place.direct[cell.place.database].command("collStats", "sessions")
            for cell in group.cells
            if isinstance(cell, SessionCell)
        }
        for cell in group.cells:
            cell.close()
    for spec in specs:
        samples, size = group.samples[spec], sizes[spec]
        fewest = group.samples[Spec(spec.contender, READ, SMALL, scope.crowds[0])]
        part.rows.append(
            [
                CONTENDERS[spec.contender].title,
                f"{spec.sessions:,}",
                f"{samples.median_us:,.0f}",
                f"{samples.p99_us:,.0f}",
                f"{samples.median_us / fewest.median_us:.2f}",
                f"{size['storageSize'] / (1 << 20):,.0f}",
                f"{size['totalIndexSize'] / (1 << 20):,.0f}",
            ]
        )
        part.figures.append(
            {"contender": spec.contender, "sessions": size["count"], **samples.raw()}
        )
    part.notes.append("The requests visit 20,000 of the sessions, at random.")
    return part
