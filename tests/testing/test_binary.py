"""Finding a ``mongod`` program."""

import sys
from pathlib import Path

import pytest

from beaker_mongo_soajs.testing import MongodNotFound, MongoServer, ServerError, find_mongod
from tests.testing.support import program


class TestFindMongod:
    """The function ``find_mongod``."""

    @pytest.fixture(autouse=True)
    def _nothing_there(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("MONGOD", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.setattr("sys.path", [str(tmp_path / "site")])
        monkeypatch.delitem(sys.modules, "fiftyone", raising=False)
        (tmp_path / "bin").mkdir()
        (tmp_path / "site/fiftyone/db/bin").mkdir(parents=True)

    def _packaged(self, tmp_path: Path) -> Path:
        return program(tmp_path / "site/fiftyone/db/bin/mongod", "")

    def test_the_environment_comes_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """MONGOD takes precedence over all other programs."""
        program(tmp_path / "bin/mongod", "")
        named = program(tmp_path / "my-mongod", "")
        monkeypatch.setenv("MONGOD", str(named))
        assert named == find_mongod()

    def test_the_path_comes_second(self, tmp_path: Path) -> None:
        """A program on PATH takes precedence over the one in the package."""
        self._packaged(tmp_path)
        assert program(tmp_path / "bin/mongod", "") == find_mongod()

    def test_the_package_comes_last(self, tmp_path: Path) -> None:
        """Without any other program, the one in the package is used, without running its code."""
        binary = self._packaged(tmp_path)
        (tmp_path / "site/fiftyone/__init__.py").write_text("raise SystemExit('imported')")
        assert binary == find_mongod()

    @pytest.mark.parametrize("name", ["absent", "."])
    def test_a_wrong_path_in_the_environment_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """A MONGOD that names no file is refused, even if there is another program."""
        program(tmp_path / "bin/mongod", "")
        monkeypatch.setenv("MONGOD", str(tmp_path / name))
        with pytest.raises(MongodNotFound, match=r"^MONGOD names .*, which is not a file"):
            find_mongod()

    def test_a_program_that_may_not_run_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that is not executable is named, with the remedy."""
        named = program(tmp_path / "my-mongod", "")
        named.chmod(0o644)
        monkeypatch.setenv("MONGOD", str(named))
        with pytest.raises(MongodNotFound, match=r"not executable: chmod \+x"):
            find_mongod()

    def test_without_any_program_every_remedy_is_named(self) -> None:
        """Without any program, one sentence lists all remedies."""
        with pytest.raises(MongodNotFound) as failure:
            find_mongod()
        message = str(failure.value)
        assert "\n" not in message
        for remedy in ("beaker_mongo_soajs[testserver]", "PATH", "MONGOD", "MONGODB_URL"):
            assert remedy in message


@pytest.mark.parametrize("stream", ["", ">&2"])
def test_a_program_of_another_kind_is_an_error(tmp_path: Path, stream: str) -> None:
    """The output of a program without a version is quoted in the error, up to 500 characters."""
    other = program(tmp_path / "other", f"printf '%0500d%d' 7 9 {stream}; exit 1")
    with pytest.raises(ServerError, match=r"it says: 0{499}7$"):
        _ = MongoServer(binary=other).version
