"""Compare what sessions cost: ``python -m benchmarks``.

A full run writes its tables, raw figures and charts into this repository.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import plan
from benchmarks.files import ROOT, update, write
from benchmarks.raw import raw_figures
from benchmarks.report import report
from benchmarks.run import Scope, run

SCOPES = {
    "full": Scope(plan.full(), seconds=175.0, slices=20, sampling_seconds=2.5, with_extras=True),
    "quick": Scope(plan.quick(), seconds=32.0, slices=10, sampling_seconds=0.5),
    "tiny": Scope(plan.tiny(), 0.0, slices=1, sampling_seconds=0.01, most_sessions=5, counted=2),
}
"""The scopes of a run, by name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, and write the files.

    :param arguments: the arguments of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    scopes = parser.add_mutually_exclusive_group()
    for name, words in (
        ("quick", "the most important tables, in less than a minute; writes no files"),
        ("tiny", "a few requests, to check that it works; writes no files"),
    ):
        scopes.add_argument(f"--{name}", action="store_const", dest="scope", const=name, help=words)
    parser.add_argument(
        "--node",
        action="store_true",
        help="install connect-mongo in a temporary folder, and measure it as well",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the raw figures to this file"
    )
    parser.add_argument(
        "--draw",
        type=Path,
        metavar="FILE",
        help="measure nothing: write the documentation and its charts from raw figures",
    )
    parser.add_argument("--root", type=Path, help="write the files into another checkout")
    parser.set_defaults(scope="full")
    options = parser.parse_args(arguments)
    root = options.root or ROOT
    if options.draw is not None:
        for path in update(options.draw, root):
            print(path)
        return
    found = run(SCOPES[options.scope], with_node=options.node)
    print(report(found))
    if options.json is not None:
        options.json.write_text(json.dumps(raw_figures(found), indent=1) + "\n")
    if options.root is not None or options.scope == "full":
        for path in write(found, root):
            print(path)


if __name__ == "__main__":
    main()
