"""Beaker's options of the session cookie, checked by the rules of browsers."""

import re
from collections.abc import Mapping
from typing import Any

from beaker_mongo_soajs.exceptions import ConfigError

DEFAULT_NAME = "beaker.session.id"
"""Beaker's default for the option ``key``."""

# RFC 6265, section 4.1.1: a token; the colon is what http.cookies allows beyond that.
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~:]+")
_DOMAIN = re.compile(r"[A-Za-z0-9._\-]+")
_PATH = re.compile(r"/[\x20-\x3a\x3c-\x7e]*")
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
    name = options.get("key", DEFAULT_NAME)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _invalid(
            "key", name, "Use ASCII letters, digits, - and _: browsers send no other cookie names."
        )
    if name.lower() in _ATTRIBUTES:
        raise _invalid("key", name, "This is the name of a cookie attribute; choose another one.")
    domain = options.get("cookie_domain")
    if not is_domain(domain):
        raise _invalid(
            "cookie_domain",
            domain,
            "Set a host name such as example.org, without a scheme, a port or a path.",
        )
    path = options.get("cookie_path", "/")
    if not is_path(path):
        raise _invalid(
            "cookie_path",
            path,
            "Begin it with / and use printable ASCII without semicolons; percent-encode the rest.",
        )
    secure = options.get("secure")
    same_site = options.get("samesite", "Lax")
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
        _check_prefix(name, domain, path, secure=bool(secure), httponly=bool(httponly))


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


def _check_prefix(
    name: str, domain: str | None, path: str, *, secure: bool, httponly: bool
) -> None:
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
            f"session.key is {name!r}, but browsers refuse this {prefix} cookie.",
            option="key",
            value=name,
            hint=f"To keep the prefix, {' and '.join(broken)}. Otherwise rename the cookie.",
        )


def _invalid(name: str, value: object, hint: str) -> ConfigError:
    return ConfigError(f"session.{name} cannot be {value!r}.", option=name, value=value, hint=hint)
