"""Find the class for an old backend. Each module is imported when it is needed."""

import importlib
import os
import weakref
from collections.abc import Iterator

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.mongo.client import closers
from beaker_mongo_soajs.sources.entry import Entry
from beaker_mongo_soajs.sources.source import Source

_CLASSES = {
    "ext:database": "database.BeakerTable",
    "django": "database.DjangoTable",
    "file": "files.FileSource",
    "dbm": "files.DbmSource",
    "ext:redis": "redis_keys.RedisSource",
    "ext:memcached": "memcached.MemcachedSource",
    "ext:mongodb": "mongodb.BeakerCollection",
    "flask-session": "mongodb.FlaskCollection",
}


def open_source(options: MigrateFrom) -> Source:
    """Return an old backend. It connects on first use.

    :param options: the options of ``store.migrateFrom``.
    """
    module, _, name = _CLASSES[options.type].partition(".")
    kind = getattr(importlib.import_module(f"beaker_mongo_soajs.sources.{module}"), name)
    source: Source = kind(options)
    return source


_opened: weakref.WeakSet["SourceOfProcess"] = weakref.WeakSet()


def _close_all() -> None:
    for source in list(_opened):
        source.close()


closers.append(_close_all)


class SourceOfProcess(Source):
    """An old backend that is opened again in each child of a fork."""

    def __init__(self, options: MigrateFrom) -> None:
        super().__init__(options)
        self._sources: dict[int, Source] = {}
        _opened.add(self)

    def _source(self) -> Source:
        source = self._sources.get(os.getpid())
        if source is None:
            source = self._sources.setdefault(os.getpid(), open_source(self.options))
        return source

    def close(self) -> None:
        """Close the connections of this process."""
        source = self._sources.pop(os.getpid(), None)
        if source is not None:
            source.close()

    def _find(self, session_id: str) -> Entry | None:
        return self._source().find(session_id)

    def _delete(self, session_id: str) -> None:
        self._source().delete(session_id)

    def _entries(self) -> Iterator[Entry]:
        return self._source().entries()

    def _count(self) -> int | None:
        return self._source().count()
