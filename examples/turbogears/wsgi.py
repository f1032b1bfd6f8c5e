"""TurboGears 2, which uses Beaker; its configuration selects MongoDB.

Requires: TurboGears 2.4.1 or later, and a MongoDB server: MONGODB_URL, or else
          mongodb://127.0.0.1:27017
Install:  pip install beaker_mongo_soajs TurboGears2 waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.turbogears.wsgi:application
"""

import os
from typing import Any

from tg import (
    MinimalApplicationConfigurator,
    TGController,
    abort,
    expose,
    redirect,
    request,
    session,
)
from tg.configurator.components.session import SessionConfigurationComponent
from tg.decorators import before_validate

from beaker_mongo_soajs import MongoSession


def only_post(_remainder: list[str], _params: dict[str, Any]) -> None:
    """Refuse other methods than POST, as a hook that TurboGears calls before the page."""
    if request.method != "POST":
        abort(405)


class Site(TGController):
    """The pages."""

    @expose("json")
    def index(self) -> dict[str, Any]:
        """Count a visit."""
        # No other request can change the session in this block, in any process.
        with session.locked(timeout=5):
            session["visits"] = session.get("visits", 0) + 1
        return {"visits": session["visits"], "user": session.get("user")}

    @expose()
    @before_validate(only_post)
    def login(self, user: str) -> None:
        """Log in. The old session id becomes invalid."""
        session.regenerate_id()
        session["user"] = user
        session.save()
        redirect("/")

    @expose()
    @before_validate(only_post)
    def logout(self) -> None:
        """Log out."""
        session.delete()
        redirect("/")

    @expose()
    def error(self) -> None:
        """Fail."""
        raise RuntimeError("This page fails.")


config = MinimalApplicationConfigurator()
config.register(SessionConfigurationComponent)
config.update_blueprint(
    {
        "root_controller": Site(),
        "renderers": ["json"],
        "session.type": "ext:mongodb_soajs",
        "session.session_class": MongoSession,
        "session.url": os.environ.get("MONGODB_URL", "mongodb://127.0.0.1:27017"),
        "session.name": "examples",
        "session.timeout": 1800,
        # Signs the cookies. Keep it secret, and use the same in all processes.
        "session.secret": "a long random text",
        # Set it to True if the site uses HTTPS.
        "session.secure": False,
    }
)
application = config.make_wsgi_app()
