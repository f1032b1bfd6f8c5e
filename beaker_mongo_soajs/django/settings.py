"""The settings of a Django project: the store that they describe, and their check."""

import dataclasses
import functools
import logging
from collections.abc import Iterator
from typing import Any

from django import conf
from django.core import checks
from django.core.signals import setting_changed

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.errors import combine_errors
from beaker_mongo_soajs.config.setting import SETTING, name_setting, read_setting, unused_options
from beaker_mongo_soajs.config.start_warnings import find_start_warnings, log_start_warnings
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.log_records import fields as log_fields
from beaker_mongo_soajs.mongo.client import check_client
from beaker_mongo_soajs.sessions.store import SessionStore

log = logging.getLogger(__name__)

ENGINE = "beaker_mongo_soajs.django"
USER_KEY = "_auth_user_id"
"""The key under which contrib.auth keeps the user."""

_INSTEAD = {
    **{name: f"SESSION_COOKIE_{name.upper()}" for name in ("httponly", "samesite", "secure")},
    "cookie_domain": "SESSION_COOKIE_DOMAIN",
    "cookie_expires": "SESSION_COOKIE_AGE or SESSION_EXPIRE_AT_BROWSER_CLOSE",
    "cookie_path": "SESSION_COOKIE_PATH",
    "key": "SESSION_COOKIE_NAME",
    "rolling": "SESSION_SAVE_EVERY_REQUEST",
    "secret": "SECRET_KEY",
    "timeout": "SESSION_COOKIE_AGE",
}
"""The settings of Django for what Beaker's options do."""

_UNUSED = {
    "expireAfter": "SESSION_COOKIE_AGE and set_expiry() set the lifetime of sessions",
    "store.dataSerializer": "it is for sessions of Beaker",
    "store.onUnavailable": "an outage is always an error in Django",
}
"""Options of a dbConfig that Django's sessions do not use."""


def find_store(timeout: float | None = None) -> SessionStore:
    """Return the store of the project's sessions, by ``settings.BEAKER_MONGO``.

    It is made once, and connects on first use.

    :param timeout: the idle timeout of its sessions in seconds; ``SESSION_COOKIE_AGE`` by default.
    :raises ConfigError: the setting is missing, or an option in it is unknown, invalid, or
        contradicts another.
    """
    return _find_store(conf.settings.SESSION_COOKIE_AGE if timeout is None else timeout)


@functools.lru_cache(maxsize=32)
def _find_store(timeout: float) -> SessionStore:
    config = read_setting(getattr(conf.settings, SETTING, None), _INSTEAD)
    own: dict[str, Any] = {}
    if config.store.touch_after is None:
        # Requests that only read write no times anyway, and set_expiry(10) is to mean 10 seconds.
        own["touch_after"] = 0.0
    if not config.store.user_key_given:
        own["user_key"] = USER_KEY
    store = dataclasses.replace(config.store, **own)
    try:
        return SessionStore(dataclasses.replace(config, store=store), timeout=timeout)
    except ConfigError as error:
        raise combine_errors([*map(name_setting, error.errors)]) from error


setting_changed.connect(lambda **_: _find_store.cache_clear(), weak=False)


def check_at_start() -> None:
    """Check the settings when an application starts, and log the warnings.

    :raises ConfigError: as :func:`find_store`.
    """
    if conf.settings.configured:
        config = _checked()
        log_start_warnings(config)
        for sentence in unused_options(config, _UNUSED):
            log.warning("%s", sentence, extra=log_fields("config.warned"))


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Check the settings for ``manage.py check``.

    :returns: an error for each option that cannot be used, or else warnings.
    """
    try:
        config = _checked()
    except ConfigError as error:
        return [
            checks.Error(each.args[0], hint=each.hint, id="beaker_mongo.E001")
            for each in error.errors
        ]
    return [checks.Warning(text, id=f"beaker_mongo.{number}") for number, text in _warnings(config)]


def _checked() -> DbConfig:
    """Return the configuration, without a connection.

    :raises ConfigError: it cannot be used.
    """
    config = find_store().config
    try:
        check_client(config)
    except ConfigError as error:
        raise combine_errors([*map(name_setting, error.errors)]) from error
    return config


def _warnings(config: DbConfig) -> Iterator[tuple[str, str]]:
    for text in unused_options(config, _UNUSED):
        yield "W001", text
    for text in find_start_warnings(config):
        yield "W002", text
    engine = conf.settings.SESSION_ENGINE
    if engine.startswith("django."):
        text = f"Sessions are not stored in MongoDB: SESSION_ENGINE is {engine!r}."
        yield "W003", f"{text} Set it to {ENGINE!r}."
