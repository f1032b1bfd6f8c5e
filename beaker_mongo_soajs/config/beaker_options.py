"""The options and prefixes that belong to Beaker and pyramid_beaker, not to a dbConfig."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from beaker_mongo_soajs.exceptions import ConfigError

Usage = Literal["session", "cache"]
"""The usage of options: for the sessions or for the caches of Beaker."""

SESSION_PREFIXES = ("beaker.session.", "session.")
"""The prefixes of session options in the settings of an application."""

CACHE_PREFIXES = ("beaker.cache.", "cache.")
"""The prefixes of cache options in the settings of an application."""

OLD_SESSION_PREFIX = "session_"
"""The prefix of session options that Beaker deprecated."""

PREFIXES = (*SESSION_PREFIXES, *CACHE_PREFIXES, OLD_SESSION_PREFIX)
"""Every prefix of Beaker's."""

_SHARED = frozenset("type data_dir lock_dir log_file namespace_class digest_filenames".split())
SESSION_OPTIONS = _SHARED | frozenset(
    (
        "request id invalidate_corrupt use_cookies key timeout save_accessed_time"
        " cookie_expires cookie_domain cookie_path data_serializer secret secure"
        " httponly encrypt_key validate_key encrypt_nonce_bits crypto_type samesite"
        " auto webtest_varname session_class"
        " cookie_on_exception constant_csrf_token old_secrets rolling"
        " cookie_format"
    ).split()
)
"""The options of Beaker's sessions: the arguments of Session and of its middleware, the names in
coerce_session_params, and what pyramid_beaker and MongoSession add."""

CACHE_OPTIONS = _SHARED | frozenset(
    (
        "namespace expire expiretime starttime createfunc enabled key_length regions cache_regions"
    ).split()
)
"""The options of Beaker's caches: the arguments of Cache, CacheManager and Value, and the names in
coerce_cache_params."""

BEAKER_OPTIONS = SESSION_OPTIONS | CACHE_OPTIONS

_REMEDIES = {
    "expire": "Use timeout, in seconds, for sessions.",
    "expiretime": "Use timeout, in seconds, for sessions.",
    "regions": "Set cache.regions instead.",
    "timeout": "Use expire, in seconds, for caches.",
    "encrypt_key": "Cached values are not encrypted: remove it.",
    "validate_key": "Cached values are not encrypted: remove it.",
    "secret": "store.signingKey signs cached values.",
}

_OTHER_BACKENDS = {
    "memcache_module": "ext:memcached",
    "protocol": "ext:memcached",
    "urls": "ext:rediscluster",
    "sa_opts": "ext:database",
    "table_name": "ext:database",
    "schema_name": "ext:database",
    "optimistic": "ext:database",
    "bind": "ext:sqla",
    "table": "ext:sqla",
    "sparse_collection": "mongodb_beaker",
    "skip_pickle": "mongodb_beaker",
    "dbmmodule": "dbm",
    "dbm_dir": "dbm",
    "file_dir": "file",
}
_SQLALCHEMY_PREFIX = "sa."

UNUSED = {"data_dir": "file", "lock_dir": "file", "log_file": "file"}
"""Options that Beaker passes to every backend, and which only others use."""


def find_other_backend(name: str) -> str | None:
    """Find the backend of Beaker's that an option belongs to, if it is another one than this.

    :param name: the option's name without a prefix
    :returns: the backend's name, or ``None``
    """
    lower = name.strip().lower()
    if lower.startswith(_SQLALCHEMY_PREFIX):
        return "ext:database"
    return _OTHER_BACKENDS.get(lower)


def names_for(usage: Usage | None) -> frozenset[str]:
    """Return the names of Beaker's options for one usage, or for both.

    :param usage: what the options are for; ``None`` if that is not known
    """
    return {"session": SESSION_OPTIONS, "cache": CACHE_OPTIONS, None: BEAKER_OPTIONS}[usage]


def is_of_beaker(name: str, options: Mapping[Any, Any], usage: Usage | None) -> bool:
    """Check whether an option is Beaker's own, and so not one of a dbConfig.

    :param name: the option's name
    :param options: all options that Beaker passed
    :param usage: what the options are for
    :returns: whether to skip the option
    :raises ConfigError: the option is Beaker's, but Beaker does not use it
    """
    if name in BEAKER_OPTIONS:
        if name not in names_for(usage) and not is_blank(options[name]):
            raise _wrong_usage(name, usage)
        return True
    lower = name.strip().lower()
    if lower in BEAKER_OPTIONS:
        raise ConfigError(
            f"{name} has no effect: Beaker's option names are lower case.",
            option=name,
            hint=f"Write {lower}.",
        )
    prefix = next((prefix for prefix in PREFIXES if lower.startswith(prefix)), None)
    if prefix is None:
        return False
    bare = name[len(prefix) :]
    # Beaker's middlewares pass keyword arguments on twice, with the prefix and without it. Of the
    # options without it, Session and Cache keep their own, and CacheManager those of regions.
    if bare in options or bare in BEAKER_OPTIONS or prefix in CACHE_PREFIXES:
        return True
    raise ConfigError(
        f"{name} has no effect: its prefix {name[: len(prefix)]} is not expected here.",
        option=name,
        hint=f"Write {bare}.",
    )


def is_express(options: Mapping[Any, Any]) -> bool:
    """Check whether the session cookie is that of express-session.

    :param options: options of a session
    """
    return str(options.get("cookie_format")).strip().lower() == "express"


def is_blank(value: object) -> bool:
    """Check whether a value is ``None`` or blank text.

    :param value: the value of an option
    """
    return value is None or (isinstance(value, str) and not value.strip())


def _wrong_usage(name: str, usage: Usage | None) -> ConfigError:
    here, there = ("sessions", "caches") if usage == "session" else ("caches", "sessions")
    return ConfigError(
        f"{name} has no effect on {here}: it is an option of {there}.",
        option=name,
        hint=_REMEDIES.get(name, "Remove it."),
    )
