"""The command line on a terminal, in pipes, and interrupted."""

import datetime
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.cli import failures, output, transfer
from tests.cli.conftest import Run
from tests.cli.terminal import Terminal, plain, screen
from tests.conftest import IMPORTS, Db, FailPoint


@pytest.fixture
def variables(url: str) -> dict[str, str]:
    """Return the environment variable of this test's database."""
    return {"BEAKER_MONGO_URL": url}


class TestTerminal:
    """A person at a terminal."""

    def test_no_colours(
        self, store: SessionStore, variables: dict[str, str], tmp_path: Path
    ) -> None:
        """With NO_COLOR, there are no colours; the pictures of the documentation have them."""
        with Terminal("check", folder=tmp_path, env=variables | {"NO_COLOR": "1"}) as terminal:
            assert 0 == terminal.finish()
        assert "\x1b[3" not in terminal.output
        assert "✓ configuration" in plain(terminal.output)

    def test_interrupted_export(
        self, database: Db, variables: dict[str, str], tmp_path: Path, fail_point: FailPoint
    ) -> None:
        """Ctrl-C in the middle of an export says how to continue; the next one continues."""
        future = datetime.datetime(2100, 1, 1)
        database.sessions.insert_many(
            [{"_id": f"{n:06}", "session": {"n": n}, "expires": future} for n in range(1500)]
        )
        arguments = ("export", "all.jsonl")
        with (
            fail_point("getMore", block_ms=1500),
            Terminal(*arguments, folder=tmp_path, env=variables) as terminal,
        ):
            terminal.wait_for("400/1500")
            assert 130 == terminal.interrupt()
        assert "Run the same command again to continue." in terminal.output
        assert "Traceback" not in terminal.output
        with Terminal(*arguments, folder=tmp_path, env=variables) as terminal:
            assert 0 == terminal.finish()
        shown = plain(screen(terminal.output))
        assert "Exporting" in shown
        assert "1500/1500" in shown
        assert "of them before." in shown
        lines = (tmp_path / "all.jsonl").read_text().splitlines()
        assert [f"{n:06}" for n in range(1500)] == [json.loads(line)["_id"] for line in lines]


class TestPipes:
    """Commands in pipes."""

    @pytest.fixture
    def many(self, database: Db) -> None:
        """Store more sessions than a pipe holds."""
        database.sessions.insert_many([{"_id": f"{n}", "session": {}} for n in range(3000)])

    @pytest.mark.parametrize(
        "arguments",
        [
            ("list", "--limit", "0"),
            ("export", "-"),
        ],
        ids=" ".join,
    )
    def test_head(self, many: None, variables: dict[str, str], arguments: tuple[str, ...]) -> None:
        """If the reader of a pipe ends, the command ends without a message."""
        command = [sys.executable, "-m", "beaker_mongo_soajs", *arguments]
        with subprocess.Popen(
            command,
            env={**os.environ, **IMPORTS, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            # Else the pipe may hold all the output.
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
            process.stdout.readline()
            process.stdout.close()
            errors = process.stderr.read()
            assert 141 == process.wait(60)
        assert b"" == errors

    def test_the_rest(self, command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Then the rest of the output is discarded, also that of tables."""
        with (tmp_path / "out").open("w") as file, monkeypatch.context() as patch:
            patch.setattr("sys.stdout", file)
            failures.silence_output()
            print("more", file=file, flush=True)
        assert "" == (tmp_path / "out").read_text()
        silenced: list[str] = []
        for module in (failures, output):
            monkeypatch.setattr(module, "silence_output", lambda: silenced.append("once"))
        monkeypatch.setattr(transfer, "export_stream", _break)
        assert 141 == command("export", "-").exit_code
        with pytest.raises(SystemExit, match="141"):
            output.Output().console.on_broken_pipe()
        assert ["once", "once"] == silenced

    def test_no_progress(
        self, store: SessionStore, variables: dict[str, str], tmp_path: Path
    ) -> None:
        """In a pipe, an export shows no progress."""
        command = [sys.executable, "-m", "beaker_mongo_soajs", "export", "x.jsonl"]
        env = {**os.environ, **IMPORTS, **variables}
        result = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=True)
        assert (b"Exported 4 sessions to x.jsonl.\n", b"") == (result.stdout, result.stderr)


def _break(*_: object) -> None:
    raise BrokenPipeError


def test_without_the_extra(tmp_path: Path) -> None:
    """Without click or rich, one line says what to install."""
    code = (
        "import importlib.util, runpy\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'click' else find(name)\n"
        "runpy.run_module('beaker_mongo_soajs', run_name='__main__')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **IMPORTS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 2 == result.returncode
    needed = 'beaker-mongo needs click: run pip install "beaker_mongo_soajs[cli]".\n'
    assert needed == result.stderr
