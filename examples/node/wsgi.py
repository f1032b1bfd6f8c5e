"""A Python application and an Express application with the same sessions, in the same cookie.

Requires: WebOb 1.8, Node 20 with npm, and a MongoDB server: MONGODB_URL, or else
          mongodb://127.0.0.1:27017
Install:  pip install beaker_mongo_soajs webob waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.node.wsgi:application
"""

import os
from html import escape

from webob import Request, Response
from webob.dec import wsgify
from webob.exc import HTTPNotFound, HTTPSeeOther

from beaker_mongo_soajs import SessionMiddleware
from examples.node.express import Proxy

os.environ.setdefault("MONGODB_URL", "mongodb://127.0.0.1:27017")

_PAGE = """<!DOCTYPE html>
<title>Python</title>
<h1>Python</h1>
<p>User: <b id="user">{user}</b>, visits: <b id="visits">{visits}</b></p>
<form method="post" action="/login"><input name="user" aria-label="User">
<button>Log in</button></form>
<form method="post" action="/logout"><button>Log out</button></form>
<p><a href="/express/">Express</a></p>"""


@wsgify
def site(request: Request) -> Response:
    """Respond to a request."""
    session = request.environ["beaker.session"]
    match request.method, request.path_info:
        case "GET", "/":
            session["visits"] = session.get("visits", 0) + 1
            session.save()
            user = escape(str(session.get("user", "nobody")))
            return Response(_PAGE.format(user=user, visits=session["visits"]))
        case "POST", "/login":
            # The old session id becomes invalid.
            session.regenerate_id()
            session["user"] = request.POST.get("user", "")
            session.save()
            return HTTPSeeOther(location="/")
        case "POST", "/logout":
            session.delete()
            return HTTPSeeOther(location="/")
    return HTTPNotFound()


python = SessionMiddleware(
    site,
    {
        "session.url": os.environ["MONGODB_URL"],
        "session.name": "examples",
        "session.collection": "node",
        # The cookie of express-session: the same secret and key as in shop.mjs.
        "session.cookie_format": "express",
        "session.secret": "a long random text",
        "session.key": "connect.sid",
        "session.timeout": 1800,
        # Set it to True, in shop.mjs as well, if the site uses HTTPS.
        "session.secure": False,
    },
)
application = Proxy(python, "/express/")
