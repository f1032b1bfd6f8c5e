"""OpenTelemetry metrics and spans, made from the events of this package (extra ``otel``).

::

    from beaker_mongo_soajs.otel import instrument

    instrument()
"""

import time
from collections.abc import Callable

from opentelemetry.metrics import MeterProvider, get_meter
from opentelemetry.trace import Status, StatusCode, TracerProvider, get_tracer

from beaker_mongo_soajs.metrics import Event, on_event

SCOPE = "beaker_mongo_soajs"

# The names follow the semantic conventions: dots between words, plural for counted things, units
# in UCUM and never in the name, the attributes of the database conventions, and an own namespace
# for everything that those do not define.
EVENT = "beaker_mongo.event"
"""The attribute with the name of an event."""

_COUNTERS = {
    "session": ("beaker_mongo.session.events", "{event}", "Events of sessions."),
    "lock": ("beaker_mongo.lock.events", "{event}", "Events of locks."),
    "cache": ("beaker_mongo.cache.events", "{event}", "Events of caches."),
    "store": ("beaker_mongo.store.errors", "{error}", "Commands that were not carried out."),
}
_DURATION = "beaker_mongo.operation.duration"

# As the database conventions advise for db.client.operation.duration.
_BUCKETS_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


class Instrumentation:
    """Pass events to OpenTelemetry.

    :param meters: where to get the meter; the global provider by default.
    :param tracers: where to get the tracer; likewise. Without an SDK, spans are not recorded.
    """

    def __init__(
        self, meters: MeterProvider | None = None, tracers: TracerProvider | None = None
    ) -> None:
        meter = get_meter(SCOPE, meter_provider=meters)
        self._tracer = get_tracer(SCOPE, tracer_provider=tracers)
        self._counters = {
            kind: meter.create_counter(name, unit, text)
            for kind, (name, unit, text) in _COUNTERS.items()
        }
        self._duration = meter.create_histogram(
            _DURATION,
            "s",
            "Duration of an operation, with its commands to the server.",
            explicit_bucket_boundaries_advisory=_BUCKETS_SECONDS,
        )

    def __call__(self, event: Event) -> None:
        """Count an event, and record its duration and its span.

        :param event: the event.
        """
        attributes = attributes_of(event)
        kind = event.name.partition(".")[0]
        self._counters[kind].add(event.count, attributes)
        if event.seconds is not None:
            self._duration.record(event.seconds, attributes)
            self._add_span(event, event.seconds, attributes)

    def _add_span(self, event: Event, seconds: float, attributes: dict[str, str]) -> None:
        end = time.time_ns()
        span = self._tracer.start_span(
            event.name, attributes=attributes, start_time=end - round(seconds * 1e9)
        )
        if event.handle is not None:
            span.set_attribute("beaker_mongo.session.handle", event.handle)
        if event.name == "lock.timed_out":
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)


def attributes_of(event: Event) -> dict[str, str]:
    """Return the attributes of an event: few values each, as metrics need.

    :param event: the event.
    """
    kind, _, name = event.name.partition(".")
    attributes = {"db.system.name": "mongodb"}
    attributes |= {"error.type": name} if kind == "store" else {EVENT: event.name}
    if event.collection:
        database, _, collection = event.collection.partition(".")
        attributes |= {"db.namespace": database, "db.collection.name": collection}
    if event.code is not None:
        attributes["db.response.status_code"] = str(event.code)
    return attributes


def instrument(
    meters: MeterProvider | None = None, tracers: TracerProvider | None = None
) -> Callable[[], None]:
    """Pass all events of this process to OpenTelemetry from now on.

    :param meters: as for :class:`Instrumentation`.
    :param tracers: as for :class:`Instrumentation`.
    :returns: a function that ends this.
    """
    return on_event(Instrumentation(meters, tracers))
