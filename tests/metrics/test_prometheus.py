"""Metrics of Prometheus."""

import json
import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.metrics import NAMES
from beaker_mongo_soajs.prometheus import instrument
from tests.caches.support import Db, Options
from tests.metrics.causes import CAUSES
from tests.repository import ROOT


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


def test_names_of_the_dashboard(options: Options) -> None:
    """The dashboard asks only for metrics and events that exist."""
    registry = CollectorRegistry()
    remove = instrument(registry)
    try:
        SessionStore(options).set("id", {})
    finally:
        remove()
    exposed = generate_latest(registry).decode()
    dashboard = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert queries
    for query in queries:
        for name in re.findall(r"beaker_mongo_\w+(?=[{\[])", query):
            assert re.search(rf"# TYPE {name.removesuffix('_bucket')} ", exposed), name
        for event in re.findall(r'beaker_mongo_event=~?"([^"]+)"', query):
            assert set(event.replace("\\\\", "").split("|")) <= set(NAMES), event
