"""What sessions cost, side by side: ``python -m benchmarks``."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import plan
from benchmarks.report import raw_figures, report
from benchmarks.run import Scope, run

SCOPES = {
    "full": Scope(plan.full(), seconds=120.0, slices=10, looking_seconds=2.5, besides=True),
    "quick": Scope(plan.quick(), seconds=28.0, slices=5, looking_seconds=0.8),
    "tiny": Scope(plan.tiny(), seconds=1.0, slices=1, looking_seconds=0.05, most_sessions=5),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the tables.

    :param arguments: of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_const",
        dest="scope",
        const="quick",
        help="what tells most, in less than a minute; writes no files",
    )
    parser.add_argument(
        "--tiny",
        action="store_const",
        dest="scope",
        const="tiny",
        help="just enough to see that it works; writes no files",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw figures there")
    parser.set_defaults(scope="full")
    options = parser.parse_args(arguments)
    found = run(SCOPES[options.scope])
    print(report(found))
    if options.json is not None:
        options.json.write_text(json.dumps(raw_figures(found), indent=1) + "\n")


if __name__ == "__main__":
    main()
