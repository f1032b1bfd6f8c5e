"""Sessions in a MongoDB collection, by id and all together."""

import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from functools import partial
from time import perf_counter
from typing import Any, Self

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import PREFIXES
from beaker_mongo_soajs.config.start_warnings import log_start_warnings
from beaker_mongo_soajs.config.store_options import BEAKER_MARGIN_SECONDS
from beaker_mongo_soajs.exceptions import MASK, ConfigError, SerializationError
from beaker_mongo_soajs.log_records import warn
from beaker_mongo_soajs.metrics import emit, listeners
from beaker_mongo_soajs.mongo.client import close_client
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.mongo.indexes import session_indexes
from beaker_mongo_soajs.mongo.server_clock import local_clock_ahead
from beaker_mongo_soajs.sessions.clock import Clock
from beaker_mongo_soajs.sessions.codec import NativeCodec
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.encryption import Cipher
from beaker_mongo_soajs.sessions.express import ExpressCookie, MakeCookie
from beaker_mongo_soajs.sessions.id_change import CONTROL_FIELDS, MOVED_TO, NOT_MOVED
from beaker_mongo_soajs.sessions.moving import SessionMover
from beaker_mongo_soajs.sessions.own_source import open_old_sessions
from beaker_mongo_soajs.sessions.record import SessionRecord
from beaker_mongo_soajs.sessions.reporting_record import ReportingRecord
from beaker_mongo_soajs.sessions.serializer import Serializer
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredId
from beaker_mongo_soajs.sessions.tags import Tree
from beaker_mongo_soajs.sessions.user_key import value_queries
from beaker_mongo_soajs.sessions.writer import SessionWriter

logger = logging.getLogger(__name__)

_ARRAY = 4
"""The number of BSON's type of lists."""


