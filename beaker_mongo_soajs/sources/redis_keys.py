"""Keys of Redis: Beaker's ``ext:redis``."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import redis

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.sources.entry import Entry
from beaker_mongo_soajs.sources.source import Source

_PREFIX = "beaker_cache:"
_SUFFIX = ":session"


class RedisSource(Source):
    """Keys ``beaker_cache:<session id>:session``, which Redis deletes when they expire."""

    def __init__(self, options: MigrateFrom) -> None:
        super().__init__(options)
        self._lock = threading.Lock()
        self._client: Any = None

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def _connect(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = redis.Redis.from_url(str(self.options.url))
            return self._client

    def _find(self, session_id: str) -> Entry | None:
        pipe = self._connect().pipeline()
        key = f"{_PREFIX}{session_id}{_SUFFIX}"
        value, left_ms = pipe.get(key).pttl(key).execute()
        if value is None:
            return None
        expires = utc_now() + timedelta(milliseconds=left_ms) if left_ms >= 0 else None
        return Entry(session_id, value, None, expires)

    def _delete(self, session_id: str) -> None:
        self._connect().delete(f"{_PREFIX}{session_id}{_SUFFIX}")

    def _entries(self) -> Iterator[Entry]:
        for key in self._connect().scan_iter(match=f"{_PREFIX}*{_SUFFIX}", count=500):
            session_id = key.decode().removeprefix(_PREFIX).removesuffix(_SUFFIX)
            entry = self._find(session_id)
            if entry is not None:
                yield entry
