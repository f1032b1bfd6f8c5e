"""Beaker's options of a session, checked as strictly as the dbConfig."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from beaker.converters import asbool
from beaker.util import coerce_session_params

from beaker_mongo_soajs.backend.cookie_options import remove_blank
from beaker_mongo_soajs.config.beaker_options import SESSION_OPTIONS, is_blank, is_express
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.options.coerce import FOREVER_MS, NULL_WORDS, parse_duration
from beaker_mongo_soajs.options.masking import show

SESSION_TYPE = "ext:mongodb_soajs"

_SECRETS = frozenset({"secret", "encrypt_key", "validate_key"})
_UNCOERCED_BOOLEANS = ("invalidate_corrupt", "use_cookies", "rolling")
"""Options that Beaker does not coerce: there, the text "false" counts as true."""

_NONE_AS_TEXT = frozenset({"timeout", "cookie_domain", "webtest_varname"})
"""Options for which the text "None" of an INI file means ``None``."""

_DURATIONS = ("timeout", "cookie_expires")
_HINTS = {
    "timeout": 'Set a whole number of seconds, or a duration with its unit, such as "30m".',
    "cookie_expires": (
        "Set true for a cookie that ends with the browser, false for one that never expires, or a"
        ' duration in whole seconds, such as 1800 or "2w".'
    ),
    **dict.fromkeys(
        ("secure", "httponly", "auto", "save_accessed_time", *_UNCOERCED_BOOLEANS),
        "Set it to true or false.",
    ),
}
_NEEDS_MONGO_SESSION = (
    "Use MongoSession: set session.session_class, or use the SessionMiddleware of"
    " beaker_mongo_soajs."
)
_OWN_OPTIONS = frozenset({"cookie_format", "old_secrets", "rolling"})
_MOST_NONCE_BITS = 1024
_LONGEST_SECONDS = FOREVER_MS // 1000


def check_type(session_type: str | None) -> None:
    """Refuse the ``session.type`` of another backend.

    :param session_type: the option's value.
    :raises ConfigError: it is another backend's.
    """
    if session_type not in (None, SESSION_TYPE):
        raise ConfigError(
            f"session.type is {show(session_type)}, but session_class is MongoSession.",
            option="type",
            value=session_type,
            hint=f"Remove session.type, or set it to {SESSION_TYPE}.",
        )


def check_own_options(options: Mapping[str, Any]) -> None:
    """Refuse options of MongoSession for Beaker's own ``Session``.

    :param options: the options that Beaker's ``Session`` passes to its backend. MongoSession
        removes its own options before.
    :raises ConfigError: they contain ``old_secrets``, which would log visitors out, ``rolling``, or
        the ``cookie_format`` of Express.
    """
    if _OWN_OPTIONS.isdisjoint(options):
        return
    if is_express(options):
        raise ConfigError(
            "Beaker's own Session cannot use the cookie of Express: session.cookie_format is"
            " express.",
            option="cookie_format",
            value="express",
            hint=_NEEDS_MONGO_SESSION,
        )
    for name in ("old_secrets", "rolling"):
        if not is_blank(options.get(name)):
            raise ConfigError(
                f"session.{name} has no effect on Beaker's own Session.",
                option=name,
                value=MASK if name == "old_secrets" else options[name],
                hint=_NEEDS_MONGO_SESSION,
            )


def check_encryption(options: Mapping[str, Any]) -> None:
    """Refuse keys that Beaker cannot encrypt with.

    :param options: Beaker's options of a session.
    :raises ConfigError: ``validate_key`` is missing, or a key is not ASCII text.
    """
    # Beaker encodes both as ASCII, but only when it saves a session.
    for name in ("encrypt_key", "validate_key"):
        value = options.get(name)
        if isinstance(value, str) and not value.isascii():
            raise _invalid(name, value, "Use ASCII characters only: Beaker can encode no others.")
    if options.get("encrypt_key") and not options.get("validate_key"):
        raise ConfigError(
            "encrypt_key is set without validate_key.",
            option="validate_key",
            hint="Set validate_key as well: Beaker derives its keys from both.",
        )


def check_cookie_format(options: Mapping[str, Any]) -> None:
    """Check the format of the session cookie, and the options that it depends on.

    :param options: Beaker's options of a session.
    :raises ConfigError: there is no such format, or Express could not use the sessions.
    """
    value = options.get("cookie_format")
    if is_blank(value):
        return
    if str(value).strip().lower() not in ("beaker", "express"):
        raise _invalid("cookie_format", value, "Set it to beaker or express.")
    if not is_express(options):
        return
    if not options.get("secret"):
        raise ConfigError(
            "session.cookie_format is express, but session.secret is not set.",
            option="secret",
            hint="Set it to the secret of express-session: Express accepts signed cookies only.",
        )
    if options.get("encrypt_key") or not isinstance(options.get("data_serializer", ""), str):
        name = "encrypt_key" if options.get("encrypt_key") else "data_serializer"
        raise ConfigError(
            f"session.{name} is set, but Express cannot read such sessions: session.cookie_format"
            " is express.",
            option=name,
            value=MASK,
            hint="Remove it.",
        )


def coerce_options(
    options: Mapping[str, Any], on_error: Callable[[ConfigError], None]
) -> dict[str, Any]:
    """Convert the texts of an INI file to the types that Beaker's options take.

    :param options: options of a session, without prefix, named as Beaker names them.
    :param on_error: called for each value that is invalid; the option is then left out.
    :returns: the options, converted and checked.
    """
    options = dict(options)
    remove_blank(options)
    read: dict[str, Any] = {}
    for name, value in options.items():
        if _is_absent(name, value):
            continue
        try:
            read[name] = _coerce(name, value)
        except ConfigError as error:
            on_error(error)
    for check in _CHECKS:
        try:
            check(read)
        except ConfigError as error:
            on_error(error)
            read.pop(str(error.option), None)
    return read


def _is_absent(name: str, value: object) -> bool:
    """Check whether a value means that one of Beaker's options is not given."""
    if name not in SESSION_OPTIONS or name in _SECRETS or not isinstance(value, str):
        return False
    word = value.strip().lower()
    return not word or (name in _NONE_AS_TEXT and word in NULL_WORDS)


