"""The options of sessions among the settings of an application, by their names."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from beaker_mongo_soajs.config.beaker_options import (
    BEAKER_OPTIONS,
    OLD_SESSION_PREFIX,
    PREFIXES,
    SESSION_OPTIONS,
    SESSION_PREFIXES,
    is_blank,
)
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.table import GROUPS, TABLE

OnError = Callable[[ConfigError], None]

CHECK_AT_START = "check_at_start"
"""The option of this package that is none of a dbConfig."""

_OWN = {CHECK_AT_START, "environ_key"}
_NAMES = {name.lower() for name in SESSION_OPTIONS | _OWN} - {"environ_key"}
_TOP = {path[0].lower() for path in (*TABLE, *GROUPS)}


def strip_prefixes(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the session options in the settings of an application, without their prefix.

    :param settings: the settings.
    """
    return {
        name[len(prefix) :]: value
        for name, value in settings.items()
        for prefix in SESSION_PREFIXES
        if name.startswith(prefix)
    }


def strip_old_prefix(settings: Mapping[str, Any], stacklevel: int) -> dict[str, Any]:
    """Return the session options that have Beaker's deprecated prefix ``session_``, without it.

    :param settings: the settings.
    :param stacklevel: position of the responsible caller in the stack, for warnings.
    :warns DeprecationWarning: there are such options; Beaker warns as well.
    """
    found = {
        name[len(OLD_SESSION_PREFIX) :]: value
        for name, value in settings.items()
        if name.startswith(OLD_SESSION_PREFIX) and name not in BEAKER_OPTIONS
    }
    if found:
        names = ", ".join(OLD_SESSION_PREFIX + name for name in found)
        warnings.warn(
            f"The prefix session_ of {names} is deprecated. Write session. instead.",
            DeprecationWarning,
            stacklevel + 1,
        )
    return found


def read_settings(
    config: Mapping[str, Any], options: Mapping[str, Any], stacklevel: int
) -> dict[str, Any]:
    """Return the session options that a middleware was given, without prefixes.

    :param config: the settings of an application, where session options have a prefix.
    :param options: keyword arguments, which may have one and override ``config``.
    :param stacklevel: position of the responsible caller in the stack, for warnings.
    :raises ConfigError: no option has a prefix, and some settings are names of options.
    """
    prefixed = (*SESSION_PREFIXES, OLD_SESSION_PREFIX)
    bare = {
        name: value
        for name, value in options.items()
        if not name.startswith(prefixed) or name in BEAKER_OPTIONS
    }
    given = strip_old_prefix(config, stacklevel + 1) | strip_prefixes(config)
    arguments = strip_old_prefix(options, stacklevel + 1) | strip_prefixes(options) | bare
    if not given and not arguments:
        _check_missing_prefix(config)
    overridden = {
        name.strip().lower()
        for name, value in arguments.items()
        if value is None or not is_blank(value)
    }
    kept = {name: value for name, value in given.items() if name.strip().lower() not in overridden}
    return {name: value for name, value in arguments.items() if name not in kept} | kept


def _check_missing_prefix(config: Mapping[str, Any]) -> None:
    names = [
        name
        for name, value in config.items()
        if (name.lower() in _NAMES or name.partition(".")[0].lower() in _TOP)
        and not is_blank(value)
    ]
    if names:
        raise ConfigError(
            f"No setting has the prefix session., so {', '.join(names)} would have no effect.",
            option=names[0],
            hint=f"Write {', '.join(f'session.{name}' for name in names)}, or pass the options as"
            " keyword arguments.",
        )


def match_names(options: Mapping[str, Any], on_error: OnError) -> dict[str, Any]:
    """Return options with the names of Beaker's options in Beaker's own spelling.

    :param options: options of a session, without prefix.
    :param on_error: called for an option that is given twice, or has a second prefix.
    """
    found: dict[str, Any] = {}
    for name, value in options.items():
        lower = name.strip().lower()
        spelling = lower if lower in _NAMES else name
        if lower.startswith(PREFIXES) and name not in BEAKER_OPTIONS:
            on_error(_second_prefix(name))
        elif spelling in found and not is_blank(value) and not is_blank(found[spelling]):
            on_error(
                ConfigError(
                    f"session.{spelling} is given twice.",
                    option=spelling,
                    hint="Remove one of them: option names are the same in upper and lower case.",
                )
            )
        elif spelling not in found or not is_blank(value):
            found[spelling] = value
    return found


def _second_prefix(name: str) -> ConfigError:
    prefix = next(prefix for prefix in PREFIXES if name.lower().startswith(prefix))
    return ConfigError(
        f"session.{name} has no effect: it has two prefixes.",
        option=name,
        hint=f"Write session.{name[len(prefix) :]}.",
    )
