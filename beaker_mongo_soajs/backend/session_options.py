"""The options of a session: what Beaker reads, read as strictly as the dbConfig is."""

from collections.abc import Mapping
from typing import Any

from beaker.converters import asbool
from beaker.util import coerce_session_params

from beaker_mongo_soajs.config.beaker_options import SESSION_PREFIXES
from beaker_mongo_soajs.exceptions import MASK, ConfigError

SESSION_TYPE = "ext:mongodb_soajs"

_SECRETS = frozenset({"secret", "encrypt_key", "validate_key"})
_UNCOERCED_BOOLEANS = ("invalidate_corrupt", "use_cookies")
"""Beaker takes the text "false" in these for true."""


def check_type(session_type: str | None) -> None:
    """Refuse a ``session.type`` of somebody else's.

    :param session_type: the option's value.
    :raises ConfigError: when it is one.
    """
    if session_type not in (None, SESSION_TYPE):
        raise ConfigError(
            f"session.type is {session_type!r}, and session_class is MongoSession.",
            option="type",
            value=session_type,
            hint=f"Leave session.type out, or make it {SESSION_TYPE!r}.",
        )


def check_encryption(options: Mapping[str, Any]) -> None:
    """Refuse an ``encrypt_key`` without what Beaker derives its keys from as well.

    :param options: Beaker's options of a session.
    :raises ConfigError: when ``validate_key`` is missing.
    """
    if options.get("encrypt_key") and not options.get("validate_key"):
        raise ConfigError(
            "encrypt_key is set without validate_key.",
            option="validate_key",
            hint="Set validate_key as well: Beaker derives its keys from both.",
        )


def strip_prefixes(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a session that stand among all settings of an application.

    :param settings: the settings.
    """
    return {
        name[len(prefix) :]: value
        for name, value in settings.items()
        for prefix in SESSION_PREFIXES
        if name.startswith(prefix)
    }


def coerce_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with the texts of an INI file read as what they stand for.

    :param options: options of a session, without prefix.
    :raises ConfigError: for a value that Beaker cannot use, naming the option.
    """
    read: dict[str, Any] = {}
    for name, value in options.items():
        try:
            read |= coerce_session_params({name: value})
            if name in _UNCOERCED_BOOLEANS:
                read[name] = asbool(value)
        except Exception as error:
            raise _refusal(name, value, str(error)) from error
    if read.get("timeout") is not None:
        if read["timeout"] <= 0:
            raise _refusal("timeout", read["timeout"], "Every session would be over at once.")
        if not read.get("save_accessed_time", True):
            raise _refusal(
                "save_accessed_time", False, "A timeout needs the time of the last request."
            )
    if read.get("id") is not None:
        raise _refusal("id", MASK, "Every visitor would have the same session.")
    same_site = read.get("samesite")
    if same_site and str(same_site).lower() not in ("lax", "strict", "none"):
        raise _refusal("samesite", same_site, "It has to be Lax, Strict or None.")
    return read


def _refusal(name: str, value: object, reason: str) -> ConfigError:
    shown = MASK if name in _SECRETS else value
    return ConfigError(
        f"session.{name} cannot be {shown!r}.", option=name, value=shown, hint=reason
    )
