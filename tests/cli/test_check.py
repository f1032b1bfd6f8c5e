"""``beaker-mongo check``; tests/mongo/test_setup_check.py has the set-ups."""

import json
from typing import Any

import pytest

from beaker_mongo_soajs.testing.process import free_port
from tests.cli.conftest import Run
from tests.cli.support import run
from tests.conftest import Db
from tests.passwords import PASSWORD


def test_text(command: Run, database: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finding has a line with a mark, and what to do below it; warnings are no failure."""
    database.sessions.create_index("expires")
    database.sessions.drop_indexes()
    result = command("check")
    assert 0 == result.exit_code
    lines = result.stdout.splitlines()
    assert lines[0].startswith("✓ configuration ")
    assert any(line.startswith("! TTL index      expires_1 does not exist yet") for line in lines)
    assert any(line.strip().startswith("→ ") for line in lines)
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.setenv(name, "1")
        assert (name == "FORCE_COLOR") == ("\x1b[3" in command("check").stdout)


def test_exit_codes(command: Run, database: Db) -> None:
    """The exit code is 1 for a problem, with --strict also for a warning, and 3 for no server."""
    assert 1 == command("check", "--strict").exit_code
    database.sessions.create_index("expires")
    assert 1 == command("check").exit_code
    port = free_port()
    assert 3 == run("check", "--wait", "1s", url=f"mongodb://127.0.0.1:{port}/x").exit_code


def test_json(command: Run, database: Db) -> None:
    """As JSON, each finding is an object."""
    database.sessions.create_index("expires")
    rows = json.loads(command("check", "--format", "json").stdout)
    assert {"level", "topic", "text", "remedy"} == set(rows[0])
    assert {"ok", "warning", "problem"} == {row["level"] for row in rows}


def test_invalid_configuration(tmp_path: Any) -> None:
    """Each error of the configuration is a problem; without a configuration, the code is 2."""
    path = tmp_path / "x.ini"
    path.write_text(
        f"[app:main]\nsession.name = x\nsession.bogus = 1\nsession.password = {PASSWORD}\n"
        "session.collection = a$b\n"
    )
    result = run("-c", str(path), "check", "--format", "json")
    assert 1 == result.exit_code
    rows = json.loads(result.stdout)
    assert {("problem", "configuration")} == {(row["level"], row["topic"]) for row in rows}
    assert len(rows) > 1
    assert all(row["remedy"] for row in rows)
    assert PASSWORD not in result.output
    assert 2 == run("check").exit_code
