"""Flask, whose own ``session`` is the one that the middleware of this package keeps in MongoDB.

Requires: Flask 2 or later, and a MongoDB server: MONGODB_URL, or else mongodb://127.0.0.1:27017
Install:  pip install beaker_mongo_soajs flask waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.flask.wsgi:application
"""

import os
from typing import Any, cast

import flask
from flask import Flask, redirect, request
from flask.sessions import SessionInterface
from werkzeug.wrappers import Response

from beaker_mongo_soajs import MongoSession, SessionMiddleware

# It is the same object; a type checker learns here which methods it has beside Flask's.
session = cast("MongoSession", flask.session)
# What is in a session when nobody has put anything there.
TIMES = {"_creation_time", "_accessed_time"}


class BeakerSessions(SessionInterface):
    """Let ``flask.session`` be the session of the middleware."""

    def open_session(self, _app: Flask, request: Any) -> Any:
        """Return the session of a request; it is loaded when it is first looked at."""
        return request.environ["beaker.session"]

    def save_session(self, _app: Flask, session: Any, _response: Any) -> None:
        """Save what changed, as Flask does; a newcomer who only looks needs no session."""
        if session.accessed() and (not session.is_new or session.keys() - TIMES):
            session.save()


application = Flask(__name__)
application.session_interface = BeakerSessions()
application.wsgi_app = SessionMiddleware(  # type: ignore[method-assign]
    application.wsgi_app,
    {
        "session.url": os.environ.get("MONGODB_URL", "mongodb://127.0.0.1:27017"),
        "session.name": "examples",
        "session.timeout": 1800,
        # It signs the cookies: the same in all processes, and known to nobody else.
        "session.secret": "a long random text",
        # True where the site is served over HTTPS.
        "session.secure": False,
    },
)


@application.get("/")
def home() -> dict[str, Any]:
    """Count a visit."""
    # Nobody else changes this session meanwhile, in whatever process.
    with session.locked(timeout=5):
        session["visits"] = session.get("visits", 0) + 1
    return {"visits": session["visits"], "user": session.get("user")}


@application.post("/login")
def login() -> Response:
    """Log in: the id that the visitor had before is dead."""
    session.regenerate_id()
    session["user"] = request.form["user"]
    return redirect("/", 303)


@application.post("/logout")
def logout() -> Response:
    """Log out."""
    session.delete()
    return redirect("/", 303)


@application.get("/error")
def error() -> str:
    """Fail."""
    raise RuntimeError("This page fails.")
