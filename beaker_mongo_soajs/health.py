"""The health of the database, for load balancers."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from beaker_mongo_soajs.exceptions import StoreError
from beaker_mongo_soajs.sessions.store import SessionStore

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class HealthCheck:
    """Answer requests for one path with the health of the database; pass on all others.

    ::

        app = SessionMiddleware(app, settings)
        app = HealthCheck(app, app.store)

    The answer is 200 and ``{"status": "ok", "latency_ms": 0.7}``, or 503 and
    ``{"status": "unavailable", "reason": "…"}``. The reason names servers, but no credentials.

    :param app: the application.
    :param store: the store of the application's sessions.
    :param path: the path.
    :param timeout: seconds to wait for the database.
    """

    def __init__(
        self, app: Application, store: SessionStore, path: str = "/healthz", timeout: float = 2.0
    ) -> None:
        self.app = app
        self.store = store
        self.path = path
        self.timeout = timeout

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ.get("PATH_INFO") != self.path:
            return self.app(environ, start_response)
        status, answer = self._check()
        body = json.dumps(answer).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start_response(status, headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

    def _check(self) -> tuple[str, dict[str, object]]:
        try:
            seconds = self.store.ping(self.timeout)
        except StoreError as error:
            return "503 Service Unavailable", {"status": "unavailable", "reason": str(error)}
        return "200 OK", {"status": "ok", "latency_ms": round(seconds * 1000, 3)}
