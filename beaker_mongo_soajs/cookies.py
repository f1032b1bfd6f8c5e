"""Session ids in a request's ``Cookie`` header."""

import functools
import hmac
import re
from collections.abc import Sequence

_MOST_COOKIES = 200
"""Browsers keep at most 180 cookies of a site; only a forged header holds more of one name."""

_SIGNATURE_LENGTH = 40
"""The length of an HMAC with SHA-1 in hexadecimal, as Beaker makes it."""

# http.cookies writes a value with other characters in quotes, with octal and single escapes.
_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)


def session_ids(header: str | None, name: str, secrets: Sequence[str] = ()) -> list[str]:
    """Return the session ids of all cookies with a name, in the order of the header.

    The header is split as in RFC 6265, section 5: at each semicolon, and at the first equals sign
    of each part; spaces and tabs around names and values do not count. Other cookies are skipped,
    whatever they hold. The time is linear in the length of the header.

    :param header: the header as WSGI passes it: each character is one byte.
    :param name: the cookie's name.
    :param secrets: the secrets to verify signatures with, as ``beaker.session.SignedCookie`` makes
        them. A cookie that none of them signed is skipped. Without secrets no cookie is signed.
    """
    if not header or name not in header:
        return []
    # With a semicolon in front, the first cookie begins like the others.
    values = _pattern(name).findall(f";{header}")
    # A dict drops duplicates and keeps the order.
    found: dict[str, None] = {}
    for value in values[:_MOST_COOKIES]:
        text = value.rstrip(" \t")
        if text[:1] == '"':
            text = _unquoted(text)
        session_id = _verified(text, secrets) if secrets else text
        if session_id:
            found[session_id] = None
    return list(found)


@functools.lru_cache
def _pattern(name: str) -> re.Pattern[str]:
    # Possessive: what was skipped is never tried again.
    return re.compile(rf";[ \t]*+{re.escape(name)}[ \t]*+=[ \t]*+([^;]++)")


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[-1] != '"':
        return value
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)) if match[1] else match[2], value[1:-1])


def _verified(value: str, secrets: Sequence[str]) -> str | None:
    """Return the id in a signed value, or ``None`` if no secret verifies its signature."""
    session_id = value[_SIGNATURE_LENGTH:]
    if not session_id:
        return None
    # Some servers decode headers in a way that leaves surrogates.
    signature = value[:_SIGNATURE_LENGTH].encode(errors="surrogatepass")
    message = session_id.encode(errors="surrogatepass")
    for secret in secrets:
        if hmac.compare_digest(
            hmac.digest(secret.encode(), message, "sha1").hex().encode(), signature
        ):
            return session_id
    return None
