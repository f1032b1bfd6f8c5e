"""Beaker's options of the session cookie, checked by the rules of browsers."""

import functools
import re
from collections.abc import Mapping
from typing import Any

from beaker.session import Session

from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.masking import show
from beaker_mongo_soajs.sessions.record import COOKIE_KEYS

DEFAULT_NAME = "beaker.session.id"
"""Beaker's default for the option ``key``."""

# RFC 6265, section 4.1.1: a token; the colon is what http.cookies allows beyond that.
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~:]+")
_NAME_HINT = "Use ASCII letters, digits, - and _: browsers send no other cookie names."
_DOMAIN = re.compile(r"[A-Za-z0-9._\-]+")
_DOMAIN_HINT = "Set a host name such as example.org, without a scheme, a port or a path."
_PATH = re.compile(r"/[\x20-\x3a\x3c-\x7e]*")
_PATH_HINT = "Begin it with / and use printable ASCII without semicolons; percent-encode the rest."
# http.cookies refuses them as names, in the releases that know them.
_ATTRIBUTES = frozenset(
    ("comment", "domain", "expires", "httponly", "max-age", "partitioned", "path", "samesite")
) | {"secure", "version"}
_MAY_BE_BLANK = ("samesite", "cookie_domain", "cookie_path")


def remove_blank(options: dict[str, Any]) -> None:
    """Remove the options of the cookie that are blank texts, as if they were not given.

    :param options: options of a session, without prefix.
    """
    for name in _MAY_BE_BLANK:
        value = options.get(name)
        if isinstance(value, str) and (not value or value.isspace()):
            del options[name]
    if options.get("cookie_path", "/") is None:
        del options["cookie_path"]


def check_cookie(options: Mapping[str, Any], *, httponly: bool | None) -> None:
    """Check that browsers accept the cookie which the options describe.

    :param options: options of a session, without prefix.
    :param httponly: Beaker's option of that name.
    :raises ConfigError: an option is invalid, or contradicts another one.
    """
    _check(
        options.get("key", DEFAULT_NAME),
        options.get("cookie_domain"),
        options.get("cookie_path", "/"),
        options.get("samesite", "Lax"),
        bool(options.get("secure")),
        bool(httponly),
    )


def check_session_cookie(session: Session) -> None:
    """Check the cookie of a Session that checked nothing at the start: Beaker's own.

    :param session: the session, with the options of its cookie, and with the domain and the path
        that the application may have set.
    :raises ConfigError: as :func:`check_cookie`.
    """
    if session.use_cookies:
        _check(
            session.key,
            session.get("_domain") or None,
            session.get("_path") or "/",
            session.samesite or None,
            bool(session.secure),
            bool(session.httponly),
        )


def is_domain(domain: object) -> bool:
    """Check whether a cookie may have a domain; ``None`` is none.

    :param domain: the value of Beaker's ``cookie_domain`` or ``Session.domain``: anything.
    """
    return domain is None or (isinstance(domain, str) and _DOMAIN.fullmatch(domain) is not None)


def is_path(path: object) -> bool:
    """Check whether a cookie may have a path.

    :param path: the value of Beaker's ``cookie_path`` or ``Session.path``: anything.
    """
    return isinstance(path, str) and _PATH.fullmatch(path) is not None


def without_configured(content: dict[Any, Any], session: Session) -> dict[Any, Any]:
    """Return what a session holds, without a domain and a path that the application did not set.

    If they were stored, a changed configuration would have no effect on the sessions that are
    there.

    :param content: what the session holds.
    :param session: the session, with the configuration of its cookie.
    """
    configured = session._config  # noqa: SLF001 - Beaker has no public name for it
    return {
        key: value
        for key, value in content.items()
        if key not in COOKIE_KEYS or (value != configured[key] and _is_cookie_value(key, value))
    }


def without_invalid(content: dict[Any, Any]) -> dict[Any, Any]:
    """Return what a stored session holds, without a domain or a path that no cookie may have.

    :param content: what is stored; the same is returned if there is nothing to remove.
    """
    if COOKIE_KEYS.isdisjoint(content):
        return content
    invalid = [
        key for key in COOKIE_KEYS if key in content and not _is_cookie_value(key, content[key])
    ]
    if not invalid:
        return content
    return {key: value for key, value in content.items() if key not in invalid}


def _is_cookie_value(key: str, value: object) -> bool:
    return is_domain(value) if key == "_domain" else is_path(value)


def _check(*values: Any) -> None:
    """Check the values of the options, which may be anything; remember those that are valid."""
    try:
        _check_once(*values)
    except TypeError:
        # A value that cannot be hashed.
        _check_once.__wrapped__(*values)


@functools.lru_cache(typed=True)
def _check_once(
    name: object, domain: object, path: object, same_site: object, secure: bool, httponly: bool
) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _invalid("key", name, _NAME_HINT)
    if name.lower() in _ATTRIBUTES:
        raise _invalid("key", name, "This is the name of a cookie attribute; choose another one.")
    if not is_domain(domain):
        raise _invalid("cookie_domain", domain, _DOMAIN_HINT)
    if not is_path(path):
        raise _invalid("cookie_path", path, _PATH_HINT)
    if same_site is not None and str(same_site).lower() not in ("lax", "strict", "none"):
        raise _invalid("samesite", same_site, "Set it to Lax, Strict or None.")
    if isinstance(same_site, str) and same_site.lower() == "none" and not secure:
        raise ConfigError(
            "session.samesite is None, but session.secure is not set.",
            option="samesite",
            value=same_site,
            hint="Set session.secure to true: browsers ignore a SameSite=None cookie without it.",
        )
    if name.startswith("__"):
        _check_prefix(name, domain, path, secure=secure, httponly=httponly)


def _check_prefix(name: str, domain: object, path: object, *, secure: bool, httponly: bool) -> None:
    """Check the rules of a name's prefix (RFC 6265bis, section 4.1.3; without regard to case)."""
    lower = name.lower()
    is_host = lower.startswith("__host-")
    broken = []
    if not secure and lower.startswith(("__host-", "__secure-", "__http-")):
        broken.append("set session.secure to true")
    if not httponly and lower.startswith(("__http-", "__host-http-")):
        broken.append("set session.httponly to true")
    if is_host and domain is not None:
        broken.append("remove session.cookie_domain")
    if is_host and path != "/":
        broken.append("remove session.cookie_path")
    if broken:
        prefix = name[: name.index("-") + 1]
        raise ConfigError(
            f"session.key is {show(name)}, but browsers refuse this {prefix} cookie.",
            option="key",
            value=name,
            hint=f"To keep the prefix, {' and '.join(broken)}. Otherwise rename the cookie.",
        )


def _invalid(name: str, value: object, hint: str) -> ConfigError:
    return ConfigError(
        f"session.{name} cannot be {show(value)}.", option=name, value=value, hint=hint
    )
