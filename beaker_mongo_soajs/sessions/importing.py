"""The import of sessions from a file, which can be continued after a crash."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import bson

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.mongo.admin_collection import AdminCollection
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.exporting import part_path
from beaker_mongo_soajs.sessions.json_lines import DamagedLineError, load_line

_LINES_AT_ONCE = 500
_BYTES_AT_ONCE = 8 << 20
_LONGEST_LINE = 160 << 20
"""Longer than the line of the largest document that MongoDB can hold."""

_MOST_NUMBERS = 10

OnProgress = Callable[[int], object]


@dataclass(slots=True, repr=False)
class ImportResult:
    """Count what an import did.

    :param inserted: sessions that were stored.
    :param existing: sessions whose id existed; they were left alone.
    :param expired: sessions that have expired since the export.
    :param damaged: lines that hold no session.
    :param damaged_lines: the numbers of the first of them.
    :param offset: how many bytes of the file are done.
    :param line: how many lines of the file are done.
    :param resumed: how many lines an earlier, interrupted import had done.
    """

    inserted: int = 0
    existing: int = 0
    expired: int = 0
    damaged: int = 0
    damaged_lines: list[int] = field(default_factory=list)
    offset: int = 0
    line: int = 0
    resumed: int = 0


def import_file(collection: AdminCollection, path: Path, on_progress: OnProgress) -> ImportResult:
    """Store the sessions in a file. Those whose id exists are left alone.

    After each batch, a file beside it notes how far the import has come, so that sessions which
    have ended since are not stored again when it is continued.

    :param collection: the collection.
    :param path: the file.
    :param on_progress: called with the number of bytes that are done.
    """
    notes = part_path(collection.config, path, ".imported")
    size = path.stat().st_size
    result = _read_notes(notes, size)
    with path.open("rb") as file:
        file.seek(result.offset)

        def note() -> None:
            temporary = notes.with_name(f"{notes.name}.new")
            temporary.write_text(json.dumps(asdict(result) | {"size": size}))
            temporary.replace(notes)
            on_progress(result.offset)

        _store(collection, file, result, note)
    notes.unlink(missing_ok=True)
    return result


def import_stream(collection: AdminCollection, file: IO[bytes]) -> ImportResult:
    """Store the sessions in a stream. Those whose id exists are left alone.

    :param collection: the collection.
    :param file: the stream.
    """
    result = ImportResult()
    _store(collection, file, result, lambda: None)
    return result


def _read_notes(notes: Path, size: int) -> ImportResult:
    """Return how far an interrupted import of the same file has come."""
    try:
        noted: dict[str, Any] = json.loads(notes.read_text())
        if noted.pop("size") == size:
            result = ImportResult(**noted)
            result.resumed = result.line
            return result
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return ImportResult()


def _store(
    collection: AdminCollection, file: IO[bytes], result: ImportResult, note: Callable[[], None]
) -> None:
    documents = SessionDocuments(collection.config, collection.config.expire_after_seconds)
    batch: list[bytes] = []
    lines = 0
    bytes_read = 0

    def send() -> None:
        inserted = collection.insert_missing(batch) if batch else 0
        result.inserted += inserted
        result.existing += len(batch) - inserted
        note()
        batch.clear()

    for line in _lines(file):
        result.line += 1
        result.offset += len(line)
        lines += 1
        bytes_read += len(line)
        try:
            raw = _session_of(line, documents, utc_now())
        except (DamagedLineError, SerializationError):
            result.damaged += 1
            if len(result.damaged_lines) < _MOST_NUMBERS:
                result.damaged_lines.append(result.line)
        else:
            if raw is None:
                result.expired += 1
            else:
                batch.append(raw)
        if lines >= _LINES_AT_ONCE or bytes_read >= _BYTES_AT_ONCE:
            send()
            lines = bytes_read = 0
    send()


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(_LONGEST_LINE):
        yield line


def _session_of(line: bytes, documents: SessionDocuments, now: datetime) -> bytes | None:
    """Return the document of a line; ``None`` if its session has expired.

    :raises DamagedLineError: it holds no document with the ``_id`` of a session.
    :raises SerializationError: the document is not that of a session.
    """
    raw = load_line(line)
    document = bson.decode_all(raw)[0]
    if type(document.get("_id")) is not str or "moved_to" in document:
        raise DamagedLineError("no session")
    return raw if documents.read(raw, now) is not None else None
