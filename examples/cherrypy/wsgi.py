"""CherryPy, with the sessions in its configuration of WSGI middleware.

Requires: CherryPy 18.7 or later, and a MongoDB server: MONGODB_URL, or else
          mongodb://127.0.0.1:27017
Install:  pip install beaker_mongo_soajs cherrypy waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.cherrypy.wsgi:application
"""

import os
from typing import Any

import cherrypy

from beaker_mongo_soajs import SessionMiddleware


def current_session() -> Any:
    """Return the session of this request."""
    return cherrypy.request.wsgi_environ["beaker.session"]


class Site:
    """The pages."""

    @cherrypy.expose
    @cherrypy.tools.json_out()
    def index(self) -> dict[str, Any]:
        """Count a visit."""
        session = current_session()
        # No other request can change the session in this block, in any process.
        with session.locked(timeout=5):
            session["visits"] = session.get("visits", 0) + 1
        return {"visits": session["visits"], "user": session.get("user")}

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    def login(self, user: str) -> None:
        """Log in. The old session id becomes invalid."""
        session = current_session()
        session.regenerate_id()
        session["user"] = user
        session.save()
        raise cherrypy.HTTPRedirect("/", 303)

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    def logout(self) -> None:
        """Log out."""
        current_session().delete()
        raise cherrypy.HTTPRedirect("/", 303)

    @cherrypy.expose
    def error(self) -> None:
        """Fail."""
        raise RuntimeError("This page fails.")


application = cherrypy.Application(
    Site(),
    config={
        "/": {
            "request.show_tracebacks": False,
            "wsgi.pipeline": [("session", SessionMiddleware)],
            "wsgi.session.url": os.environ.get("MONGODB_URL", "mongodb://127.0.0.1:27017"),
            "wsgi.session.name": "examples",
            "wsgi.session.timeout": 1800,
            # Signs the cookies. Keep it secret, and use the same in all processes.
            "wsgi.session.secret": "a long random text",
            # Set it to True if the site uses HTTPS.
            "wsgi.session.secure": False,
        }
    },
)
