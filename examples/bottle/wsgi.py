"""Bottle with Beaker's own middleware; ``session.type`` selects MongoDB.

Requires: Bottle 0.12.22 or later, and a MongoDB server: MONGODB_URL, or else
          mongodb://127.0.0.1:27017
Install:  pip install beaker_mongo_soajs bottle waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.bottle.wsgi:application

To use MongoSession, import ``SessionMiddleware`` from ``beaker_mongo_soajs`` instead of Beaker.
Nothing else changes.
"""

import os
from typing import Any

from beaker.middleware import SessionMiddleware
from bottle import Bottle, redirect, request

site = Bottle()


@site.get("/")
def home() -> dict[str, Any]:
    """Count a visit."""
    session = request.environ["beaker.session"]
    session["visits"] = session.get("visits", 0) + 1
    session.save()
    return {"visits": session["visits"], "user": session.get("user")}


@site.post("/login")
def login() -> None:
    """Log in, with a new session id."""
    session = request.environ["beaker.session"]
    session.regenerate_id()
    session["user"] = request.forms.getunicode("user")
    session.save()
    redirect("/", 303)


@site.post("/logout")
def logout() -> None:
    """Log out."""
    request.environ["beaker.session"].delete()
    redirect("/", 303)


@site.get("/error")
def error() -> None:
    """Fail."""
    raise RuntimeError("This page fails.")


application = SessionMiddleware(
    site,
    {
        "session.type": "ext:mongodb_soajs",
        "session.url": os.environ.get("MONGODB_URL", "mongodb://127.0.0.1:27017"),
        "session.name": "examples",
        "session.timeout": 1800,
        # Signs the cookies. Keep it secret, and use the same in all processes.
        "session.secret": "a long random text",
        "session.httponly": True,
        # Set it to True if the site uses HTTPS.
        "session.secure": False,
    },
)
