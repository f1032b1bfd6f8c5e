"""Beaker's options of a session, checked as strictly as the dbConfig."""

from collections.abc import Mapping
from typing import Any

from beaker.converters import asbool
from beaker.util import coerce_session_params

from beaker_mongo_soajs.backend.cookie_options import remove_blank
from beaker_mongo_soajs.config.beaker_options import SESSION_PREFIXES
from beaker_mongo_soajs.exceptions import MASK, ConfigError

SESSION_TYPE = "ext:mongodb_soajs"

_SECRETS = frozenset({"secret", "encrypt_key", "validate_key"})
_UNCOERCED_BOOLEANS = ("invalidate_corrupt", "use_cookies")
"""Options that Beaker does not coerce: there, the text "false" counts as true."""


def check_type(session_type: str | None) -> None:
    """Refuse the ``session.type`` of another backend.

    :param session_type: the option's value.
    :raises ConfigError: it is another backend's.
    """
    if session_type not in (None, SESSION_TYPE):
        raise ConfigError(
            f"session.type is {session_type!r}, but session_class is MongoSession.",
            option="type",
            value=session_type,
            hint=f"Remove session.type, or set it to {SESSION_TYPE}.",
        )


def check_encryption(options: Mapping[str, Any]) -> None:
    """Refuse an ``encrypt_key`` without a ``validate_key``.

    :param options: Beaker's options of a session.
    :raises ConfigError: ``validate_key`` is missing.
    """
    if options.get("encrypt_key") and not options.get("validate_key"):
        raise ConfigError(
            "encrypt_key is set without validate_key.",
            option="validate_key",
            hint="Set validate_key as well: Beaker derives its keys from both.",
        )


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


def coerce_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the texts of an INI file to the types that Beaker's options take.

    :param options: options of a session, without prefix.
    :returns: the options, converted and checked.
    :raises ConfigError: a value is invalid.
    """
    options = dict(options)
    remove_blank(options)
    read: dict[str, Any] = {}
    for name, value in options.items():
        try:
            read |= coerce_session_params({name: value})
            if name in _UNCOERCED_BOOLEANS:
                read[name] = asbool(value)
        except Exception as error:
            raise _invalid(name, value, str(error)) from error
    if read.get("timeout") is not None:
        if read["timeout"] <= 0:
            raise _invalid(
                "timeout", read["timeout"], "Set a number of seconds above 0, or remove it."
            )
        if not read.get("save_accessed_time", True):
            raise _invalid(
                "save_accessed_time",
                False,
                "session.timeout needs the time of the last request: remove one of the two.",
            )
    if read.get("id") is not None:
        raise _invalid("id", MASK, "Remove it: all visitors would share one session.")
    same_site = read.get("samesite")
    if same_site and str(same_site).lower() not in ("lax", "strict", "none"):
        raise _invalid("samesite", same_site, "Set it to Lax, Strict or None.")
    return read


def _invalid(name: str, value: object, hint: str) -> ConfigError:
    shown = MASK if name in _SECRETS else value
    return ConfigError(f"session.{name} cannot be {shown!r}.", option=name, value=shown, hint=hint)
