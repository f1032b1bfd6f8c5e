"""Metrics of Prometheus."""

import math
import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from beaker_mongo_soajs import metrics
from beaker_mongo_soajs.metrics import NAMES
from beaker_mongo_soajs.prometheus import instrument
from tests.conftest import Db, Options
from tests.metrics.causes import CAUSES


@pytest.mark.parametrize("name", list(NAMES))
def test_each_event_once(name: str, options: Options, database: Db) -> None:
    """The registry counts each event once."""
    registry = CollectorRegistry()
    remove = instrument(registry)
    list(CAUSES[name](options, database))
    remove()
    kind, _, rest = name.partition(".")
    label = f'error_type="{rest}"' if kind == "store" else f'beaker_mongo_event="{name}"'
    lines = generate_latest(registry).decode().splitlines()
    [line] = [line for line in lines if "_total{" in line and label in line]
    assert "1.0" == line.rpartition(" ")[2]
    code = {"store.unavailable": "", "store.refused": "166"}.get(name)
    assert code is None or f'db_response_status_code="{code}"' in line


def test_values() -> None:
    """Each session of an event counts, and durations have the buckets of OpenTelemetry."""
    registry = CollectorRegistry()
    remove = instrument(registry)
    metrics.emit("session.destroyed", "db.sessions", start=time.perf_counter(), count=3)
    remove()
    samples = [each for metric in registry.collect() for each in metric.samples]
    assert [3.0] == [each.value for each in samples if each.name.endswith("_total")]
    bounds = [float(each.labels["le"]) for each in samples if each.name.endswith("_bucket")]
    assert [*(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0), math.inf] == bounds
