"""``flask sessions``: Flask finds these commands by the entry point ``flask.commands``."""

from typing import Any

import click
from flask.cli import ScriptInfo

from beaker_mongo_soajs.cli.embedded import SessionCommands
from beaker_mongo_soajs.exceptions import ConfigError

_EXTENSION = "beaker_mongo"


def _find_store(context: click.Context) -> Any:
    info = context.ensure_object(ScriptInfo)
    app = info.load_app()
    if _EXTENSION not in app.extensions:
        raise ConfigError(
            f"The Flask application {app.name} has no sessions in MongoDB.",
            hint="Call MongoSessions(app) where it is made.",
        )
    return app.extensions[_EXTENSION].store


sessions = SessionCommands(_find_store, "the Flask application")
