"""Metrics and spans of OpenTelemetry."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.metrics import NAMES, Event
from beaker_mongo_soajs.otel import Instrumentation, instrument
from tests.conftest import Db, Options
from tests.metrics.causes import CAUSES, SECRET, SESSION_ID

Points = list[tuple[str, dict[str, Any], Any]]


class Telemetry:
    """An SDK in memory."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self._spans = InMemorySpanExporter()
        self.meters = MeterProvider([self._reader])
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))

    @property
    def points(self) -> Points:
        """The data points of all metrics: names, attributes, points."""
        data = self._reader.get_metrics_data()
        found: Points = []
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    assert "beaker_mongo_soajs" == scope.scope.name
                    for point in metric.data.data_points:
                        found.append((metric.name, dict(point.attributes or {}), point))
        return found

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that have ended."""
        return self._spans.get_finished_spans()

    @property
    def events(self) -> Counter[str]:
        """How often each event was counted."""
        counts: Counter[str] = Counter()
        for name, attributes, point in self.points:
            if name == "beaker_mongo.store.errors":
                counts[f"store.{attributes['error.type']}"] += point.value
            elif name.endswith(".events"):
                counts[attributes["beaker_mongo.event"]] += point.value
        return counts


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Instrument the package with an SDK in memory."""
    telemetry = Telemetry()
    remove = instrument(telemetry.meters, telemetry.tracers)
    yield telemetry
    remove()
    telemetry.meters.shutdown()
    telemetry.tracers.shutdown()


@pytest.mark.parametrize("name", list(NAMES))
def test_each_event_once(telemetry: Telemetry, name: str, options: Options, database: Db) -> None:
    """The exporter shows each event once, without ids and data."""
    list(CAUSES[name](options, database))
    assert 1 == telemetry.events[name]
    failed = {span.name for span in telemetry.spans if not span.status.is_ok}
    assert failed == {name} & {"lock.timed_out"}
    assert SECRET not in repr(telemetry.points)
    assert SESSION_ID not in repr(telemetry.points)


def test_attributes(telemetry: Telemetry, options: Options, database: Db) -> None:
    """Counters and durations have the attributes of the database conventions."""
    SessionStore(options).set(SESSION_ID, {"user": SECRET})
    expected = {
        "beaker_mongo.event": "session.created",
        "db.system.name": "mongodb",
        "db.namespace": database.name,
        "db.collection.name": "sessions",
    }
    found = {name: attributes for name, attributes, _ in telemetry.points}
    assert found["beaker_mongo.session.events"] == expected
    assert found["beaker_mongo.operation.duration"] == expected


def test_durations(telemetry: Telemetry) -> None:
    """Durations are in seconds, with the buckets of the database conventions."""
    Instrumentation(telemetry.meters, telemetry.tracers)(Event("session.loaded", seconds=1.5))
    [point] = [point for name, _, point in telemetry.points if name.endswith(".duration")]
    assert (1, 1.5) == (point.count, point.sum)
    assert (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0) == point.explicit_bounds
    [span] = telemetry.spans
    assert 1_500_000_000 == (span.end_time or 0) - (span.start_time or 0)
    assert 1 == telemetry.events["session.loaded"]


def test_spans(telemetry: Telemetry, options: Options) -> None:
    """A measured event is a span inside the span of the request."""
    with telemetry.tracers.get_tracer("application").start_as_current_span("request"):
        SessionStore(options).set(SESSION_ID, {})
    event, request = telemetry.spans
    assert ("session.created", "request") == (event.name, request.name)
    assert event.parent is not None
    assert request.context is not None
    assert request.context.span_id == event.parent.span_id
    assert 8 == len(str((event.attributes or {})["beaker_mongo.session.handle"]))


def test_without_a_handle_in_metrics(telemetry: Telemetry, options: Options) -> None:
    """Metrics have no attribute with a value for each session; the end of several counts each."""
    store = SessionStore(options)
    for number in range(5):
        store.set(f"id{number}", {"user": "ann"})
    assert 1 == len([name for name, _, _ in telemetry.points if name.endswith(".events")])
    store.destroy_where(user="ann")
    assert {"session.created": 5, "session.destroyed": 5} == telemetry.events
