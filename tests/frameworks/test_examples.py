"""The program that serves the examples, and their common parts."""

import importlib.util
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest

from beaker_mongo_soajs.testing import MongodNotFound, find_mongod
from examples.names import names, read_name
from tests.conftest import RunPython
from tests.frameworks.workers import Worker

_ROOT = Path(__file__).resolve().parent.parent.parent


class TestFolders:
    """The folders of the examples."""

    @pytest.mark.parametrize("name", names())
    def test_header(self, name: str) -> None:
        """Each example says what it is, what it needs, how to install that and how to run it."""
        code = (_ROOT / "examples" / name / "wsgi.py").read_text()
        header = code.split('"""')[1]
        for word in ("Requires:", "MONGODB_URL", "Install:", "Run:", f" examples.{name}.wsgi:"):
            assert word in header

    @pytest.mark.parametrize("name", names())
    def test_each_is_tested(self, name: str) -> None:
        """Each example has tests."""
        assert importlib.util.find_spec(f"tests.frameworks.test_{name}") is not None


class TestProgram:
    """``python -m examples NAME``, which is ``make example NAME=…``."""

    @pytest.fixture
    def worker(self, tmp_path: Path) -> Iterator[Worker]:
        """Start an example without a MongoDB server, in a folder of its own."""
        try:
            find_mongod()
        except MongodNotFound as error:
            pytest.skip(str(error))
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        env = {"PORT": "0", "MONGODB_URL": "", "TMPDIR": str(temporary)}
        command = [sys.executable, "-m", "examples", "webob"]
        with ExitStack() as stack:
            worker = Worker(command, env, tmp_path / "log")
            stack.callback(worker.end)
            yield worker

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_serves_and_ends(self, worker: Worker, tmp_path: Path, number: int) -> None:
        """It prints its address and serves, and removes its own server at the end."""
        with urlopen(worker.wait_for_address()) as page:
            assert b'"visits":1' in page.read()
        assert 0 == worker.end(number)
        assert worker.log.endswith("\nThe example has ended.\n")
        assert [] == list((tmp_path / "temporary").iterdir())

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ([], "Which example"),
            ([""], "Which example"),
            (["no such"], "There is no example 'no such'"),
            (["../examples/flask"], "There is no example '../examples/flask'"),
            (["flask", "webob"], "There is no example 'flask webob'"),
        ],
    )
    def test_wrong_name(self, arguments: list[str], problem: str) -> None:
        """An unknown name prints one sentence that lists all names."""
        with pytest.raises(SystemExit) as end:
            read_name(arguments)
        assert f"{problem}: NAME is one of {', '.join(names())}." == end.value.code

    def test_wrong_name_before_anything_is_installed(self, run_python: RunPython) -> None:
        """The sentence is printed before anything is installed."""
        code = (
            "import sys; sys.path[:] = [path for path in sys.path if 'site-packages' not in path]"
        )
        run = run_python(
            f"{code}; from examples.names import read_name; read_name([])", check=False
        )
        assert 1 == run.returncode
        assert run.stderr.startswith("Which example: NAME is one of ")

    def test_missing_framework(self, run_python: RunPython, mongo_url: str) -> None:
        """If a framework is not installed, one sentence names it."""
        code = "import sys; sys.modules['flask'] = None; import examples.__main__ as program; "
        env = {"PORT": "0", "MONGODB_URL": mongo_url}
        run = run_python(f"{code}program.main(['flask'])", env, check=False)
        assert 1 == run.returncode
        assert run.stderr.startswith("The example flask needs flask, which is not installed. ")
        assert 1 == run.stderr.count("\n")

    def test_no_database(self, run_python: RunPython) -> None:
        """If the server does not answer, the start fails with one sentence."""
        env = {"PORT": "0", "MONGODB_URL": "mongodb://127.0.0.1:1/"}
        code = "import examples.__main__ as program; program.main(['webob'])"
        run = run_python(code, env, check=False)
        assert 1 == run.returncode
        assert run.stderr.startswith("MongoDB does not answer. Check MONGODB_URL")
        assert 1 == run.stderr.count("\n")
