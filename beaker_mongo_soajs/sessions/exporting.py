"""The export of all sessions to a file, which can be continued after a crash."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import bson

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.mongo.admin_collection import AdminCollection
from beaker_mongo_soajs.sessions.id_change import NOT_MOVED
from beaker_mongo_soajs.sessions.json_lines import DamagedLineError, dump_line, load_line

_REPORT_EVERY = 200
_BLOCK = 1 << 20

_IS_SESSION = {"$type": ["object", "string"], "$not": {"$type": "array"}}
"""The filter of the field with a session. ``$type`` also looks at the elements of an array."""

OnProgress = Callable[[int], object]


class ExportResult(NamedTuple):
    """Say what an export wrote.

    :param sessions: how many sessions are in the file.
    :param resumed: how many of them an earlier, interrupted export had written.
    :param skipped: how many documents extended JSON cannot hold.
    """

    sessions: int
    resumed: int
    skipped: int


def part_path(config: DbConfig, path: Path, suffix: str) -> Path:
    """Return the file for what is not complete yet. Each collection has its own.

    :param config: the configuration.
    :param path: the file of the export or import.
    :param suffix: the end of the name.
    """
    place = f"{config.host} {config.database}.{config.collection}"
    digest = hashlib.sha256(place.encode()).hexdigest()[:8]
    return path.with_name(f"{path.name}.{digest}{suffix}")


def export_file(collection: AdminCollection, path: Path, on_progress: OnProgress) -> ExportResult:
    """Write all live sessions to a file, one a line, in the order of their ids.

    The lines are written to a file beside it, which gets the name at the end. If that file exists,
    the export continues after its last complete line.

    :param collection: the collection.
    :param path: the file, which must not exist.
    :param on_progress: called with the number of lines now and then.
    :raises FileExistsError: it exists.
    :raises DamagedLineError: the unfinished file was not written by an export.
    """
    if path.exists():
        raise FileExistsError(path)
    unfinished = part_path(collection.config, path, ".part")
    # Whoever reads the ids in it can take over the sessions.
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        resumed, last_id = _recover(file)
        result = _write(collection, file, last_id, resumed, on_progress)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return result


def export_stream(collection: AdminCollection, file: IO[bytes]) -> ExportResult:
    """Write all live sessions to a stream, one a line.

    :param collection: the collection.
    :param file: the stream.
    """
    return _write(collection, file, "", 0, lambda _: None)


def _write(
    collection: AdminCollection, file: IO[bytes], last_id: str, resumed: int, report: OnProgress
) -> ExportResult:
    sessions, skipped = resumed, 0
    report(sessions)
    for raw in _live_documents(collection, last_id):
        try:
            file.write(dump_line(raw))
        except DamagedLineError:
            skipped += 1
            continue
        sessions += 1
        if sessions % _REPORT_EVERY == 0:
            report(sessions)
    report(sessions)
    return ExportResult(sessions, resumed, skipped)


def _live_documents(collection: AdminCollection, last_id: str) -> Iterator[bytes]:
    is_live = {"$or": [{"expires": {"$exists": False}}, {"$expr": {"$gt": ["$expires", "$$NOW"]}}]}
    # A text is greater than another text only, so that no other _id is found.
    query = {"_id": {"$gt": last_id}, "session": _IS_SESSION} | is_live | NOT_MOVED
    return collection.scan(query, sorted_by="_id", direction=1)


def _recover(file: IO[bytes]) -> tuple[int, str]:
    """Cut off an incomplete line; return how many lines there are, and the last id."""
    lines, end, position = 0, 0, 0
    while block := file.read(_BLOCK):
        lines += block.count(b"\n")
        last = block.rfind(b"\n")
        end = position + last + 1 if last >= 0 else end
        position += len(block)
    file.truncate(end)
    last_id = _id_of(_last_line(file, end)) if end else ""
    file.seek(end)
    return lines, last_id


def _last_line(file: IO[bytes], end: int) -> bytes:
    start, found = end, b""
    while start and b"\n" not in found[:-1]:
        step = min(_BLOCK, start)
        start -= step
        file.seek(start)
        found = file.read(step) + found
    return found[:-1].rpartition(b"\n")[2]


def _id_of(line: bytes) -> str:
    stored_id = bson.decode(load_line(line)).get("_id")
    if type(stored_id) is not str:
        raise DamagedLineError("no session id")
    return stored_id
