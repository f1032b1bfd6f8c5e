"""Beaker's container API over the stores: the only code that knows it."""

import inspect
import sys
import time
from types import FrameType
from typing import Any

from beaker.container import Container, NamespaceManager
from pymongo import MongoClient

from beaker_mongo_soajs.cache import Key
from beaker_mongo_soajs.cache_namespace import CacheNamespace
from beaker_mongo_soajs.changes import ACCESSED_TIME
from beaker_mongo_soajs.client import get_client
from beaker_mongo_soajs.codec import may_need_decoding
from beaker_mongo_soajs.creation_lock import CreationLock
from beaker_mongo_soajs.document import Form, StoredSession
from beaker_mongo_soajs.exceptions import (
    BeakerMongoError,
    SerializationError,
    StoreUnavailable,
)
from beaker_mongo_soajs.payload import (
    Payload,
    SealedText,
    pack_json,
    pack_pickle,
    pickle_session,
)
from beaker_mongo_soajs.stores import find_stores

SESSION_KEY = "session"
"""The key under which Beaker's Session keeps everything (``beaker.session.Session.load``)."""

HUSK = frozenset({"_domain", "_path"})
"""What is left of a session that the application deleted: the configuration of its cookie."""


class SessionLoadError(StoreUnavailable):
    """The database did not answer while a session was loaded.

    :param loading: stands for the session; not its id.
    """

    loading: int = 0


