"""``beaker-mongo export`` and ``import``."""

import datetime
import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.cli.output import Output
from beaker_mongo_soajs.sessions import exporting
from tests.cli.conftest import Run
from tests.cli.support import run
from tests.cli.terminal import plain
from tests.conftest import IMPORTS, Client, Db, FailPoint
from tests.waiting import wait_until

SESSIONS = int(os.environ.get("TRANSFER_SESSIONS") or 2000)
"""How many sessions the tests of kills export and import. 100,000 take some minutes."""

FUTURE = datetime.datetime(2100, 1, 1)
RAW = CodecOptions(document_class=RawBSONDocument)


def stored(database: Db) -> list[bytes]:
    """Return all documents as BSON, in the order of their ids."""
    found = database.sessions.with_options(codec_options=RAW).find().sort("_id")
    return [bytes(document.raw) for document in found]


@pytest.fixture
def target(mongo_client: Client, database_name: str) -> Iterator[Db]:
    """Return an empty database for imports."""
    yield mongo_client[f"{database_name}_2"]
    mongo_client.drop_database(f"{database_name}_2")


@pytest.fixture
def command_there(url: str, database_name: str) -> Run:
    """Return a function that runs ``beaker-mongo`` on the database for imports."""
    there = url.replace(database_name, f"{database_name}_2")
    return lambda *arguments, **more: run(*arguments, url=there, **more)


