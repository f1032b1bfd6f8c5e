"""Files: Beaker's ``file`` and ``dbm``."""

import dbm
import hashlib
from collections.abc import Iterator
from pathlib import Path

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.exceptions import StoreUnavailable
from beaker_mongo_soajs.mongo.backoff import attempts
from beaker_mongo_soajs.sources.entry import Entry, from_timestamp
from beaker_mongo_soajs.sources.source import Source

# File systems allow 255, with the suffixes of a database.
_LONGEST_NAME_BYTES = 247
_DBM_DATA = ("", ".db", ".dat", ".pag")
"""The suffixes of the files of a database, without which it does not exist."""
_DBM_OTHERS = (".dir", ".bak", "-wal", "-shm")
_DBM_ERRORS = (OSError, ValueError, SyntaxError, *dbm.error)
_WRITE_SECONDS = 1.0
"""The longest time in which an application is expected to write a database."""


class FileSource(Source):
    """Files named after session ids, two folders deep (``beaker.util.encoded_path``)."""

    suffix = ".cache"

    def __init__(self, options: MigrateFrom) -> None:
        super().__init__(options)
        assert options.folder is not None
        self._folder = Path(options.folder)

    def _find(self, session_id: str) -> Entry | None:
        for path in self._paths(session_id):
            entry = self._read(path, session_id)
            if entry is not None:
                return entry
        self._check_folder()
        return None

    def _delete(self, session_id: str) -> None:
        for path in self._paths(session_id):
            path.unlink(missing_ok=True)

    def _entries(self) -> Iterator[Entry]:
        for path in self._all():
            entry = self._read(path, path.name.removesuffix(self.suffix))
            if entry is not None:
                yield entry

    def _count(self) -> int:
        self._check_folder()
        return sum(1 for _ in self._all())

    def _check_folder(self) -> None:
        """Check the folder: with a wrong one, all visitors would be logged out."""
        if not self._folder.is_dir():
            raise StoreUnavailable(
                f"The folder {self._folder} of the old backend {self.options.type} does not exist.",
                hint="Correct store.migrateFrom. A relative path begins at the current folder.",
            )

    def _all(self) -> Iterator[Path]:
        return self._folder.glob(f"?/??/*{self.suffix}")

    def _paths(self, session_id: str) -> Iterator[Path]:
        """Yield where Beaker may have stored a session: by its id, or by a digest of that."""
        digest = hashlib.sha1(session_id.encode(), usedforsecurity=False).hexdigest()
        # As Beaker does: an id can then not lead out of the folder.
        plain = Path(session_id).name.replace(".", "")
        for name in (plain, digest):
            if 0 < len(name.encode()) <= _LONGEST_NAME_BYTES:
                yield self._folder / name[:1] / name[:2] / f"{name}{self.suffix}"

    def _read(self, path: Path, session_id: str) -> Entry | None:
        try:
            accessed = from_timestamp(path.stat().st_mtime)
            return Entry(session_id, path.read_bytes(), accessed)
        except FileNotFoundError:
            return None


class DbmSource(FileSource):
    """Databases of :mod:`dbm` with one key, each of which may be several files."""

    suffix = ".dbm"

    def _delete(self, session_id: str) -> None:
        for path in self._paths(session_id):
            # The data first: the other files are nothing without it.
            for file in _files(path, _DBM_DATA + _DBM_OTHERS):
                file.unlink(missing_ok=True)

    def _all(self) -> Iterator[Path]:
        names = {
            path.with_name(path.name.removesuffix(suffix))
            for suffix in _DBM_DATA
            for path in self._folder.glob(f"?/??/*{self.suffix}{suffix}")
        }
        return iter(sorted(names))

    def _read(self, path: Path, session_id: str) -> Entry | None:
        """Read a database. Meanwhile, applications may write or delete its files, one by one."""
        problem: Exception | None = None
        for _ in attempts(_WRITE_SECONDS):
            files = _files(path, _DBM_DATA)
            if not files:
                return None
            try:
                accessed = from_timestamp(max(file.stat().st_mtime for file in files))
                with dbm.open(str(path), "r") as database:
                    value = database.get(b"session")
            except _DBM_ERRORS as error:
                problem = error
                continue
            if value is not None:
                return Entry(session_id, value, accessed)
            if not _is_without_index(path):
                return None
        if problem is not None and dbm.whichdb(str(path)) is not None:
            raise problem
        return None


def _files(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    paths = [path.with_name(path.name + suffix) for suffix in suffixes]
    return [file for file in paths if file.exists()]


def _is_without_index(path: Path) -> bool:
    """Return whether :mod:`dbm.dumb` has data, but has yet to write the index of it."""
    data, index = (path.with_name(path.name + suffix) for suffix in (".dat", ".dir"))
    try:
        return data.stat().st_size > 0 and index.stat().st_size == 0
    except FileNotFoundError:
        return data.exists()
