"""Files: Beaker's ``file`` and ``dbm``."""

import dbm
import hashlib
from collections.abc import Iterator
from pathlib import Path

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.sources.entry import Entry, from_timestamp
from beaker_mongo_soajs.sources.source import Source

# File systems allow 255, with the suffix.
_LONGEST_NAME_BYTES = 240
_DBM_SUFFIXES = ("", ".db", ".dat", ".pag", ".dir", ".bak")


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
        return sum(1 for _ in self._all())

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
            for file in _files(path):
                file.unlink(missing_ok=True)

    def _all(self) -> Iterator[Path]:
        names = {
            path.parent / f"{path.name.partition(self.suffix)[0]}{self.suffix}"
            for path in self._folder.glob(f"?/??/*{self.suffix}*")
        }
        return iter(sorted(names))

    def _read(self, path: Path, session_id: str) -> Entry | None:
        files = _files(path)
        if not files:
            return None
        try:
            accessed = from_timestamp(max(file.stat().st_mtime for file in files))
            with dbm.open(str(path), "r") as database:
                value = database.get(b"session")
        except (OSError, *dbm.error):
            if files == _files(path):
                raise
            # Another request has moved the session, and is deleting the files.
            return None
        return None if value is None else Entry(session_id, value, accessed)


def _files(path: Path) -> list[Path]:
    paths = [path.with_name(path.name + suffix) for suffix in _DBM_SUFFIXES]
    return [file for file in paths if file.exists()]
