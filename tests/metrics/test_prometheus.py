"""Metrics of Prometheus."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from beaker_mongo_soajs.metrics import NAMES
from beaker_mongo_soajs.prometheus import instrument
from tests.conftest import Db, Options
from tests.metrics.causes import CAUSES


@pytest.mark.parametrize("name", list(NAMES))
def test_each_event_once(name: str, options: Options, database: Db) -> None:
    """The registry counts each event once."""
    cause = CAUSES[name](options, database)
    next(cause)
    registry = CollectorRegistry()
    remove = instrument(registry)
    try:
        next(cause, None)
    finally:
        remove()
    kind, _, rest = name.partition(".")
    label = f'error_type="{rest}"' if kind == "store" else f'beaker_mongo_event="{name}"'
    lines = generate_latest(registry).decode().splitlines()
    found = [line for line in lines if "_total{" in line and label in line]
    assert ["1.0"] == [line.rpartition(" ")[2] for line in found]