class MongoNamespaceManager(NamespaceManager):
    """Keep a Beaker session, or the values of a Beaker cache, in MongoDB.

    As Beaker configures it::

        session.type = ext:mongodb_soajs
        session.name = core_session
        session.servers = 127.0.0.1:27017

    :param namespace: the session id, or the name of a cache.
    :param digest_filenames: ``False`` marks a session: ``beaker.session.Session`` always passes
        that.
    :param timeout: seconds that an untouched session lives: Beaker passes its session timeout and
        two minutes.
    :param options: the dbConfig, in any of its forms, and what else Beaker passes on.
    :raises ConfigError: when the options cannot be used.
    """

    def __init__(
        self,
        namespace: str,
        digest_filenames: bool = True,
        timeout: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(namespace)
        self.timeout = timeout
        self._is_session = digest_filenames is False
        self._stores = find_stores(timeout, options)
        self._cache = CacheNamespace(self._stores.cache, namespace)
        self._stored: StoredSession | None = None
        self._pickled: bytes | None = None

    def __repr__(self) -> str:
        # Beaker calls a session's id its namespace: it stays out.
        return f"<{type(self).__name__} in {self._stores.config.database}>"

    @property
    def client(self) -> MongoClient[dict[str, Any]]:
        """Return this process's MongoClient, as Beaker's own ``ext:mongodb`` does."""
        return get_client(self._stores.config)

    def get_creation_lock(self, key: Key) -> CreationLock:
        """Return the lock under which one thread of one process creates a cached value."""
        return self._cache.creation_lock(key)

    def acquire_read_lock(self) -> None:
        """Note that Beaker's ``Value`` begins to read; nothing is locked."""
        if not self._is_session:
            self._cache.enter()

    def release_read_lock(self) -> None:
        """Note that Beaker's ``Value`` has read."""
        if not self._is_session:
            self._cache.leave()

    def acquire_write_lock(self, wait: bool = True, replace: bool = False) -> bool:
        """Note that Beaker's ``Value`` begins to write; nothing is locked."""
        del wait, replace
        if not self._is_session:
            self._cache.enter()
        return True

    def __getitem__(self, key: Key) -> Any:
        if not self._keeps_session(key):
            return self._cache.get(key)
        self._refuse_to_replace_unavailable()
        try:
            return self._load()
        except StoreUnavailable as error:
            failed = SessionLoadError(error.args[0], hint=error.hint, code=error.code)
            failed.loading = hash(self.namespace)
            raise failed from error.__cause__
        except TypeError as error:
            # Beaker takes a TypeError for the sign of a new session, which it then writes over the
            # stored one.
            raise SerializationError(
                f"The stored session cannot be read ({error}).", path="session"
            ) from error

    def __setitem__(self, key: Key, value: Any) -> None:
        self.set_value(key, value)

    def set_value(self, key: Key, value: Any, expiretime: float | None = None) -> None:
        """Store Beaker's payload of the session, or a value of the cache.

        :param key: ``"session"`` for a session.
        :param value: the payload or value.
        :param expiretime: seconds that a cached value lives.
        """
        if self._keeps_session(key):
            self._save(value)
        else:
            self._cache.set(key, value, expiretime)

    def __contains__(self, key: Key) -> bool:
        if self._keeps_session(key):
            return self._stores.sessions.load(self.namespace) is not None
        return self._cache.contains(key)

    def __delitem__(self, key: Key) -> None:
        removed = self._destroy() if self._keeps_session(key) else self._cache.delete(key)
        if not removed:
            raise KeyError(key)

    def release_write_lock(self) -> None:
        """Say which value it is, when Beaker could not serialize the session.

        Beaker serializes between taking this lock and releasing it; nothing is locked. Its error is
        that of :mod:`pickle`, which names no path.

        :raises SerializationError: naming the value's path.
        """
        if not self._is_session:
            self._cache.leave()
            return
        error = sys.exception()
        if error is not None and not isinstance(error, BeakerMongoError):
            session, _ = _saving_session()
            if session is not None:
                self._stores.sessions.check(session)

    def keys(self) -> list[Key]:
        """Return the keys in this namespace."""
        if self._is_session:
            return [SESSION_KEY] if SESSION_KEY in self else []
        return self._cache.keys()

    def do_remove(self) -> None:
        """Delete the session, or all values of the cache."""
        if self._is_session:
            self._destroy()
        else:
            self._cache.clear()

    def _keeps_session(self, key: Key) -> bool:
        return self._is_session and key == SESSION_KEY

    def _load(self) -> str:
        stored = self._stores.sessions.load(self.namespace)
        self._stored, self._pickled = stored, None
        if stored is None:
            raise KeyError(SESSION_KEY)
        if stored.form is Form.SEALED:
            _refuse_to_open_unencrypted()
            return SealedText(stored.value)
        times = self._presented_times(stored)
        serializer = stored.serializer or self._stores.config.store.data_serializer
        if serializer == "json":
            return pack_json(self._stores.sessions.session_of(stored) | times)
        pickled = pickle_session(stored.tree | times if times else stored.tree)
        if may_need_decoding(pickled):
            pickled = pickle_session(self._stores.sessions.session_of(stored) | times)
        self._pickled = pickled
        return pack_pickle(pickled)

    def _presented_times(self, stored: StoredSession) -> dict[str, float]:
        """Return the time that Beaker is to take for that of the last request.

        With ``touchAfter`` the stored one may lie up to that much before the true one, and Beaker
        would end a session in use that much too early.
        """
        late = self._stores.config.store.touch_after
        before = stored.accessed_time
        if not late or before is None:
            return {}
        return {ACCESSED_TIME: max(before, min(before + late, time.time()))}

    def _save(self, text: object) -> None:
        if not isinstance(text, str):
            raise SerializationError(
                f"Beaker's payload is a {type(text).__name__} and no text.", path="session"
            )
        payload = Payload(text)
        saver = self._stores.sessions.saver
        if self._stored is not None and self._pickled is not None:
            accessed_time = payload.accessed_time_if_else_equal(self._pickled)
            if accessed_time is not None:
                saver.move_times(self._stored, accessed_time)
                return
        unpacked = payload.unpack()
        self._pickled = None
        if unpacked is not None:
            session, serializer = unpacked
            if session.keys() <= HUSK:
                self._destroy()
            else:
                self._stored = saver.save(self.namespace, session, self._stored, serializer)
            return
        sealed, accessed_only = _saving_session()
        if sealed is not None and not accessed_only and sealed.keys() <= HUSK:
            self._destroy()
        else:
            # With a timeout, Beaker's Session goes by the time in the ciphertext, which cannot be
            # presented to it as later than it is stored.
            self._stored = saver.save_sealed(
                self.namespace,
                text,
                self._stored,
                accessed_only=accessed_only,
                may_be_late=self.timeout is None,
            )

    def _destroy(self) -> int:
        self._stored = self._pickled = None
        return self._stores.sessions.destroy(self.namespace)

    def _refuse_to_replace_unavailable(self) -> None:
        """Raise the error of a failed load again instead of loading another session.

        With ``invalidate_corrupt``, its default, Beaker answers any error of a load with a new
        session, made while the error is being handled (``beaker.session.Session.__init__``). For a
        database that does not answer, that would log the visitor out.
        """
        error = sys.exception()
        if isinstance(error, SessionLoadError) and error.loading != hash(self.namespace):
            raise error


class MongoContainer(Container):
    """Beaker's older container API, with the values in MongoDB."""

    namespace_class = MongoNamespaceManager


def _saving_session() -> tuple[dict[Any, Any] | None, bool]:
    """Return the session that Beaker's ``Session.save`` above is saving, and its ``accessed_only``.

    Ciphertext tells neither whether the session was emptied nor whether a request only read, and
    Beaker passes neither on. Both stand in the frame of the method that called.
    """
    frame = _calling_frame()
    if frame is None or frame.f_code.co_name != "save":
        return None, False
    session = frame.f_locals.get("self")
    return (
        session if isinstance(session, dict) else None,
        frame.f_locals.get("accessed_only") is True,
    )


def _refuse_to_open_unencrypted() -> None:
    """Refuse where Beaker found no library that can encrypt.

    It then takes what stands in the database for plain text, ``encrypt_key`` or not, and unpickles
    it. Before 1.14 it finds ``cryptography`` only if ``crypto_type`` names it.

    :raises SerializationError: when the ``Session.load`` above cannot decrypt.
    """
    frame = _calling_frame()
    session = None if frame is None else frame.f_locals.get("self")
    crypto = getattr(session, "crypto_module", None)
    if crypto is not None and not crypto.has_aes:
        raise SerializationError(
            "The stored session is ciphertext, and Beaker has no library that can decrypt.",
            path="session",
            hint="Install cryptography, and set crypto_type to cryptography.",
        )


def _calling_frame() -> FrameType | None:
    """Return the frame of Beaker's method that called into this module."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame
