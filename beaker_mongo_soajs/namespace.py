"""The classes of Beaker's container API."""

from functools import cached_property
from typing import Any

from beaker.container import Container, NamespaceManager
from pymongo import MongoClient

from beaker_mongo_soajs.backend.cache_side import CacheSide
from beaker_mongo_soajs.backend.caller import find_session
from beaker_mongo_soajs.backend.creation_lock import CreationLock
from beaker_mongo_soajs.backend.registry import find_stores
from beaker_mongo_soajs.backend.session_options import check_own_options
from beaker_mongo_soajs.backend.session_side import SESSION_KEY, SessionSide
from beaker_mongo_soajs.caches.store import Key
from beaker_mongo_soajs.config.beaker_options import Usage
from beaker_mongo_soajs.mongo.client import get_client


class MongoNamespaceManager(NamespaceManager):
    """Store a Beaker session, or the values of a Beaker cache, in MongoDB.

    Beaker makes it for this configuration::

        session.type = ext:mongodb_soajs
        session.name = core_session
        session.servers = 127.0.0.1:27017

    :param namespace: the session id, or the name of a cache.
    :param digest_filenames: ``beaker.session.Session`` always passes ``False``. In the options of a
        cache it has no effect.
    :param timeout: seconds that an untouched session lives: Beaker passes its session timeout plus
        two minutes.
    :param options: the dbConfig, in any of its forms, and Beaker's own options.
    :raises ConfigError: when the options cannot be used.
    """

    _is_session = False
    _session: SessionSide

    def __init__(
        self,
        namespace: str,
        digest_filenames: bool = True,
        timeout: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(namespace)
        self.timeout = timeout
        # The options of a cache may hold the same value, left over from Beaker's file backend.
        session = find_session(namespace) if digest_filenames is False else None
        self._is_session = self._is_session or session is not None
        if session is not None:
            check_own_options(options)
        usage: Usage = "session" if self._is_session else "cache"
        self._stores = find_stores(timeout, options, usage)
        if self._is_session:
            self._session = SessionSide(self._stores.sessions, namespace, timeout, session)

    def __repr__(self) -> str:
        # Beaker calls a session id the namespace; the repr must not show it.
        return f"<{type(self).__name__} in {self._stores.config.database}>"

    @cached_property
    def _cache(self) -> CacheSide:
        return CacheSide(self._stores.cache, self.namespace)

    @property
    def client(self) -> MongoClient[dict[str, Any]]:
        """Return this process's MongoClient, as Beaker's own ``ext:mongodb`` does."""
        return get_client(self._stores.config)

    def get_creation_lock(self, key: Key) -> CreationLock:
        """Return the lock for creating a cached value in one thread of one process."""
        return self._cache.creation_lock(key)

    def acquire_read_lock(self) -> None:
        """Begin a read by Beaker's ``Value``; nothing is locked."""
        if not self._is_session:
            self._cache.enter()

    def release_read_lock(self) -> None:
        """End a read by Beaker's ``Value``."""
        if not self._is_session:
            self._cache.leave()

    def acquire_write_lock(self, wait: bool = True, replace: bool = False) -> bool:
        """Begin a write by Beaker; nothing is locked."""
        del wait, replace
        if self._is_session:
            self._session.begin_save()
        else:
            self._cache.enter()
        return True

    def __getitem__(self, key: Key) -> Any:
        if self._is_session and key == SESSION_KEY:
            return self._session.load()
        return self._cache.get(key)

    def __setitem__(self, key: Key, value: Any) -> None:
        if self._is_session and key == SESSION_KEY:
            self._session.save(value)
        else:
            self._cache.set(key, value, None)

    def set_value(self, key: Key, value: Any, expiretime: float | None = None) -> None:
        """Store Beaker's payload of the session, or a value of the cache.

        :param key: ``"session"`` for a session.
        :param value: the payload or value.
        :param expiretime: seconds that a cached value lives.
        """
        if self._keeps_session(key):
            self._session.save(value)
        else:
            self._cache.set(key, value, expiretime)

    def __contains__(self, key: Key) -> bool:
        if self._keeps_session(key):
            return self._session.exists()
        return self._cache.contains(key)

    def __delitem__(self, key: Key) -> None:
        removed = self._session.destroy() if self._keeps_session(key) else self._cache.delete(key)
        if not removed:
            raise KeyError(key)

    def release_write_lock(self) -> None:
        """End a write by Beaker.

        :raises SerializationError: if Beaker could not serialize its session; names the value.
        """
        if self._is_session:
            self._session.end_save()
        else:
            self._cache.leave()

    def keys(self) -> list[Key]:
        """Return the keys in this namespace."""
        if self._is_session:
            return [SESSION_KEY] if SESSION_KEY in self else []
        return [*self._cache.keys()]

    def do_remove(self) -> None:
        """Delete the session, or all values of the cache."""
        if self._is_session:
            self._session.destroy()
        else:
            self._cache.clear()

    def _keeps_session(self, key: Key) -> bool:
        return self._is_session and key == SESSION_KEY


class SessionNamespaceManager(MongoNamespaceManager):
    """The namespace of a session that is not called by Beaker's ``Session``."""

    _is_session = True


class MongoContainer(Container):
    """Beaker's older container API, with the values in MongoDB."""

    namespace_class = MongoNamespaceManager
