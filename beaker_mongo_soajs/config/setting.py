"""The setting ``BEAKER_MONGO`` of frameworks that make the session's cookie themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from beaker_mongo_soajs.config.beaker_options import BEAKER_OPTIONS, PREFIXES, is_blank
from beaker_mongo_soajs.config.db_config import DbConfig
from beaker_mongo_soajs.config.errors import combine_errors
from beaker_mongo_soajs.exceptions import ConfigError

SETTING = "BEAKER_MONGO"

IN_FLASK = {
    **{name: f"SESSION_COOKIE_{name.upper()}" for name in ("httponly", "samesite", "secure")},
    "cookie_domain": "SESSION_COOKIE_DOMAIN",
    "cookie_expires": "PERMANENT_SESSION_LIFETIME and session.permanent",
    "cookie_path": "SESSION_COOKIE_PATH",
    "key": "SESSION_COOKIE_NAME",
    "old_secrets": "SECRET_KEY_FALLBACKS",
    "rolling": "SESSION_REFRESH_EACH_REQUEST",
    "secret": "SECRET_KEY",
    "timeout": "PERMANENT_SESSION_LIFETIME",
}
"""The settings of Flask for what Beaker's options do."""

UNUSED_IN_FLASK = {
    "expireAfter": "PERMANENT_SESSION_LIFETIME sets the lifetime of sessions",
    "store.dataSerializer": "it is for sessions of Beaker",
}
"""Options of a dbConfig that Flask's sessions do not use."""


def read_setting(value: object, instead: Mapping[str, str]) -> DbConfig:
    """Return the configuration in ``BEAKER_MONGO``.

    :param value: the options of a dbConfig without a prefix, or a connection string.
    :param instead: for options of Beaker, the framework's settings that do the same.
    :returns: the configuration.
    :raises ConfigError: an option is unknown, invalid, or contradicts another; each of its
        ``errors`` names ``BEAKER_MONGO["…"]``.
    """
    if not isinstance(value, Mapping | str) or not value:
        problem = f"has the type {type(value).__name__}" if value else "is not set"
        raise ConfigError(
            f"{SETTING} {problem}.",
            option=SETTING,
            hint=f'Set it to a dict of options: {SETTING} = {{"url": "mongodb://…", "name": "…"}}.',
        )
    errors = [] if isinstance(value, str) else list(_of_beaker(value, instead))
    try:
        config = DbConfig.from_options(value, "session")
    except ConfigError as error:
        named = {each.option for each in errors}
        errors += [each for each in error.errors if each.option not in named]
    if errors:
        raise combine_errors([*map(name_setting, errors)])
    return config


def name_setting(error: ConfigError) -> ConfigError:
    """Return an error of one option that names the option as ``BEAKER_MONGO["…"]``.

    :param error: the error.
    """
    message, option = str(error.args[0]), error.option
    where = SETTING if option is None else f'{SETTING}["{option}"]'
    if option is not None and message.startswith(f"{option} "):
        message = where + message[len(option) :]
    else:
        message = f"{where}: {message}"
    return ConfigError(message, option=option, value=error.value, hint=error.hint, code=error.code)


def unused_options(config: DbConfig, reasons: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each given option that a framework does not use.

    :param config: the configuration.
    :param reasons: for such options, why they have no effect.
    """
    for outcome in config.outcomes:
        if outcome.name in reasons:
            yield f'{SETTING}["{outcome.name}"] has no effect: {reasons[outcome.name]}. Remove it.'


def _of_beaker(options: Mapping[str, object], instead: Mapping[str, str]) -> Iterator[ConfigError]:
    """Yield an error for each option of Beaker, which ``DbConfig`` skips."""
    for name, value in options.items():
        if is_blank(value):
            continue
        lower = str(name).strip().lower()
        prefix = next((prefix for prefix in PREFIXES if lower.startswith(prefix)), "")
        if lower in BEAKER_OPTIONS:
            setting = instead.get(lower)
            yield ConfigError(
                f"{name} is an option of Beaker, not of a dbConfig.",
                option=name,
                hint=f"Set {setting} instead." if setting else "Remove it.",
            )
        elif prefix:
            yield ConfigError(
                f"{name} has a prefix of Beaker.",
                option=name,
                hint=f"Write {str(name).strip()[len(prefix) :]}.",
            )
