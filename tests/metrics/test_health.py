"""``SessionStore.ping()`` and the health check."""

import time
from typing import Any

import pytest
from webtest import TestApp

from beaker_mongo_soajs import (
    MongoSession,
    SessionMiddleware,
    SessionStore,
    StoreUnavailable,
)
from beaker_mongo_soajs.health import HealthCheck
from beaker_mongo_soajs.testing import MongoServer
from tests.application import Site
from tests.conftest import Options


def _application(environ: object, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the application"]


def _browser(options: Options, **more: Any) -> TestApp:
    settings = {f"session.{name}": value for name, value in options.items()}
    settings |= {"session.secret": "x" * 32, "session.secure": False}
    app = SessionMiddleware(_application, settings)
    return TestApp(HealthCheck(app, app.store, **more))


def test_healthy(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """The health check answers 200 with the latency, and is not cached; HEAD gets headers only."""
    browser = _browser(options)
    assert 0 < browser.get("/healthz").json["latency_ms"] < 10_000
    monkeypatch.setattr(SessionStore, "ping", lambda _, seconds: seconds + 0.1234567)
    answer = browser.get("/healthz")
    assert {"status": "ok", "latency_ms": 2123.457} == answer.json
    assert "no-store" == answer.headers["Cache-Control"]
    head = browser.head("/healthz")
    assert b"" == head.body
    assert answer.headers == head.headers


def test_other_paths(options: Options) -> None:
    """Requests for other paths reach the application."""
    assert "the application" == _browser(options).get("/healthz/more").text


def test_unreachable() -> None:
    """Without a server, the health check answers 503 with the reason, and no secret."""
    options: Options = {"name": "core_session", "servers": "127.0.0.1:1"}
    options["credentials"] = {"username": "ann", "password": "hunter2"}
    answer = _browser(options, timeout=0.2).get("/healthz", status=503)
    assert "unavailable" == answer.json["status"]
    assert "127.0.0.1:1" in answer.json["reason"]
    assert "hunter2" not in answer.text


def test_hanging(mongo_server: MongoServer, options: Options) -> None:
    """If the server hangs, the health check answers in time, and again 200 afterwards."""
    browser = _browser(options, timeout=0.3)
    browser.get("/healthz")
    mongo_server.pause()
    try:
        start = time.monotonic()
        browser.get("/healthz", status=503)
        assert time.monotonic() - start < 5
    finally:
        mongo_server.resume()
    browser.get("/healthz")


def test_ping_in_an_outage() -> None:
    """A ping raises StoreUnavailable if no server answers in time."""
    with pytest.raises(StoreUnavailable):
        SessionStore({"name": "core_session", "servers": "127.0.0.1:1"}).ping(timeout=0.1)


def test_store_of_a_session(options: Options) -> None:
    """The store of a MongoSession can be pinged as well; the result is in seconds."""
    visitor = Site(options | {"session_class": MongoSession}).visitor()
    assert 0 < visitor.request(lambda session: session.store.ping()) < 10
