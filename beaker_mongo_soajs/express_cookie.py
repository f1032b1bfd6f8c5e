"""The session cookie of express-session: the id in a request's header, and ``Set-Cookie``.

The rules are those of the packages that express-session uses: ``cookie`` 0.7 splits and writes the
headers, and ``cookie-signature`` 1.0 signs the session id.
"""

import base64
import functools
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

DEFAULT_NAME = "connect.sid"
"""express-session's default for the name of the cookie."""

_SIGNED = "s:"
# encodeURIComponent leaves these as they are, besides letters, digits and _.-~
_UNENCODED = "!~*'()"
_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2})++")
_PRIORITIES: dict[Any, str] = {"low": "Low", "medium": "Medium", "high": "High"}
_SAME_SITES: dict[Any, str] = {"lax": "Lax", "strict": "Strict", "none": "None", True: "Strict"}


def session_id(header: str | None, name: str, secrets: Sequence[str]) -> str | None:
    """Return the session id in a request's cookies, if one of the secrets signed it.

    Of several cookies with the name, only the first counts.

    :param header: the ``Cookie`` header as WSGI passes it: each character is one byte.
    :param name: the cookie's name.
    :param secrets: the secrets, any of which may have signed the id.
    """
    if not header or name not in header:
        return None
    # With a semicolon in front, the first cookie begins like the others.
    found = _pattern(name).search(f";{header}")
    if found is None:
        return None
    value = found[1].rstrip(" \t")
    if value[:1] == value[-1:] == '"':
        value = value[1:-1]
    value = _decoded(value)
    if not value.startswith(_SIGNED):
        return None
    signed, dot, mac = value[len(_SIGNED) :].rpartition(".")
    if not dot or not signed:
        return None
    given = mac.encode(errors="surrogatepass")
    for secret in secrets:
        if hmac.compare_digest(_mac(signed, secret), given):
            return signed
    return None


def cookie_value(session_id: str, secret: str) -> str:
    """Return the value of the cookie for a session id.

    :param session_id: the id.
    :param secret: the secret that signs it.
    """
    signed = f"{_SIGNED}{session_id}.{_mac(session_id, secret).decode()}"
    return quote(signed, safe=_UNENCODED, errors="surrogatepass")


def set_cookie(
    name: str, value: str, attributes: Mapping[str, Any], expires: datetime | None
) -> str:
    """Return the ``Set-Cookie`` header that the package ``cookie`` writes.

    :param name: the cookie's name.
    :param value: what :func:`cookie_value` returned.
    :param attributes: express-session's ``session.cookie``. Its domain and path must be valid.
    :param expires: when the browser removes it, in UTC with its time zone; ``None`` for the end of
        the browser.
    """
    date = None if expires is None else format_datetime(expires, usegmt=True)
    given = {"Domain": attributes.get("domain"), "Path": attributes.get("path"), "Expires": date}
    flags = {"HttpOnly": "httpOnly", "Secure": "secure", "Partitioned": "partitioned"}
    words = {
        "Priority": _PRIORITIES.get(_lower(attributes.get("priority"))),
        "SameSite": _SAME_SITES.get(_lower(attributes.get("sameSite"))),
    }
    parts = [f"{name}={value}"]
    parts += [f"{attribute}={text}" for attribute, text in given.items() if text]
    parts += [attribute for attribute, flag in flags.items() if attributes.get(flag)]
    parts += [f"{attribute}={word}" for attribute, word in words.items() if word]
    return "; ".join(parts)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value is True


@functools.lru_cache
def _pattern(name: str) -> re.Pattern[str]:
    # Possessive: what was skipped is never tried again.
    return re.compile(rf";[ \t]*+{re.escape(name)}[ \t]*+=[ \t]*+([^;]*+)")


def _decoded(text: str) -> str:
    """Decode as ``decodeURIComponent`` does: all of a text, or nothing."""
    try:
        decoded = _ENCODED.sub(lambda part: bytes.fromhex(part[0].replace("%", "")).decode(), text)
    except UnicodeDecodeError:
        return text
    return text if "%" in _ENCODED.sub("", text) else decoded


def _mac(session_id: str, secret: str) -> bytes:
    message = session_id.encode(errors="surrogatepass")
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).rstrip(b"=")
