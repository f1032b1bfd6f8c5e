"""Flask, with its own ``session`` in MongoDB, through the middleware of this package.

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

# The same object, for type checkers: it has the methods of MongoSession.
session = cast("MongoSession", flask.session)
# The keys of a session in which the application has set nothing.
TIMES = {"_creation_time", "_accessed_time"}


class BeakerSessions(SessionInterface):
    """Make ``flask.session`` the session of the middleware."""

    def open_session(self, _app: Flask, request: Any) -> Any:
        """Return the session of a request; it is loaded on first use."""
        return request.environ["beaker.session"]

    def save_session(self, _app: Flask, session: Any, _response: Any) -> None:
        """Save changes, as Flask does; a new session is saved only if something was set."""
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
        # Signs the cookies. Keep it secret, and use the same in all processes.
        "session.secret": "a long random text",
        # Set it to True if the site uses HTTPS.
        "session.secure": False,
    },
)


@application.get("/")
def home() -> dict[str, Any]:
    """Count a visit."""
    # No other request can change the session in this block, in any process.
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
    session.delete()
    return redirect("/", 303)


@application.get("/error")
def error() -> str:
    """Fail."""
    raise RuntimeError("This page fails.")
