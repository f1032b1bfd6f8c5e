"""``flask sessions``."""

import json

import click
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.cli import embedded
from beaker_mongo_soajs.cli.app import COMMANDS
from beaker_mongo_soajs.cli.embedded import SessionCommands
from beaker_mongo_soajs.cli.flask_commands import sessions
from beaker_mongo_soajs.cli.listing import show
from beaker_mongo_soajs.flask import MongoSessions
from tests.conftest import Options


def test_commands(store: SessionStore, database_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group has all commands, for the configuration of the application, and needs rich."""

    def call_group(found: object, *arguments: str) -> str:
        return CliRunner().invoke(SessionCommands(lambda _: found, "the shop"), arguments).output

    described = call_group(store, "--help")
    assert "Inspect and manage the sessions in MongoDB." in described
    assert all(f"\n  {command.name} " in described for command in COMMANDS)
    assert f"{database_name}.sessions on" in call_group(store, "explain")
    assert "the shop is a int" in call_group(7, "list")
    group = SessionCommands(lambda _: store, "the shop")
    assert group.get_command(click.Context(group), "show") is show
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    assert 'need rich: run pip install "beaker_mongo_soajs[cli]"' in call_group(store, "list")


def test_flask(store: SessionStore, options: Options) -> None:
    """``flask sessions`` uses the store of the application, or names one that has none."""
    shop, bare = Flask("shop"), Flask("bare")
    shop.config.update(SECRET_KEY="x" * 32, BEAKER_MONGO=options)
    MongoSessions(shop)
    group = click.Group("flask", {"sessions": sessions})
    arguments = ("sessions", "list", "--user", "ann", "--format", "json")
    listed, refused = (
        CliRunner().invoke(group, arguments, obj=ScriptInfo(create_app=lambda app=app: app))
        for app in (shop, bare)
    )
    assert ["ann", "ann"] == [row["user"] for row in json.loads(listed.stdout)]
    assert 2 == refused.exit_code
    assert "The Flask application bare has no sessions in MongoDB." in refused.stderr
