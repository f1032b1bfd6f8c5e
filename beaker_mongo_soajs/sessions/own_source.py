"""Sessions of this package and of connect-mongo in another collection, or under other ids."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.id_change import NOT_MOVED
from beaker_mongo_soajs.sessions.lifetime import CREATED_AT, ENDS_AT, IDLE_SECONDS
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredSession, decode_document
from beaker_mongo_soajs.sources.entry import Entry
from beaker_mongo_soajs.sources.opening import SourceOfProcess
from beaker_mongo_soajs.sources.source import Source

_DIGEST = re.compile("[0-9a-f]{64}")
_KEPT = (CREATED_AT, IDLE_SECONDS, ENDS_AT, "dataSerializer")


class OwnSource(Source):
    """A collection of session documents, in any of their forms.

    Ciphertext is moved as it is. Sessions whose ids were stored as digests can be found by their
    ids, but not listed.

    :param config: the configuration of the new sessions.
    :param options: the options of ``store.migrateFrom``.
    :raises ConfigError: it is the collection of the new sessions itself.
    """

    def __init__(self, config: DbConfig, options: MigrateFrom) -> None:
        super().__init__(options)
        old = config
        if options.url is not None:
            old = DbConfig.from_options({"url": options.url, "name": config.name})
        store = replace(config.store, transform_id=options.transform_id, migrate_from=None)
        old = replace(old, collection=options.collection, store=store)
        is_same = (old.connection_key, old.database, old.collection) == (
            config.connection_key,
            config.database,
            config.collection,
        )
        if is_same and options.transform_id == config.store.transform_id:
            raise ConfigError(
                "store.migrateFrom names the collection to which sessions are moved.",
                option="store.migrateFrom.collection",
                value=options.collection,
                hint="Name the old collection, or remove store.migrateFrom.",
            )
        # Their ids are digests of ids already.
        self._skips_digests = is_same and options.transform_id is None
        self._documents = SessionDocuments(old, config.expire_after_seconds)
        self._collection = StoreCollection(old, options.collection)

    def _find(self, session_id: str) -> Entry | None:
        stored_id = self._documents.stored_id_or_none(session_id)
        raw = None if stored_id is None else self._collection.find_one_raw(stored_id)
        return None if raw is None else self._read(session_id, raw)

    def _delete(self, session_id: str) -> None:
        self._collection.delete_one(self._documents.stored_id(session_id))

    def _entries(self) -> Iterator[Entry]:
        if self.options.transform_id is not None:
            yield from super()._entries()
        for raw in self._collection.find_raw(dict(NOT_MOVED)):
            stored_id = decode_document(raw)["_id"]
            if not isinstance(stored_id, str):
                continue
            if self._skips_digests and _DIGEST.fullmatch(stored_id):
                continue
            entry = self._read(stored_id, raw)
            if entry is not None:
                yield entry

    def _count(self) -> int:
        return self._collection.count(dict(NOT_MOVED))

    def _read(self, session_id: str, raw: bytes) -> Entry | None:
        stored = self._documents.read(raw, self._documents.clock.now())
        if stored is None:
            return None
        document = decode_document(raw)
        fields = {name: document[name] for name in _KEPT if name in document}
        return Entry(session_id, stored, None, stored.expires, self._decode, fields)

    def _decode(self, stored: StoredSession) -> dict[Any, Any] | str:
        if stored.form is StorageForm.ENCRYPTED:
            return stored.text
        return self._documents.decode(stored)


def open_old_sessions(config: DbConfig) -> Source:
    """Return the old backend of a configuration. It connects on first use.

    :param config: the configuration, with ``store.migrateFrom``.
    """
    options = config.store.migrate_from
    assert options is not None
    if options.type == "ext:mongodb_soajs":
        return OwnSource(config, options)
    return SourceOfProcess(options)
