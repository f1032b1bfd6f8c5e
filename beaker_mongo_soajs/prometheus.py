"""Prometheus metrics, made from the events of this package (extra ``prometheus``).

::

    from beaker_mongo_soajs.prometheus import instrument

    instrument()

The names and labels are those that OpenTelemetry's exporter for Prometheus makes of
:mod:`beaker_mongo_soajs.otel`, so that one dashboard serves both.
"""

from collections.abc import Callable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

from beaker_mongo_soajs.metrics import Event, on_event

_LABELS = ("beaker_mongo_event", "db_namespace", "db_collection_name")
_BUCKETS_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


def instrument(registry: CollectorRegistry = REGISTRY) -> Callable[[], None]:
    """Count all events of this process from now on.

    :param registry: where to register the metrics.
    :returns: a function that ends this.
    """
    counters = {
        kind: Counter(f"beaker_mongo_{kind}_events", text, _LABELS, registry=registry)
        for kind, text in (
            ("session", "Events of sessions."),
            ("lock", "Events of locks."),
            ("cache", "Events of caches."),
        )
    }
    errors = Counter(
        "beaker_mongo_store_errors",
        "Commands that were not carried out.",
        ("error_type", *_LABELS[1:], "db_response_status_code"),
        registry=registry,
    )
    durations = Histogram(
        "beaker_mongo_operation_duration_seconds",
        "Duration of an operation, with its commands to the server.",
        _LABELS,
        registry=registry,
        buckets=_BUCKETS_SECONDS,
    )

    def count(event: Event) -> None:
        kind, _, name = event.name.partition(".")
        database, _, collection = event.collection.partition(".")
        if kind == "store":
            code = "" if event.code is None else str(event.code)
            errors.labels(name, database, collection, code).inc()
            return
        labels = (event.name, database, collection)
        counters[kind].labels(*labels).inc(event.count)
        if event.seconds is not None:
            durations.labels(*labels).observe(event.seconds)

    return on_event(count)
