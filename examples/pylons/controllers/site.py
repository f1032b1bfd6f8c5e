"""The pages."""

import json

from pylons import request, response, session
from pylons.controllers import WSGIController
from pylons.controllers.util import redirect


class SiteController(WSGIController):  # type: ignore[misc] # Pylons has no types
    """The controller of all routes. The sessions are configured in ``site.ini``."""

    def index(self) -> str:
        """Count a visit."""
        session["visits"] = session.get("visits", 0) + 1
        session.save()
        response.content_type = "application/json"
        return json.dumps({"visits": session["visits"], "user": session.get("user")})

    def login(self) -> None:
        """Log in, under a new id."""
        session.regenerate_id()
        session["user"] = request.POST["user"]
        session.save()
        redirect("/")

    def logout(self) -> None:
        """Log out."""
        session.delete()
        redirect("/")

    def error(self) -> None:
        """Fail."""
        raise RuntimeError("This page fails.")
