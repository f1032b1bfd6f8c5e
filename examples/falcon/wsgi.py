"""Falcon, with the session in the context of each request.

Requires: Falcon 3.1 or later, and a MongoDB server: MONGODB_URL, or else mongodb://127.0.0.1:27017
Install:  pip install beaker_mongo_soajs falcon waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.falcon.wsgi:application
"""

import os

import falcon
from falcon import Request, Response

from beaker_mongo_soajs import SessionMiddleware


class Sessions:
    """A Falcon middleware that passes the session to the resources."""

    def process_request(self, req: Request, _resp: Response) -> None:
        """Set ``req.context.session``; the session is loaded on first use."""
        req.context.session = req.env["beaker.session"]


class Home:
    """``/``."""

    def on_get(self, req: Request, resp: Response) -> None:
        """Count a visit."""
        session = req.context.session
        # No other request can change the session in this block, in any process.
        with session.locked(timeout=5):
            session["visits"] = session.get("visits", 0) + 1
        resp.media = {"visits": session["visits"], "user": session.get("user")}


class Login:
    """``/login``."""

    def on_post(self, req: Request, _resp: Response) -> None:
        """Log in. The old session id becomes invalid."""
        session = req.context.session
        session.regenerate_id()
        session["user"] = req.get_media()["user"]
        session.save()
        raise falcon.HTTPSeeOther("/")


class Logout:
    """``/logout``."""

    def on_post(self, req: Request, _resp: Response) -> None:
        """Log out."""
        req.context.session.delete()
        raise falcon.HTTPSeeOther("/")


class Error:
    """``/error``."""

    def on_get(self, _req: Request, _resp: Response) -> None:
        """Fail."""
        raise RuntimeError("This page fails.")


site = falcon.App(middleware=[Sessions()])
site.add_route("/", Home())
site.add_route("/login", Login())
site.add_route("/logout", Logout())
site.add_route("/error", Error())

application = SessionMiddleware(
    site,
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
