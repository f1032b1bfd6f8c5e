"""Measure processes, threads, visitors and sessions in large numbers: ``make bench-scale``.

Each part can be run alone: ``python -m benchmarks.scale load``. A full run writes its tables into
``benchmarks/results`` and ``docs/performance.md``, beside those of other parts of the same day.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.files import ROOT
from benchmarks.scale import crowd, expiry, load, own_cpu, visitors
from benchmarks.scale.part import FULL, TINY, Part, Scope
from benchmarks.scale.report import report, write

PARTS: dict[str, Callable[[Scope], Part]] = {
    "load": load.measure,
    "memory": visitors.measure,
    "expiry": expiry.measure,
    "crowd": crowd.measure,
    "own-cpu": own_cpu.measure,
}
"""The parts by name, in the order of the report."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, and write the files.

    :param arguments: the arguments of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument(
        "--tiny", action="store_true", help="a few requests, to check that it works; no files"
    )
    parser.add_argument(
        "--sessions", nargs="+", type=int, help="numbers of stored sessions for the part crowd"
    )
    parser.add_argument("--root", type=Path, help="write the files into another checkout")
    options = parser.parse_args(arguments)
    names = options.parts or list(PARTS)
    unknown = sorted(set(names) - PARTS.keys())
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    scope = TINY if options.tiny else FULL
    if options.sessions:
        scope = replace(scope, crowds=tuple(options.sessions))
    found = {}
    for name in names:
        found[name] = PARTS[name](scope).raw()
        print(report({name: found[name]}))
    if options.root is not None or not options.tiny:
        for path in write(found, options.root or ROOT):
            print(path)


if __name__ == "__main__":
    main()
