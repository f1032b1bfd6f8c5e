"""Files of old backends while other processes write or delete them."""

import dbm
import importlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.exceptions import StoreUnavailable
from beaker_mongo_soajs.sources import files
from beaker_mongo_soajs.sources.files import DbmSource, FileSource
from beaker_mongo_soajs.sources.opening import open_source
from tests.migration.old import Old, OldServers, open_old

PLAIN = {"user": "ann"}


def _modules() -> Iterator[ModuleType]:
    for name in ("dumb", "ndbm", "gnu", "sqlite3"):
        with suppress(ImportError):
            yield importlib.import_module(f"dbm.{name}")


@pytest.fixture
def old(tmp_path: Path, mongo_url: str, old_servers: OldServers) -> Old:
    """Return an empty folder of databases."""
    return open_old("dbm", tmp_path, mongo_url, old_servers)


@pytest.fixture
def source(tmp_path: Path) -> DbmSource:
    """Return the source for them."""
    return DbmSource(MigrateFrom("dbm", folder=str(tmp_path / "container_dbm")))


@pytest.fixture
def cookie(old: Old) -> str:
    """Return the cookie of a session in a database of :mod:`dbm.dumb`."""
    return old.cookie(PLAIN, dbmmodule=dbm.dumb)


@pytest.fixture
def index(tmp_path: Path, cookie: str) -> Path:
    """Return the file with the index of that database."""
    (path,) = tmp_path.rglob("*.dbm.dir")
    return path


class TestDeleted:
    """A request asks for a session that another one has moved, and is deleting."""

    @pytest.mark.parametrize("module", [*_modules()], ids=lambda module: module.__name__)
    def test_database(
        self, old: Old, source: DbmSource, module: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """From the first file on that is deleted, there is no session and no error."""
        cookie = old.cookie(PLAIN, dbmmodule=module)
        assert source.find(cookie) is not None
        found = []
        unlink = Path.unlink

        def look_after(path: Path, missing_ok: bool = False) -> None:
            unlink(path, missing_ok)
            found.append((source.find(cookie), [*source.entries()], source.count()))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", look_after)
            source.delete(cookie)
        assert found
        assert [(None, [], 0)] * len(found) == found
        assert 0 == old.number()

    def test_read_before(
        self, source: DbmSource, cookie: str, index: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The same holds if the request opened the database before."""
        opened = dbm.open

        def delete_then(path: str, _: str) -> object:
            database = opened(path, "r")
            index.with_suffix(".dat").unlink()
            return database

        monkeypatch.setattr(dbm, "open", delete_then)
        assert source.find(cookie) is None

    def test_file(
        self,
        tmp_path: Path,
        mongo_url: str,
        old_servers: OldServers,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A file that is deleted after it was found holds no session."""
        old = open_old("file", tmp_path, mongo_url, old_servers)
        cookie = old.cookie(PLAIN)
        source = FileSource(MigrateFrom("file", folder=str(tmp_path / "container_file")))
        assert source.find(cookie) is not None
        read = Path.read_bytes

        def delete_then(path: Path) -> bytes:
            path.unlink()
            return read(path)

        monkeypatch.setattr(Path, "read_bytes", delete_then)
        assert source.find(cookie) is None


class TestFolder:
    """The folder of the files."""

    @pytest.mark.parametrize("kind", ["file", "dbm"])
    def test_wrong(self, tmp_path: Path, kind: str) -> None:
        """A folder that does not exist is an error: all visitors would be logged out."""
        source = open_source(MigrateFrom(kind, folder=str(tmp_path / "misspelled")))
        for ask in (lambda: source.find("0" * 32), source.count):
            with pytest.raises(StoreUnavailable, match="misspelled of the old backend"):
                ask()


class TestWritten:
    """A request asks for a session that the old application saves at that time."""

    def _find(
        self, source: DbmSource, cookie: str, write: Callable[[], object], patch: pytest.MonkeyPatch
    ) -> bool:
        def attempts(_: float) -> Iterator[int]:
            yield 1
            write()
            yield 2

        patch.setattr(files, "attempts", attempts)
        return source.find(cookie) is not None

    def test_without_index(
        self, source: DbmSource, cookie: str, index: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the index is renamed and not yet written again, the session is waited for."""
        backup = index.with_suffix(".bak")
        index.rename(backup)
        assert self._find(source, cookie, lambda: backup.rename(index), monkeypatch)

    def test_with_an_empty_index(
        self, source: DbmSource, cookie: str, index: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the new index is empty, the session is waited for."""
        text = index.read_text()
        index.write_text("")
        assert self._find(source, cookie, lambda: index.write_text(text), monkeypatch)

    def test_never_again(
        self, source: DbmSource, cookie: str, index: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If the index is never written, there is no session: Beaker would find none, either."""
        monkeypatch.setattr(files, "_WRITE_SECONDS", 0.05)
        index.unlink()
        assert source.find(cookie) is None

    def test_damaged(
        self, source: DbmSource, cookie: str, index: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A damaged database is an error."""
        monkeypatch.setattr(files, "_WRITE_SECONDS", 0.05)
        index.write_text("'session', (")
        with pytest.raises(StoreUnavailable, match="old backend dbm"):
            source.find(cookie)

    def test_empty(
        self, source: DbmSource, cookie: str, index: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A database without data holds no session, and is not read twice."""
        index.with_suffix(".dat").write_bytes(b"")
        index.write_text("")
        assert not self._find(source, cookie, pytest.fail, monkeypatch)
        assert [] == [*source.entries()]
