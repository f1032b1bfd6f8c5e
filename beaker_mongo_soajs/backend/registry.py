"""The stores of each configuration, made once in a process."""

from typing import Any, NamedTuple

from beaker_mongo_soajs.backend.identity_cache import IdentityCache
from beaker_mongo_soajs.caches.store import CacheStore
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import Usage
from beaker_mongo_soajs.config.start_warnings import log_idle_warning, log_start_warnings
from beaker_mongo_soajs.config.store_options import BEAKER_MARGIN_SECONDS
from beaker_mongo_soajs.sessions.store import SessionStore


class Stores(NamedTuple):
    """The stores of one configuration.

    :param config: the configuration.
    :param sessions: the store of its sessions.
    :param cache: the store of its cached values.
    """

    config: DbConfig
    sessions: SessionStore
    cache: CacheStore


_by_identity: IdentityCache[Stores] = IdentityCache()
_by_options: dict[Any, tuple[Stores, dict[str, Any]]] = {}
_by_config: dict[Any, Stores] = {}
_MOST_OPTIONS = 256
_PLAIN = frozenset({str, int, float, bool, type(None)})


def find_stores(
    timeout: float | None, options: dict[str, Any], usage: Usage | None = None
) -> Stores:
    """Return the stores for the options that Beaker passes.

    :param timeout: Beaker's session timeout plus two minutes.
    :param options: the other options that Beaker passes.
    :param usage: whether the options are those of a session or of a cache.
    :raises ConfigError: when the options cannot be used.
    """
    return _by_identity.get(
        options, lambda options: _find_by_value(timeout, options, usage), usage, timeout
    )


def _find_by_value(timeout: float | None, options: dict[str, Any], usage: Usage | None) -> Stores:
    """Return the stores of options that may be equal to others.

    Options are compared by value and type, or by identity if they are dicts, lists, clients and the
    like. They are kept, so that no other object can get the identity of one.
    """
    key = (
        usage,
        timeout,
        *[
            (name, value, type(value)) if type(value) in _PLAIN else (name, id(value))
            for name, value in options.items()
        ],
    )
    entry = _by_options.get(key)
    if entry is None:
        # For a cache, a timeout is an error.
        config = DbConfig.from_options(options | {"timeout": timeout}, usage)
        log_start_warnings(config)
        if usage == "session" and timeout is None:
            log_idle_warning(config)
        entry = (_stores_of(config, timeout), options)
        if len(_by_options) >= _MOST_OPTIONS:
            _by_options.clear()
        _by_options[key] = entry
    return entry[0]


def _stores_of(config: DbConfig, timeout: float | None) -> Stores:
    if timeout is not None:
        config.store.check_touch_after(timeout - BEAKER_MARGIN_SECONDS)
    return _by_config.setdefault(
        (config, timeout),
        Stores(config, SessionStore(config, timeout=timeout), CacheStore(config)),
    )
