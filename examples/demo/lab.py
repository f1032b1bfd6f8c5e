"""The applications that the experiments call: one on Beaker's backend, two on this package.

They run in the process of the demo, and use its server. Each step is a real HTTP request. A step
reports when it began, when it had loaded its session, and when the session was saved.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import beaker.middleware
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from webob import Request

from beaker_mongo_soajs import SessionMiddleware, StoreUnavailable
from examples.demo.shops import selection_timeout

BEAKER, HERE, SHORT = "beaker", "here", "short"
COOKIE = "lab"
SHORT_SECONDS = 20
HEADER = "X-Demo-Lab"
_LONGEST_WAIT_SECONDS = 10.0

Step = Callable[[Any, Mapping[str, str]], None]


class Lab:
    """The applications, under ``/lab/<application>/<step>``. Only the demo itself may call them.

    :param url: the connection string.
    :param database: the name of the database.
    """

    def __init__(self, url: str, database: str) -> None:
        self.key = secrets.token_hex(16)
        self._events: dict[str, threading.Event] = {}
        common = {
            "session.key": COOKIE,
            "session.secret": secrets.token_hex(32),
            "session.httponly": True,
        }
        ours = {
            **common,
            "session.url": url,
            "session.name": database,
            "session.URLParam": selection_timeout(url),
            "session.secure": False,
        }
        # Beaker would keep a client of its own for as long as the process runs.
        head, _, query = url.partition("?")
        self._client: MongoClient[dict[str, Any]] = MongoClient(
            f"{head.rstrip('/')}/{database}?{query}", **selection_timeout(url)
        )
        self.applications: dict[str, WSGIApplication] = {
            BEAKER: beaker.middleware.SessionMiddleware(
                self._run,
                {
                    **common,
                    "session.type": "ext:mongodb",
                    "session.url": self._client,
                    "session.timeout": 1800,
                },
            ),
            HERE: SessionMiddleware(
                self._run, {**ours, "session.collection": "lab", "session.timeout": 1800}
            ),
            SHORT: SessionMiddleware(
                self._run, {**ours, "session.collection": "short", "session.timeout": SHORT_SECONDS}
            ),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Run a step, and report its times."""
        request = Request(environ)
        name = request.path_info_pop()
        application = self.applications.get(name or "")
        if application is None or request.headers.get(HEADER) != self.key:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"Only the experiments of the demo use this address."]
        environ["lab.began"] = time.perf_counter()

        def started(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            # The middleware has saved the session when it calls this.
            headers.append(("X-Saved", repr(time.perf_counter())))
            headers.append(("X-Began", repr(environ["lab.began"])))
            headers.append(("X-Loaded", repr(environ.get("lab.loaded", environ["lab.began"]))))
            return start_response(status, headers, *rest)

        try:
            return application(environ, started)
        except StoreUnavailable:
            start_response("503 Service Unavailable", [("Retry-After", "1")])
            return [b""]
        except PyMongoError:
            # Beaker has no error of its own for an outage.
            start_response("500 Internal Server Error", [])
            return [b""]

    def close(self) -> None:
        """Close the client of Beaker's backend."""
        self._client.close()

    def event(self, name: str) -> threading.Event:
        """Return an event by which two overlapping requests wait for each other.

        :param name: its name.
        """
        return self._events.setdefault(name, threading.Event())

    def forget(self, *names: str) -> None:
        """Remove events.

        :param names: their names.
        """
        for name in names:
            self._events.pop(name, None)

    def _run(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        session, form = environ["beaker.session"], dict(request.GET)
        # The first use loads the session.
        session.get("user")
        environ["lab.loaded"] = time.perf_counter()
        if "announce" in form:
            self.event(form["announce"]).set()
        if "work" in form:
            time.sleep(int(form["work"]) / 1000)
        if "until" in form:
            self.event(form["until"]).wait(_LONGEST_WAIT_SECONDS)
        _STEPS[request.path_info.strip("/")](session, form)
        seen = {key: value for key, value in session.items() if not key.startswith("_")}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(seen).encode()]


def _read(_session: Any, _form: Mapping[str, str]) -> None:
    """Only read the session."""


def _set(session: Any, form: Mapping[str, str]) -> None:
    session[form["key"]] = form.get("value", "")
    session.save()


def _log_in(session: Any, form: Mapping[str, str]) -> None:
    session.regenerate_id()
    session["user"] = form["user"]
    session.save()


def _log_out(session: Any, _form: Mapping[str, str]) -> None:
    session.delete()


def _count(session: Any, _form: Mapping[str, str]) -> None:
    session["count"] = session.get("count", 0) + 1
    session.save()


def _count_locked(session: Any, _form: Mapping[str, str]) -> None:
    with session.locked(timeout=_LONGEST_WAIT_SECONDS):
        session["count"] = session.get("count", 0) + 1


_STEPS: Mapping[str, Step] = {
    "read": _read,
    "set": _set,
    "login": _log_in,
    "logout": _log_out,
    "count": _count,
    "count-locked": _count_locked,
}