@contextmanager
def process(url: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in another process, and kill that at the end of the block."""
    command = [sys.executable, "-m", "beaker_mongo_soajs", *arguments]
    env = {**os.environ, **IMPORTS, "BEAKER_MONGO_URL": url}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as child:
        yield child
        child.kill()


class TestRoundTrip:
    """What is exported and imported again."""

    def test_every_type(
        self, database: Db, target: Db, command: Run, command_there: Run, tmp_path: Path
    ) -> None:
        """Documents with values of all types are the same byte for byte."""
        values: dict[str, Any] = {
            "numbers": [1, bson.Int64(1), 2**60, 1.0, -0.0, 1e300, float("inf")],
            "texts": ["", "é\u2028\x00\n", "x" * 1000],
            "others": [None, True, b"x", bson.ObjectId(), bson.Decimal128("1.10"), {"a": [{}]}],
            "dates": [FUTURE, datetime.datetime(1960, 1, 1, 0, 0, 0, 1000)],
            "special": [bson.Regex("a"), bson.Timestamp(1, 2), bson.MinKey(), bson.Code("x")],
            "binary": bson.Binary(b"0123456789abcdef", 4),
            "a.b": 1,
        }
        database.sessions.insert_many(
            [
                {"_id": "types", "session": values, "expires": FUTURE, "more": {"z": 1, "a": 2}},
                {"_id": "text", "session": '{"a":1}'},
                {"_id": "ciphertext", "session": "abc", "signature": b"x"},
            ]
        )
        file = str(tmp_path / "x.jsonl")
        exported = command("export", file)
        assert (f"Exported 3 sessions to {file}.\n", "") == (exported.stdout, exported.stderr)
        assert 0 == command_there("import", file).exit_code
        assert stored(database) == stored(target)
        assert 3 == len(Path(file).read_text().splitlines())

    def test_only_sessions(self, database: Db, command: Run, tmp_path: Path) -> None:
        """Expired sessions, old ids and documents of other programs are not exported."""
        past = datetime.datetime(2020, 1, 1)
        database.sessions.insert_many(
            [
                {"_id": "live", "session": {}},
                {"_id": "expired", "session": {}, "expires": past},
                {"_id": "moved", "moved_to": "live"},
                {"_id": 7, "session": {}},
                {"_id": "of a program", "n": 1},
                *({"_id": f"a {value}", "session": value} for value in (5, None, [{"n": 1}])),
            ]
        )
        path = tmp_path / "x.jsonl"
        command("export", str(path))
        assert ["live"] == [json.loads(line)["_id"] for line in path.read_text().splitlines()]

    def test_names_with_a_dollar_sign(self, database: Db, command: Run, tmp_path: Path) -> None:
        """A document that would not be the same is not exported, which is a finding."""
        value = {"$numberInt": "5"}
        encoded = RawBSONDocument(bson.encode({"_id": "odd", "session": {"n": value}}))
        database.get_collection("sessions", codec_options=RAW).insert_one(encoded)
        result = command("export", str(tmp_path / "x.jsonl"))
        assert 1 == result.exit_code
        assert "1 documents cannot be written as extended JSON" in result.stderr

    def test_pipes(self, store: SessionStore, target: Db, command: Run, command_there: Run) -> None:
        """A minus sign means standard output and standard input."""
        exported = command("export", "-")
        assert "Exported 4 sessions.\n" == exported.stderr
        imported = command_there("import", "-", "--format", "json", input=exported.stdout_bytes)
        assert 4 == json.loads(imported.stdout)["inserted"]
        assert 4 == target.sessions.count_documents({})

    def test_the_file_is_private(self, store: SessionStore, command: Run, tmp_path: Path) -> None:
        """Only the user can read the file, and an existing file is never overwritten."""
        path = tmp_path / "x.jsonl"
        command("export", str(path))
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
        result = command("export", str(path))
        assert 2 == result.exit_code
        assert "exists. Give another name, or remove it." in result.stderr
        assert [path] == list(tmp_path.iterdir())


@contextmanager
def _interrupted(*_: object, **__: object) -> Iterator[Callable[..., None]]:
    def advance(done: int) -> None:
        if done:
            raise KeyboardInterrupt

    yield advance


def test_interrupted(
    store: SessionStore,
    target: Db,
    command: Run,
    command_there: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After Ctrl-C, the same command continues, for the same database; damage is an error."""
    path = tmp_path / "x.jsonl"
    for call, name, text in (
        (command, "export", f"Exported 4 sessions to {path}, 4 of them before.\n"),
        (
            *(command_there, "import"),
            "Imported 4 sessions; 0 existed, 0 have expired. The first 4 lines were done before.\n",
        ),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Output, "progress", _interrupted)
            result = call(name, str(path))
        assert 130 == result.exit_code
        again = "Interrupted. Run the same command again to continue.\n\n"
        assert again == result.stderr
        assert text == call(name, str(path)).stdout
    path.unlink()
    monkeypatch.setattr(Output, "progress", _interrupted)
    command("export", str(path))
    [part] = tmp_path.iterdir()
    target.sessions.delete_many({})
    assert "Exported 0 sessions to" in command_there("export", str(path)).stdout
    path.unlink()
    part.write_text("{}\n")
    result = command("export", str(path))
    assert (1, True) == (result.exit_code, "The unfinished file beside" in result.stderr)


class TestImport:
    """Files that are not as they should be."""

    @pytest.fixture
    def path(self, store: SessionStore, command: Run, tmp_path: Path) -> Path:
        """Return the file of an export of four sessions."""
        path = tmp_path / "x.jsonl"
        command("export", str(path))
        return path

    def test_existing_sessions(self, path: Path, target: Db, command_there: Run) -> None:
        """A session whose id exists is left alone."""
        command_there("import", str(path))
        target.sessions.update_one({}, {"$set": {"session": {"new": 1}}})
        before = stored(target)
        result = json.loads(command_there("import", str(path), "--format", "json").stdout)
        assert (0, 4) == (result["inserted"], result["existing"])
        assert before == stored(target)

    def test_half_a_line(self, path: Path, target: Db, command_there: Run) -> None:
        """A file that ends in the middle of a line is a finding; all other lines are stored."""
        path.write_bytes(path.read_bytes()[:-20])
        result = command_there("import", str(path))
        assert 1 == result.exit_code
        assert "1 lines hold no session: 4." in result.stderr
        assert 3 == target.sessions.count_documents({})
        for number, more in ((10, "10."), (11, "10 ….")):
            path.write_text("{}\n" * number)
            shown = f"{number} lines hold no session: 1, 2, 3, 4, 5, 6, 7, 8, 9, {more} The file"
            assert command_there("import", str(path)).stderr.startswith(shown)

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"{",
            b"7",
            b"[]",
            b"{}",
            b'{"_id": 7}',
            b'{"_id": "x", "session": 5}',
            b"\xff",
            b'{"_id": {"$oid": "1"}}',
            b"[" * 100_000,
        ],
        ids=range(10),
    )
    def test_damaged_lines(self, path: Path, target: Db, command_there: Run, line: bytes) -> None:
        """A line that holds no session is named by its number, and not stored."""
        path.write_bytes(line + b"\n" + path.read_bytes())
        result = command_there("import", str(path))
        assert 1 == result.exit_code
        assert "1 lines hold no session: 1." in result.stderr
        assert 4 == target.sessions.count_documents({})

    def test_expired_meanwhile(
        self, path: Path, target: Db, command_there: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A session that has expired since the export is not stored."""
        monkeypatch.setenv("FORCE_COLOR", "1")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        lines[0]["expires"] = {"$date": {"$numberLong": "1000000000000"}}
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        result = command_there("import", str(path))
        assert "Imported 3 sessions; 0 existed, 1 have expired.\n" == result.stdout
        assert re.search(r" ([\d.]+)/\1 (bytes|kB) ", plain(result.stderr))
        assert 3 == target.sessions.count_documents({})

    def test_no_file(self, command_there: Run, tmp_path: Path) -> None:
        """A file that does not exist is a usage error."""
        assert 2 == command_there("import", str(tmp_path / "no")).exit_code
        assert 2 == command_there("export", str(tmp_path / "no" / "x")).exit_code


class TestKills:
    """Exports and imports that are killed in the middle."""

    @pytest.fixture
    def many(self, database: Db) -> Db:
        """Return a database with many sessions."""
        for start in range(0, SESSIONS, 10_000):
            database.sessions.insert_many(
                [
                    {
                        "_id": f"{number * 7919 % 1_000_003:032x}",
                        "session": {"user": f"user {number % 100}", "n": number, "t": time.time()},
                        "expires": FUTURE,
                    }
                    for number in range(start, min(start + 10_000, SESSIONS))
                ]
            )
        return database

    def test_export(
        self, many: Db, url: str, command: Run, tmp_path: Path, fail_point: FailPoint
    ) -> None:
        """A killed export leaves no file; continued, it is the same as one that was not."""
        path = tmp_path / "x.jsonl"
        with fail_point("getMore", block_ms=200), process(url, "export", str(path)) as child:
            wait_until(lambda: _size(tmp_path.glob("*.part")) > 50_000, 30)
            child.kill()
        assert not path.exists()
        (part,) = tmp_path.iterdir()
        _damage_end(part)
        result = json.loads(command("export", str(path), "--format", "json").stdout)
        assert 0 < result["resumed"] < SESSIONS == result["sessions"]
        assert [path] == list(tmp_path.iterdir())
        whole = tmp_path / "whole.jsonl"
        command("export", str(whole))
        assert whole.read_bytes() == path.read_bytes()

    def test_import(
        self,
        many: Db,
        target: Db,
        url: str,
        command: Run,
        command_there: Run,
        tmp_path: Path,
        fail_point: FailPoint,
    ) -> None:
        """A killed import is continued, and does not restore sessions that ended meanwhile."""
        path = tmp_path / "x.jsonl"
        command("export", str(path))
        there = url.replace(many.name, target.name)
        with fail_point("insert", block_ms=300), process(there, "import", str(path)) as child:
            wait_until(lambda: list(tmp_path.glob("*.imported")), 30)
            child.kill()
        first = next(iter(target.sessions.find().sort("_id")))["_id"]
        target.sessions.delete_one({"_id": first})
        result = json.loads(command_there("import", str(path), "--format", "json").stdout)
        assert 0 < result["resumed"] < SESSIONS
        assert 0 == result["damaged"]
        many.sessions.delete_one({"_id": first})
        assert stored(many) == stored(target)
        assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("block", range(1, 30))
@pytest.mark.parametrize("end", [b"", b'{"_id":', b'{"_id": "c"}'])
def test_end_of_an_unfinished_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, end: bytes
) -> None:
    """An incomplete last line is cut off, in whatever blocks the file is read."""
    monkeypatch.setattr(exporting, "_BLOCK", block)
    path = tmp_path / "x.part"
    whole = b'{"_id": "a"}\n{"_id": "bb"}\n'
    path.write_bytes(whole + end)
    with path.open("r+b") as file:
        assert (2, "bb") == exporting._recover(file)
        assert len(whole) == file.tell()
    assert whole == path.read_bytes()


def _size(paths: Iterator[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _damage_end(path: Path) -> None:
    """Leave half of the last line, as a kill in the middle of a write does."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:30])
