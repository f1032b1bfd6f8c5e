"""Flask, with its own ``session`` in MongoDB.

Requires: Flask 2 or later, and a MongoDB server: MONGODB_URL, or else mongodb://127.0.0.1:27017
Install:  pip install "beaker_mongo_soajs[flask]" waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.flask.wsgi:application
"""

import os
from typing import Any

from flask import Flask, redirect, request
from werkzeug.wrappers import Response

from beaker_mongo_soajs.flask import MongoSessions, session

URL = os.environ.get("MONGODB_URL", "mongodb://127.0.0.1:27017")

application = Flask(__name__)
application.config |= {
    "SECRET_KEY": "a long random text",  # keep it secret, and the same in all processes
    "BEAKER_MONGO": {"url": URL, "name": "examples"},
}
MongoSessions(application)


@application.get("/")
def home() -> dict[str, Any]:
    """Count a visit, which no other request can do at the same time."""
    with session.locked(timeout=5):
        session["visits"] = session.get("visits", 0) + 1
    return {"visits": session["visits"], "user": session.get("user")}


@application.post("/login")
def login() -> Response:
    """Log in. The old session id becomes invalid."""
    session.regenerate_id()
    session["user"] = request.form["user"]
    return redirect("/", 303)


@application.post("/logout")
def logout() -> Response:
    """Log out."""
    session.clear()
    return redirect("/", 303)


@application.get("/error")
def error() -> str:
    """Fail."""
    raise RuntimeError("This page fails.")
