"""Plain WSGI with WebOb, and the session middleware of this package.

Requires: WebOb 1.8, and a MongoDB server: MONGODB_URL, or else mongodb://127.0.0.1:27017
Install:  pip install beaker_mongo_soajs webob waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.webob.wsgi:application
"""

import os

from webob import Request, Response
from webob.dec import wsgify
from webob.exc import HTTPNotFound, HTTPSeeOther

from beaker_mongo_soajs import SessionMiddleware


@wsgify
def site(request: Request) -> Response:
    """Respond to a request."""
    session = request.environ["beaker.session"]
    match request.method, request.path_info:
        case "GET", "/":
            # No other request can change the session in this block, in any process.
            with session.locked(timeout=5):
                session["visits"] = session.get("visits", 0) + 1
            return Response(json={"visits": session["visits"], "user": session.get("user")})
        case "POST", "/login":
            # The old session id becomes invalid.
            session.regenerate_id()
            session["user"] = request.POST.get("user", "")
            session.save()
            return HTTPSeeOther(location="/")
        case "POST", "/logout":
            session.delete()
            return HTTPSeeOther(location="/")
        case "GET", "/error":
            raise RuntimeError("This page fails.")
    return HTTPNotFound()


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
