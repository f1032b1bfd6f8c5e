"""The settings of a Django project: the store that they describe, and their check."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from django import conf
from django.core import checks
from django.core.signals import setting_changed

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import BEAKER_OPTIONS, PREFIXES
from beaker_mongo_soajs.config.errors import combine_errors
from beaker_mongo_soajs.config.start_warnings import find_start_warnings, log_start_warnings
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.sessions.store import SessionStore

SETTING = "BEAKER_MONGO"
ENGINE = "beaker_mongo_soajs.django"
USER_KEY = "_auth_user_id"
"""The key under which contrib.auth keeps the user."""

_DJANGO_NAMES = {
    "cookie_domain": "SESSION_COOKIE_DOMAIN",
    "cookie_expires": "SESSION_COOKIE_AGE or SESSION_EXPIRE_AT_BROWSER_CLOSE",
    "cookie_path": "SESSION_COOKIE_PATH",
    "httponly": "SESSION_COOKIE_HTTPONLY",
    "key": "SESSION_COOKIE_NAME",
    "samesite": "SESSION_COOKIE_SAMESITE",
    "secret": "SECRET_KEY",
    "secure": "SESSION_COOKIE_SECURE",
    "timeout": "SESSION_COOKIE_AGE",
}
"""The settings of Django for what Beaker's options do."""

_NO_EFFECT = {
    "expireAfter": "SESSION_COOKIE_AGE and set_expiry() set the lifetime of sessions",
    "store.dataSerializer": "it is for sessions of Beaker",
    "store.onUnavailable": "an outage is always an error in Django",
}
"""Options of a dbConfig that Django's sessions do not use."""


def find_store(timeout: float | None = None) -> SessionStore:
    """Return the store of the project's sessions, by ``settings.BEAKER_MONGO``.

    It is made once, and connects on first use.

    :param timeout: the idle timeout of its sessions in seconds; ``SESSION_COOKIE_AGE`` by default.
    :raises ConfigError: an option is unknown, invalid, or contradicts another.
    """
    return _find_store(conf.settings.SESSION_COOKIE_AGE if timeout is None else timeout)


@functools.lru_cache(maxsize=32)
def _find_store(timeout: float) -> SessionStore:
    config = read_config(getattr(conf.settings, SETTING, {}))
    own: dict[str, Any] = {}
    if config.store.touch_after is None:
        # Requests that only read write no times anyway, and set_expiry(10) is to mean 10 seconds.
        own["touch_after"] = 0.0
    if not config.store.user_key_given:
        own["user_key"] = USER_KEY
    store = dataclasses.replace(config.store, **own)
    return SessionStore(dataclasses.replace(config, store=store), timeout=timeout)


def read_config(options: Mapping[str, object] | str) -> DbConfig:
    """Return the configuration in ``BEAKER_MONGO``.

    :param options: the options without a prefix, or a connection string.
    :raises ConfigError: an option is unknown, invalid, or contradicts another.
    """
    if not isinstance(options, Mapping | str):
        raise ConfigError(
            f"{SETTING} is a {type(options).__name__}.",
            option=SETTING,
            hint="Set it to a dict of options, or to a connection string.",
        )
    errors = [] if isinstance(options, str) else list(_of_beaker(options))
    try:
        config = DbConfig.from_options(options, "session")
    except ConfigError as error:
        errors += error.errors
    if errors:
        raise combine_errors(errors)
    return config


def check_at_start() -> None:
    """Check the settings when an application starts, and log the warnings.

    :raises ConfigError: as for :func:`find_store`.
    """
    if conf.settings.configured:
        log_start_warnings(find_store().config)


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Check the settings for ``manage.py check``.

    :returns: an error for each option that cannot be used, or else warnings.
    """
    try:
        config = read_config(getattr(conf.settings, SETTING, {}))
    except ConfigError as error:
        return [
            checks.Error(each.args[0], hint=each.hint, obj=SETTING, id="beaker_mongo.E001")
            for each in error.errors
        ]
    return [
        checks.Warning(text, hint=hint, obj=SETTING, id=f"beaker_mongo.{number}")
        for number, text, hint in _warnings(config)
    ]


def _warnings(config: DbConfig) -> Iterator[tuple[str, str, str | None]]:
    for outcome in config.outcomes:
        if outcome.name in _NO_EFFECT:
            text = f"{outcome.name} has no effect: {_NO_EFFECT[outcome.name]}."
            yield "W001", text, "Remove it."
    for text in find_start_warnings(config):
        yield "W002", text, None
    engine = conf.settings.SESSION_ENGINE
    if engine.startswith("django."):
        text = f"Sessions are not stored in MongoDB: SESSION_ENGINE is {engine!r}."
        yield "W003", text, f"Set SESSION_ENGINE to {ENGINE!r}."


def _of_beaker(options: Mapping[str, object]) -> Iterator[ConfigError]:
    """Yield an error for each option of Beaker, which other integrations need."""
    for name in options:
        bare = name.strip().lower()
        prefix = next((prefix for prefix in PREFIXES if bare.startswith(prefix)), "")
        if prefix:
            hint = f"Write {name.strip()[len(prefix) :]}."
            yield ConfigError(f"{name} has a prefix of Beaker.", option=name, hint=hint)
        elif bare in BEAKER_OPTIONS:
            setting = _DJANGO_NAMES.get(bare)
            hint = f"Set {setting} instead." if setting else "Remove it."
            yield ConfigError(
                f"{name} is an option of Beaker, not of Django's sessions.", option=name, hint=hint
            )


setting_changed.connect(lambda **_: _find_store.cache_clear(), weak=False)
