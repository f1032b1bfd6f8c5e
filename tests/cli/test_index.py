"""``beaker-mongo index``."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from beaker_mongo_soajs import DbConfig
from beaker_mongo_soajs.mongo.index_admin import Build, IndexAdmin
from tests.cli.conftest import Run
from tests.cli.support import run
from tests.cli.terminal import plain
from tests.conftest import Client, Db, Options
from tests.waiting import wait_until


@pytest.fixture
def command(options: Options, tmp_path: Path) -> Run:
    """Return a function that runs ``beaker-mongo index`` for two indexes."""
    path = tmp_path / "db.json"
    options = options | {"store": {"createIndexes": False, "indexes": ["session.user"]}}
    path.write_text(json.dumps(options))

    def run_here(*arguments: str, **more: Any) -> Result:
        return run("-c", str(path), "index", *arguments, **more)

    return run_here


def states(command: Run) -> dict[str, str]:
    """Return the state of each index."""
    result = command("status", "--format", "json")
    return {row["name"]: row["state"] for row in json.loads(result.stdout)}


def test_missing_indexes_are_created(command: Run, database: Db) -> None:
    """Missing indexes are listed, created, and then ready."""
    database.sessions.create_index("mine")
    assert 1 == command("status").exit_code
    missing = {"expires_1": "missing", "session.user_1": "missing"}
    extra = {"mine_1": "not needed by this package"}
    assert missing | extra == states(command)
    assert "Created expires_1, session.user_1.\n" == command("create").stdout
    assert dict.fromkeys(missing, "ready") | extra == states(command)
    assert 0 == command("status").exit_code
    assert "All indexes exist.\n" == command("create").stdout
    assert 0 == database.sessions.index_information()["expires_1"]["expireAfterSeconds"]


def test_another_definition(command: Run, database: Db) -> None:
    """An index in the way is named, cannot be replaced, and can be dropped."""
    database.sessions.create_index("expires", name="mine")
    assert "another definition" == states(command)["mine"]
    refused = command("create")
    assert 3 == refused.exit_code
    assert "MongoDB" in refused.stderr
    assert "Dropped mine.\n" == command("drop", "mine", "--yes").stdout
    made = json.loads(command("create", "--format", "json").stdout)
    assert {"created": ["expires_1", "session.user_1"]} == made
    assert "ready" == states(command)["expires_1"]


def test_no_such_index(command: Run, database: Db) -> None:
    """The index on _id cannot be dropped, nor one that does not exist, nor without a question."""
    database.sessions.create_index("mine")
    for name, code in (("_id_", 2), ("other", 1)):
        assert code == command("drop", name, "--yes").exit_code
    assert 2 == command("drop", "mine_1").exit_code
    assert "mine_1" in database.sessions.index_information()


def test_table(command: Run, database: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has the sizes of the indexes that exist; on a terminal, builds have a bar."""
    database.sessions.create_index("mine")
    head, *rows = command("status").stdout.splitlines()
    assert "Index           Fields        State                           Size" == head
    assert "expires_1       expires       missing                             " == rows[0]
    assert rows[2].startswith("mine_1          mine          not needed by this package    ")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert f"Building {'━' * 30} 2/2 0:00:00\n" in plain(command("create").stderr)


def test_long_builds(options: Options, database: Db, fail_point: Any) -> None:
    """An index may take longer than any time limit of the configuration."""
    admin = IndexAdmin(DbConfig.from_options(options | {"URLParam.timeoutMS": 1000}))
    with fail_point("createIndexes", block_ms=1200):
        admin.create(lambda _: None)
    assert "expires_1" in database.sessions.index_information()


def test_builds(
    command: Run, options: Options, database: Db, mongo_client: Client, fail_point: Any
) -> None:
    """While an index is built, its progress is reported, and its state is "building"."""
    database.sessions.insert_many([{"n": n} for n in range(10)])
    seen: list[Build] = []
    name = "hangAfterStartingIndexBuild"
    mongo_client.admin.command("configureFailPoint", name, mode="alwaysOn")
    admin = IndexAdmin(DbConfig.from_options(options | {"store.indexes": "session.user"}))
    thread = threading.Thread(target=admin.create, args=(seen.append,))
    try:
        thread.start()
        wait_until(lambda: seen)
        assert "building" == states(command)["session.user_1"]
    finally:
        mongo_client.admin.command("configureFailPoint", name, mode="off")
        thread.join()
    assert {"expires_1", "session.user_1"} == set(seen[0].names)
    assert "ready" == states(command)["session.user_1"]
