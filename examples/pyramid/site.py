"""The application in ``site.ini``."""

import logging
import os
from typing import Any

from pyramid.config import Configurator
from pyramid.csrf import get_csrf_token
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import exception_view_config, view_config

logger = logging.getLogger(__name__)


def main(_global_config: dict[str, str], **settings: str) -> Any:
    """Make the application, for Paste Deploy."""
    settings["session.url"] = os.environ.get("MONGODB_URL", settings["session.url"])
    config = Configurator(settings=settings)
    config.set_default_csrf_options(require_csrf=True)
    for name, path in (
        ("home", "/"),
        ("login", "/login"),
        ("logout", "/logout"),
        ("error", "/error"),
    ):
        config.add_route(name, path)
    config.scan(__name__)
    return config.make_wsgi_app()


@view_config(route_name="home", request_method="GET", accept="text/html", renderer="page.jinja2")
@view_config(route_name="home", request_method="GET", accept="application/json", renderer="json")
def home(request: Request) -> dict[str, Any]:
    """Count a visit, and show the flash messages."""
    session = request.session
    session["visits"] = session.get("visits", 0) + 1
    return {
        "visits": session["visits"],
        "user": session.get("user"),
        "messages": session.pop_flash(),
        "csrf_token": get_csrf_token(request),
    }


@view_config(route_name="login", request_method="POST")
def login(request: Request) -> Response:
    """Log in, with a new session id."""
    user = request.POST["user"]
    request.session.regenerate_id()
    request.session["user"] = user
    request.session.flash(f"Welcome, {user}.")
    return HTTPSeeOther(request.route_url("home"))


@view_config(route_name="logout", request_method="POST")
def logout(request: Request) -> Response:
    """Log out."""
    request.session.delete()
    return HTTPSeeOther(request.route_url("home"))


@view_config(route_name="error")
def error(_request: Request) -> Response:
    """Fail."""
    raise RuntimeError("This page fails.")


@exception_view_config(Exception, renderer="error.jinja2")
def show_error(error: Exception, request: Request) -> dict[str, Any]:
    """Show an error page. Changes of the session are saved nevertheless."""
    logger.error("%s failed", request.path, exc_info=error)
    request.response.status = 500
    return {"user": request.session.get("user")}