class SessionStore:
    """Keep sessions in MongoDB, in the documents that connect-mongo and connect-mongo-soajs write.

    A store is cheap, safe to share between threads, and connects on first use::

        store = SessionStore({"name": "core_session", "servers": ["127.0.0.1:27017"]})
        store.set("aX9…", {"user": "ann"})
        store.get("aX9…")

    Reads and writes filter on ``_id`` alone (the text form also on the text that was read), which
    keeps MongoDB on its fast path for ids, and each command on one shard.

    Every method raises :class:`~beaker_mongo_soajs.StoreUnavailable` when the database does not
    carry out its command, and :class:`~beaker_mongo_soajs.SerializationError` for a document that
    cannot be read and a value or session id that cannot be stored; what is stored then stays as it
    was.

    :param config: a :class:`~beaker_mongo_soajs.DbConfig`, or its options as a mapping, without
        Beaker's prefix, or a connection string.
    :param timeout: seconds that an untouched session lives; without it ``expireAfter`` decides.
    :raises ConfigError: when the options cannot be used.
    """

    def __init__(
        self,
        config: DbConfig | Mapping[str, object] | str | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        if not isinstance(config, DbConfig):
            config = DbConfig.from_options(_own_options(config or {}))
            log_start_warnings(config)
        self.config = config
        self.timeout = timeout
        lifetime = config.expire_after_seconds if timeout is None else timeout
        cookie = ExpressCookie(_without_margin(timeout))
        self._collection = StoreCollection(config, config.collection, session_indexes(config))
        clock = Clock(partial(local_clock_ahead, self._collection))
        self._documents = SessionDocuments(config, lifetime, cookie, clock)
        self._writer = SessionWriter(self._documents, self._collection)
        self.mover: SessionMover | None = None
        """Moves sessions from the old backend of ``store.migrateFrom``, if there is one."""
        if config.store.migrate_from is not None:
            self.mover = SessionMover(self._writer, self._collection, open_old_sessions(config))

    @property
    def namespace(self) -> str:
        """Return ``database.collection``."""
        return self._collection.namespace

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Close the client of this configuration, with its threads and connections.

        Other stores of the same configuration share it, and make a new one when they are used
        again, as this store does. A client of the application's own stays open.
        """
        close_client(self.config)

    def get(self, session_id: str) -> dict[Any, Any] | None:
        """Return a session, or ``None`` if it is absent or has expired.

        :param session_id: the session id.
        """
        record = self.record()
        return record.session() if record.load(self._checked(session_id)) else None

    def set(self, session_id: str, session: Mapping[Any, Any]) -> None:
        """Store a whole session, and replace the one that exists.

        :param session_id: the session id.
        :param session: the session.
        """
        stored_id = self._documents.stored_id(session_id)
        tree = self._documents.encode(self._documents.form, dict(session), stored_id)
        cookie = self._documents.new_cookie(self._documents.form)
        fields = self._documents.build(stored_id, tree, None, self._documents.clock.now(), cookie)
        del fields["_id"]
        update = {
            "$set": fields,
            "$unset": CONTROL_FIELDS | {"dataSerializer": "", "signature": ""},
        }
        start = perf_counter()
        existed = self._collection.update({"_id": stored_id}, update, upsert=True)
        if listeners:
            event = "session.saved" if existed else "session.created"
            emit(event, self.namespace, stored_id, start=start)
        self._collection.sweep_if_due(self._documents.clock.now)

    def touch(self, session_id: str) -> bool:
        """Set a session's times to now, without a change of its data.

        :param session_id: the session id.
        :returns: whether there is such a session.
        """
        record = self.record()
        return record.load(self._checked(session_id)) and record.touch(time.time())

    def destroy(self, session_id: str) -> int:
        """Delete a session.

        :param session_id: the session id.
        :returns: how many documents that removed, 1 or 0.
        """
        if self.mover is not None:
            # A session that was not moved yet would come back.
            self.record().load(self._checked(session_id))
        return self._writer.id_changes.destroy(self._documents.stored_id(session_id))

    def ping(self, timeout: float | None = None) -> float:
        """Check that the primary answers; return how long that took, in seconds.

        :param timeout: seconds to wait; by default as for any command.
        :raises StoreUnavailable: the primary does not answer in time.
        :raises StoreRefused: the server refuses the login.
        """
        return self._collection.ping(timeout)

    def length(self) -> int:
        """Return the number of live sessions."""
        return self._collection.count(self._live())

    def clear(self) -> int:
        """Delete all sessions; the collection and its indexes stay.

        :returns: how many documents that removed.
        """
        closed = {MOVED_TO: {"$type": "string"}, "move": {"$exists": False}}
        self._collection.delete(closed)
        return self._writer.id_changes.destroy_all({})

    def delete_expired(self) -> int:
        """Delete the sessions that have expired.

        Usually the TTL index does so, at most a minute or so after their end.

        :returns: how many documents that removed.
        """
        return self._collection.delete({"expires": {"$lte": self._documents.clock.now()}})

    def ids(self) -> Iterator[str]:
        """Yield the ids of the live sessions, which the other methods take.

        Where ``store.transformId`` is set they are digests, of no use in a cookie.
        """
        for document in self._collection.find(self._live(), {"_id": 1}):
            if isinstance(document["_id"], str):
                yield StoredId(document["_id"])

    def all(self) -> Iterator[dict[Any, Any]]:
        """Yield the live sessions; an unreadable document is skipped and logged."""
        for _, session in self._read_all(self._live()):
            yield session

    def find(self, **fields: object) -> Iterator[tuple[StoredId, dict[Any, Any]]]:
        """Return ids and sessions of the live sessions in which some keys have certain values.

        ``store.find(user="ann")`` finds Ann's sessions, by index where ``store.indexes`` is
        ``session.user``. A value is compared as a whole: a dict is data, never a query. Sessions
        that an earlier configuration stored as text or ciphertext are not found.

        :param fields: keys of a session, and their values. A key with dots is the path of a key in
            a dict: ``store.find(**{"passport.user": "ann"})``.
        :returns: pairs of an id as of :meth:`ids`, and a session; an unreadable document is
            skipped and logged.
        :raises ConfigError: with ``stringify``.
        :raises ValueError: without any field, and for a key that is empty, also between dots.
        """
        return self._read_all(self._query(fields))

    def destroy_where(self, keep: str | None = None, /, **fields: object) -> int:
        """Delete the sessions in which some keys have certain values: log a user out everywhere.

        :param keep: the id of a session to leave alone: that of the visitor who asks for it.
        :param fields: as for :meth:`find`.
        :returns: how many documents that removed.
        :raises ConfigError: as :meth:`find`.
        :raises ValueError: as :meth:`find`.
        """
        return self._destroy(self._query(fields), keep)

    def find_user(self, user: object) -> Iterator[tuple[StoredId, dict[Any, Any]]]:
        """Return ids and sessions of the live sessions of a user.

        :param user: the value of the key that ``store.userKey`` names.
        :returns: as :meth:`find`.
        :raises ConfigError: as :meth:`find`.
        """
        return self._read_all(self._user_query(user))

    def destroy_user(self, user: object, keep: str | None = None, /) -> int:
        """Delete the sessions of a user.

        :param user: as for :meth:`find_user`.
        :param keep: as for :meth:`destroy_where`.
        :returns: how many documents that removed.
        :raises ConfigError: as :meth:`find`.
        """
        return self._destroy(self._user_query(user), keep)

    def destroy_handle(self, handle: str, /, **fields: object) -> int:
        """Delete the session with a handle, if some of its keys have certain values.

        :param handle: ``id.handle`` of an id that :meth:`find` returned.
        :param fields: as for :meth:`find`; usually the user who may end the session.
        :returns: how many sessions were deleted, 1 or 0.
        :raises ConfigError: as :meth:`find`.
        :raises ValueError: as :meth:`find`.
        """
        query = self._query(fields) | NOT_MOVED
        for document in self._collection.find(query, {"_id": 1}):
            found = StoredId(document["_id"]) if isinstance(document["_id"], str) else None
            if found is not None and secrets.compare_digest(found.handle, handle):
                return self.destroy(found)
        return 0

    def record(
        self,
        cipher: Cipher | None = None,
        serializer: Serializer | None = None,
        make_cookie: MakeCookie | None = None,
    ) -> SessionRecord:
        """Return a record for the session of one request. Integrations of this package use it.

        :param cipher: as for :class:`SessionRecord`.
        :param serializer: as for :class:`SessionRecord`.
        :param make_cookie: as for :class:`SessionRecord`.
        """
        return ReportingRecord(self._writer, cipher, serializer, make_cookie)

    def _live(self) -> Document:
        living = [
            {"expires": {"$gt": self._documents.clock.now()}},
            {"expires": {"$exists": False}},
        ]
        return {"$or": living} | NOT_MOVED

    def _checked(self, session_id: str) -> str:
        self._documents.stored_id(session_id)
        return session_id

    def _destroy(self, query: Document, keep: str | None) -> int:
        if keep is not None:
            query = query | {"_id": {"$ne": self._documents.stored_id(keep)}}
        return self._writer.id_changes.destroy_all(query)

    def _user_query(self, user: object) -> Document:
        key = self.config.store.user_key
        if "." not in key:
            return self._query({key: user})
        self._check_searchable()
        name, tree = NativeCodec().encode_item(key, user, b"")
        first, second = value_queries(name, _equals(tree), [tree])
        # Applications write the key in one of two ways. The second query has no index.
        is_path = next(self._collection.find(first, {"_id": 1}), None) is not None
        return first if is_path else second

    def _query(self, fields: Mapping[str, object]) -> Document:
        if not fields:
            raise ValueError("Name a key of the session, and the value that it has to have.")
        if any(not step for key in fields for step in key.split(".")):
            raise ValueError("A key that is empty, also between two dots, cannot be searched.")
        self._check_searchable()
        # Without pickles: two of equal values need not be equal.
        codec = NativeCodec()
        query: Document = {}
        for key, value in fields.items():
            name, tree = codec.encode_item(key, value, b"")
            # A key with dots is the path of a key in a sub-document.
            query[f"session.{key if '.' in key else name}"] = _equals(tree)
        return query

    def _check_searchable(self) -> None:
        if self._documents.form is StorageForm.JSON:
            encrypted = self.config.store.node_crypto is not None
            raise ConfigError(
                "Sessions that are stored as text cannot be searched.",
                option="store.nodeCrypto" if encrypted else "stringify",
                value=MASK if encrypted else True,
                hint="Encrypted sessions are found by their ids alone."
                if encrypted
                else "Set stringify to false.",
            )

    def _read_all(self, query: Document) -> Iterator[tuple[StoredId, dict[Any, Any]]]:
        now = self._documents.clock.now()
        for document in self._collection.find_raw(query):
            try:
                stored = self._documents.read(document, now)
                if stored is not None:
                    yield StoredId(stored.stored_id), self._documents.decode(stored)
            except SerializationError as error:
                if listeners:
                    emit("session.unreadable", self.namespace)
                warn(
                    logger,
                    "An unreadable document in %s is skipped. %s",
                    self.namespace,
                    error,
                    event="session.unreadable",
                    collection=self.namespace,
                )


def _own_options(options: Mapping[str, object] | str) -> Mapping[str, object] | str:
    """Check that no option has Beaker's prefix: a backend ignores those, a store must not."""
    for name in () if isinstance(options, str) else options:
        lower = name.lower() if isinstance(name, str) else ""
        prefix = next((prefix for prefix in PREFIXES if lower.startswith(prefix)), None)
        if prefix is not None:
            bare = name[len(prefix) :]
            raise ConfigError(
                f"{name} has Beaker's prefix, and a SessionStore takes options without it.",
                option=name,
                hint=f"Leave the prefix off, as in {bare}; or take the store that an application's "
                "SessionMiddleware or MongoSession has, as their attribute store.",
            )
        if name == "timeout":
            raise ConfigError(
                "timeout is no option of the dbConfig.",
                option=name,
                hint="Give it beside the options: SessionStore(options, timeout=seconds). Beaker "
                "adds two minutes to its own.",
            )
    return options


def _without_margin(timeout: float | None) -> float | None:
    if timeout is None or timeout <= BEAKER_MARGIN_SECONDS:
        return timeout
    return timeout - BEAKER_MARGIN_SECONDS


def _equals(tree: Tree) -> Document:
    """Return the condition that a field equals a value, and is no list that holds the value."""
    condition: Document = {"$eq": tree}
    if isinstance(tree, list):
        condition["$not"] = {"$elemMatch": {"$eq": tree}}
    elif tree is None:
        # Equality with null also finds fields that are not there.
        condition |= {"$exists": True, "$not": {"$type": _ARRAY}}
    else:
        condition["$not"] = {"$type": _ARRAY}
    return condition
