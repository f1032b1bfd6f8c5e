"""Keys of memcached: Beaker's ``ext:memcached``, which cannot be listed."""

import hashlib
from typing import Any, BinaryIO

import memcache

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.exceptions import StoreUnavailable
from beaker_mongo_soajs.sources.entry import Entry
from beaker_mongo_soajs.sources.source import Source

_MOST_KEY_CHARACTERS = 250


class _NoUnpickler:
    """Return the pickle that the client would load."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def load(self) -> bytes:
        """Return the bytes."""
        return self._file.read()


class MemcachedSource(Source):
    """Keys ``<session id>_session``."""

    def __init__(self, options: MigrateFrom) -> None:
        super().__init__(options)
        servers = str(options.url).split(";")
        # The client has connections for each thread, which are closed after each use. It must ask a
        # server again that was away.
        self._client: Any = memcache.Client(servers, unpickler=_NoUnpickler, dead_retry=0)

    def _find(self, session_id: str) -> Entry | None:
        try:
            value = self._client.get(_key(session_id))
            # The client returns None for an absent key and for a server that is away.
            if value is None and not all(server.connect() for server in self._client.servers):
                raise StoreUnavailable(
                    "The old backend ext:memcached does not answer.",
                    hint="Start it, or remove store.migrateFrom.",
                )
        except memcache.Client.MemcachedKeyError:
            # memcached cannot hold such a key.
            return None
        finally:
            self._client.disconnect_all()
        return None if value is None else Entry(session_id, value)

    def _delete(self, session_id: str) -> None:
        try:
            self._client.delete(_key(session_id))
        finally:
            self._client.disconnect_all()


def _key(session_id: str) -> str:
    key = f"{session_id}_session".replace(" ", "\302\267")
    if len(key) > _MOST_KEY_CHARACTERS:
        return hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()
    return key
