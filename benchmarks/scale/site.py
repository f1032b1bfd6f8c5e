"""The application that gunicorn serves."""

import itertools
import warnings
from typing import Any

from beaker_mongo_soajs import InsecureSessionWarning, SessionMiddleware
from benchmarks.visits import TIMEOUT_SECONDS

_numbers = itertools.count(1)


def make(url: str, database: str, connections: int) -> SessionMiddleware:
    """Return the application: ``/read`` reads the session, ``/change`` changes a number in it.

    :param url: the URL of MongoDB.
    :param database: the name of the database.
    :param connections: the option ``maxPoolSize``.
    """
    options: dict[str, Any] = {"url": url, "name": database, "secure": False}
    options["URLParam"] = {"maxPoolSize": connections}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureSessionWarning)
        return SessionMiddleware(_respond, {}, timeout=TIMEOUT_SECONDS, **options)


def _respond(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    session = environ["beaker.session"]
    found = "cart" in session
    if environ["PATH_INFO"] == "/change":
        session["visits"] = next(_numbers)
        session.save()
    start_response("200 OK" if found else "500 No Session", [("Content-Type", "text/plain")])
    return [b"ok"]