def _coerce(name: str, value: Any) -> Any:
    if name in _SECRETS:
        return _check_secret(name, value)
    try:
        if name in _DURATIONS:
            value = _read_duration(value)
        if name in _UNCOERCED_BOOLEANS:
            return asbool(value)
        return coerce_session_params({name: value})[name]
    except Exception as error:
        raise _invalid(name, value, _HINTS.get(name, f"{str(error).rstrip('.')}.")) from error


def _check_secret(name: str, value: Any) -> str | None:
    """Check a secret without Beaker, whose errors quote values."""
    if value is None or (isinstance(value, str) and value.strip().lower() not in NULL_WORDS):
        return value
    raise _invalid(name, value, "Set it to a long random text, or remove it.")


def _read_duration(value: Any) -> Any:
    milliseconds = None if isinstance(value, timedelta) else parse_duration(value)
    if milliseconds is None:
        return value
    if milliseconds % 1000:
        raise ValueError("whole seconds only")
    return int(milliseconds / 1000)


def _check_timeout(read: dict[str, Any]) -> None:
    timeout = read.get("timeout")
    if timeout is None:
        return
    if not 0 < timeout <= _LONGEST_SECONDS:
        raise _invalid(
            "timeout",
            timeout,
            f"Set a number of seconds from 1 to {_LONGEST_SECONDS}, or remove it.",
        )
    if not read.get("save_accessed_time", True):
        raise _invalid(
            "save_accessed_time",
            False,
            "session.timeout needs the time of the last request: remove one of the two.",
        )


def _check_id(read: dict[str, Any]) -> None:
    if read.get("id") is not None:
        raise _invalid("id", MASK, "Remove it: all visitors would share one session.")


def _check_namespace_class(read: dict[str, Any]) -> None:
    if read.get("namespace_class") is not None:
        raise _invalid(
            "namespace_class",
            read["namespace_class"],
            "Remove it: MongoSession has a namespace class of its own.",
        )


def _check_nonce(read: dict[str, Any]) -> None:
    bits = read.get("encrypt_nonce_bits")
    if bits is not None and not (0 < bits <= _MOST_NONCE_BITS and bits % 8 == 0):
        raise _invalid(
            "encrypt_nonce_bits", bits, f"Set a multiple of 8, at most {_MOST_NONCE_BITS}."
        )


_CHECKS = (
    _check_timeout,
    _check_id,
    _check_namespace_class,
    _check_nonce,
    check_encryption,
    check_cookie_format,
)


def _invalid(name: str, value: object, hint: str) -> ConfigError:
    shown = MASK if name in _SECRETS else value
    text = shown if isinstance(shown, str) and shown == MASK else show(shown)
    return ConfigError(f"session.{name} cannot be {text}.", option=name, value=shown, hint=hint)
