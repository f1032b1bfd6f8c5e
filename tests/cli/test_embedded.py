"""``flask sessions`` and ``manage.py sessions``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from beaker_mongo_soajs import SessionStore
from tests.conftest import IMPORTS, Options

_FLASK = """
from flask import Flask
from beaker_mongo_soajs.flask import MongoSessions

app = Flask("shop")
app.config.update(SECRET_KEY="x" * 32, BEAKER_MONGO={options!r})
MongoSessions(app)
bare = Flask("bare")
"""
_FLASK_MAIN = """
from flask.cli import FlaskGroup
from beaker_mongo_soajs.cli.flask_commands import sessions

group = FlaskGroup(name="flask")
group.add_command(sessions)
group.main()
"""
_DJANGO = """
SECRET_KEY = "x" * 32
USE_TZ = True
INSTALLED_APPS = ["beaker_mongo_soajs.django"]
SESSION_ENGINE = "beaker_mongo_soajs.django"
BEAKER_MONGO = {options!r}
"""
_DJANGO_MAIN = "from django.core.management import execute_from_command_line as run; run()"


def call(
    code: str, *arguments: str, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line of a framework."""
    path = folder / "manage.py"
    path.write_text(code if "run()" not in code else f"import sys\n{code}\n")
    env = {**os.environ, **IMPORTS, **variables, "PYTHONSAFEPATH": ""}
    env["PYTHONPATH"] = os.pathsep.join([str(folder), IMPORTS["PYTHONPATH"]])
    command = [sys.executable, str(path), *arguments]
    return subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def flask_folder(options: Options, tmp_path: Path) -> Path:
    """Return the folder of a Flask application."""
    (tmp_path / "shop.py").write_text(_FLASK.format(options=options))
    return tmp_path


class TestFlask:
    """``flask sessions``."""

    def test_list(self, store: SessionStore, flask_folder: Path) -> None:
        """The commands use the store of the application."""
        arguments = ("--app", "shop:app", "sessions", "list", "--user", "ann", "--format", "json")
        result = call(_FLASK_MAIN, *arguments, folder=flask_folder)
        assert (0, "") == (result.returncode, result.stderr)
        assert ["ann", "ann"] == [row["user"] for row in json.loads(result.stdout)]

    def test_without_sessions(self, flask_folder: Path) -> None:
        """Without sessions in MongoDB, the error names the application; the exit code is 2."""
        result = call(_FLASK_MAIN, "--app", "shop:bare", "sessions", "list", folder=flask_folder)
        assert 2 == result.returncode
        assert "The Flask application bare has no sessions in MongoDB." in result.stderr


def test_django(store: SessionStore, options: Options, tmp_path: Path) -> None:
    """``manage.py sessions`` uses the project's settings, and has the same exit codes."""
    (tmp_path / "project.py").write_text(_DJANGO.format(options=options))
    result = call(
        _DJANGO_MAIN,
        *("sessions", "show", "0" * 40),
        folder=tmp_path,
        DJANGO_SETTINGS_MODULE="project",
    )
    assert 1 == result.returncode
    assert "No session has a handle that begins with 0000" in result.stderr
