"""The command line in pipes, and without its extra."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from beaker_mongo_soajs.cli import failures, output, transfer
from tests.cli.conftest import Run
from tests.conftest import IMPORTS, Db


@pytest.fixture
def variables(url: str) -> dict[str, str]:
    """Return the environment variable of this test's database."""
    return {"BEAKER_MONGO_URL": url}


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
