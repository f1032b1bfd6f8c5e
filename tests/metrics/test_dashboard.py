"""The dashboard for Grafana, compared with what the exporters produce."""

import itertools
import json
import re
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.export import Sum as Counted
from prometheus_client import CollectorRegistry

from beaker_mongo_soajs import otel, prometheus
from beaker_mongo_soajs.metrics import NAMES
from tests.conftest import Db, Options
from tests.metrics.causes import CAUSES
from tests.repository import ROOT

DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
VARIABLES: list[dict[str, Any]] = DASHBOARD["templating"]["list"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]

ONE_OF_EACH_KIND = ("session.created", "lock.waited", "cache.hit", "store.refused")
GRID_COLUMNS = 24
BUILT_IN = {"__rate_interval"}
# As OpenTelemetry's exporter for Prometheus translates them.
SUFFIXES = {"s": "_seconds", "{event}": "", "{error}": ""}
BUCKET_LABEL = "le"
SYSTEM_LABEL = "db_system_name"

Series = dict[str, set[str]]


@pytest.fixture
def produced(options: Options, database: Db) -> tuple[Series, Series]:
    """Return the names and labels that OpenTelemetry and Prometheus produce."""
    reader, registry = InMemoryMetricReader(), CollectorRegistry()
    meters = MeterProvider([reader])
    ends = (otel.instrument(meters), prometheus.instrument(registry))
    for name in ONE_OF_EACH_KIND:
        database.client.drop_database(database.name)
        list(CAUSES[name](options, database))
    for end in ends:
        end()
    found = (_of_otel(reader), _of_prometheus(registry))
    meters.shutdown()
    return found


def _of_otel(reader: InMemoryMetricReader) -> Series:
    data = reader.get_metrics_data()
    assert data is not None
    found: Series = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        suffix = SUFFIXES[metric.unit or ""]
        suffix += "_total" if isinstance(metric.data, Counted) else "_bucket"
        labels = found.setdefault(metric.name.replace(".", "_") + suffix, set())
        for point in metric.data.data_points:
            labels |= {name.replace(".", "_") for name in point.attributes or {}}
    return found


def _of_prometheus(registry: CollectorRegistry) -> Series:
    found: Series = {}
    for metric in registry.collect():
        for sample in metric.samples:
            if sample.name.endswith(("_total", "_bucket")):
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_both_exporters(produced: tuple[Series, Series]) -> None:
    """OpenTelemetry and Prometheus produce the same names and labels."""
    from_otel, from_prometheus = produced
    expected = {name: labels - {BUCKET_LABEL} for name, labels in from_prometheus.items()}
    assert expected == {name: labels - {SYSTEM_LABEL} for name, labels in from_otel.items()}


def test_queries(produced: tuple[Series, Series]) -> None:
    """Queries name metrics, labels and variables that exist, and their brackets match."""
    _, series = produced
    for query in (*QUERIES, VARIABLES[1]["query"]["query"]):
        _check(query, series)


def _check(query: str, series: Series) -> None:
    names = set(re.findall(r"beaker_mongo_\w+?_(?:total|bucket)\b", query))
    assert names
    assert names <= series.keys()
    labels = set(re.findall(r"(\w+)=~?\"", query))
    for group in re.findall(r"by \(([^)]*)\)", query):
        labels |= set(group.split(", "))
    for name in names:
        assert labels <= series[name]
    assert set(re.findall(r"\$(\w+)", query)) <= BUILT_IN | {each["name"] for each in VARIABLES}
    for opened, closed in ("()", "{}", "[]"):
        assert query.count(opened) == query.count(closed)
    assert 0 == query.count('"') % 2


def test_events() -> None:
    """The panels show each event, and no other."""
    named = re.findall(r'beaker_mongo_event=~?"([^"]+)"', " ".join(QUERIES))
    shown = set("|".join(named).split("|"))
    assert {name for name in NAMES if not name.startswith("store.")} == shown


def test_panels() -> None:
    """Panels have ids and titles of their own, a unit, a data source, and do not overlap."""
    assert len(PANELS) == len({panel["id"] for panel in PANELS})
    assert len(PANELS) == len({panel["title"] for panel in PANELS})
    for panel in PANELS:
        assert "${datasource}" == panel["datasource"]["uid"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all(target["legendFormat"] for target in panel["targets"])
        assert len(panel["targets"]) == len({target["refId"] for target in panel["targets"]})
    cells = [cell for panel in PANELS for cell in _cells(**panel["gridPos"])]
    assert len(cells) == len(set(cells))
    assert GRID_COLUMNS > max(column for column, _ in cells)


def _cells(x: int, y: int, w: int, h: int) -> list[tuple[int, int]]:
    return [*itertools.product(range(x, x + w), range(y, y + h))]
