"""Bottle behind Beaker's own middleware, which ``session.type`` alone makes use MongoDB.

Requires: Bottle 0.12.22 or later, and a MongoDB server: MONGODB_URL, or else
          mongodb://127.0.0.1:27017
Install:  pip install beaker_mongo_soajs bottle waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.bottle.wsgi:application

With ``from beaker_mongo_soajs import SessionMiddleware`` in the place of Beaker's, sessions are
hardened, and nothing else changes here.
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
    """Log in, under a new id."""
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
        # It signs the cookies: the same in all processes, and known to nobody else.
        "session.secret": "a long random text",
        "session.httponly": True,
        # True where the site is served over HTTPS.
        "session.secure": False,
    },
)
