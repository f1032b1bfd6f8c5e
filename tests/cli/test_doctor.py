"""``beaker-mongo doctor``."""

import json
from pathlib import Path

import pytest

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.cli import doctor
from tests.cli.conftest import Run
from tests.cli.support import run
from tests.conftest import Options


def test_report(store: SessionStore, command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report has versions, options, findings, indexes and numbers."""
    monkeypatch.setattr(doctor, "_PACKAGES", ("click", "no-such-package", "pymongo"))
    text = command("doctor").stdout
    for title in ("Versions", "Options", "Check", "Indexes", "Statistics"):
        assert f"### {title}\n" in text
    assert "\n    Live sessions " in text
    assert "{" not in text.partition("### Statistics")[2]
    assert "\n    expires_1 (expires): missing\n" in text
    assert "sessions on mongodb://127.0.0.1:" in text
    assert "(default)" not in text
    report = json.loads(command("doctor", "--format", "json").stdout)
    assert 4 == report["statistics"]["live"]
    assert ["Python", "system", "click", "pymongo"] == list(report["versions"])
    assert ["expires_1"] == [row["name"] for row in report["indexes"]]


def test_nothing_private(store: SessionStore, command: Run) -> None:
    """The report has no id, no handle and no value of a session."""
    text = command("doctor").output
    for id_, session in list(store.find(device="phone")):
        assert id_ not in text
        assert session["user"] not in text.split()


def test_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server there is a report, too; it has neither the server's name nor a password."""
    options: Options = {
        "name": "shop",
        "servers": "db1:27017, db1.invalid:27017",
        "credentials": {"username": "ann", "password": "s3cr3t-7"},
        "URLParam": {"serverSelectionTimeoutMS": 200},
    }
    monkeypatch.setattr(doctor, "_WAIT_SECONDS", 0.2)
    path = tmp_path / "db.json"
    path.write_text(json.dumps(options))
    result = run("-c", str(path), "doctor")
    assert 0 == result.exit_code
    assert "✗ connection: MongoDB is unreachable: " in result.stdout
    assert "s3cr3t" not in result.output
    assert "invalid" not in result.output
    assert "shop.sessions on mongodb://host1:27017,host2:27017, as" in result.stdout
    assert 2 == result.stdout.count("\n    error: ")
    path.write_text(json.dumps(options | {"bogus": 1}))
    assert "bogus: refused" in run("-c", str(path), "doctor").stdout
