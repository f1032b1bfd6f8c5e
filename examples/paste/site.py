"""The application in ``site.ini``. The sessions are configured there."""

from typing import Any

from webob import Request, Response
from webob.dec import wsgify
from webob.exc import HTTPNotFound, HTTPSeeOther


def make_site(_global_conf: dict[str, str]) -> Any:
    """Make the application, for Paste Deploy."""
    return wsgify(respond)


def respond(request: Request) -> Response:
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
