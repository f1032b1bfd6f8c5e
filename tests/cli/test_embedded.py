"""``flask sessions``."""

import json
import os
import subprocess
import sys
from pathlib import Path

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
from tests.conftest import IMPORTS, Options

_FLASK = """
from flask import Flask
from beaker_mongo_soajs.flask import MongoSessions

app = Flask("shop")
app.config.update(SECRET_KEY="x" * 32, BEAKER_MONGO={options!r})
MongoSessions(app)
"""
_FLASK_MAIN = """
from flask.cli import FlaskGroup
from beaker_mongo_soajs.cli.flask_commands import sessions

group = FlaskGroup(name="flask")
group.add_command(sessions)
group.main()
"""


def call(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line of a framework."""
    path = folder / "manage.py"
    path.write_text(code)
    env = {**os.environ, **IMPORTS, "PYTHONSAFEPATH": ""}
    env["PYTHONPATH"] = os.pathsep.join([str(folder), IMPORTS["PYTHONPATH"]])
    command = [sys.executable, str(path), *arguments]
    return subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


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


def test_flask(store: SessionStore, options: Options, tmp_path: Path) -> None:
    """``flask sessions`` uses the store of the application."""
    (tmp_path / "shop.py").write_text(_FLASK.format(options=options))
    arguments = ("--app", "shop:app", "sessions", "list", "--user", "ann", "--format", "json")
    result = call(_FLASK_MAIN, *arguments, folder=tmp_path)
    assert (0, "") == (result.returncode, result.stderr)
    assert ["ann", "ann"] == [row["user"] for row in json.loads(result.stdout)]


def test_flask_without_sessions() -> None:
    """Without sessions in MongoDB, the error names the application; the exit code is 2."""
    app = Flask("bare")
    group = click.Group("flask", {"sessions": sessions})
    found = ScriptInfo(create_app=lambda: app)
    result = CliRunner().invoke(group, ["sessions", "list"], obj=found)
    assert 2 == result.exit_code
    assert "The Flask application bare has no sessions in MongoDB." in result.stderr
