"""The figures of a run, unrounded, for other programs."""

from dataclasses import asdict
from typing import Any

from benchmarks import own_time
from benchmarks.run import Run


def raw_figures(run: Run) -> dict[str, Any]:
    """Return the figures of a run, for a JSON file.

    :param run: the run.
    """
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
        "own_time_us": _own_time(run),
        "traffic": [{**asdict(spec), **asdict(each)} for spec, each in run.traffic.items()],
        "stored": [asdict(each) for each in run.stored],
        "process_bytes": run.process_bytes,
        "dogpile": run.dogpile,
    }


def _own_time(run: Run) -> list[dict[str, Any]]:
    return [
        {
            **asdict(spec),
            "subtracted": own_time.subtracted_us(run.samples, spec),
            "sampled": shares.own_us,
            "samples": shares.owners.total(),
            "owners": {owner: shares.us(seen) for owner, seen in shares.owners.most_common()},
            "functions": {name: shares.us(seen) for name, seen in shares.functions.most_common()},
        }
        for spec, shares in run.shares.items()
    ]
