"""Values in messages: formatted on one line, with every secret masked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from beaker_mongo_soajs.exceptions import MASK

PEM_BEGIN = "-----BEGIN"
PEM_SHOWN = "(PEM text)"
"""The text that replaces a certificate or key in messages."""

_LONGEST = 120
_ADDRESS = re.compile(
    r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\])(:[0-9]{1,5})?|%2F[A-Za-z0-9._%-]+"
)
_DATABASE = re.compile(r"(/[A-Za-z0-9_-]*)?")
_OPTION_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SECRET_NAMES = re.compile(r"(?i)pass|pwd|secret|token|user|cred|key|auth")


def mask_url(url: str) -> str:
    """Mask the secrets in a connection string.

    Only what is certainly a host, a port, a database or the name of an option is shown.

    :param url: a connection string, valid or not
    :returns: the connection string with user, password and all option values masked
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,20}", scheme):
        return MASK
    # A password may contain an unescaped "/", "?" or "@": all up to the last "@" may be a secret.
    _, at, rest = rest.rpartition("@")
    hosts, question, query = rest.partition("?")
    hosts, slash, database = hosts.partition("/")
    if not all(_ADDRESS.fullmatch(address) for address in hosts.split(",")):
        hosts = MASK
    path = slash + database
    if not _DATABASE.fullmatch(path):
        path = f"/{MASK}"
    parts = [part.partition("=") for part in re.split("[&;]", query) if part]
    shown = [
        f"{name}={MASK}" if equals and _OPTION_NAME.fullmatch(name) else MASK
        for name, equals, _ in parts
    ]
    return f"{scheme}://{MASK if at else ''}{at}{hosts}{path}{question}{'&'.join(shown)}"


def is_url(text: str) -> bool:
    """Check whether a text looks like a connection string."""
    try:
        return "://" in text or bool(urlsplit(text).netloc)
    except ValueError:
        return True


def show(value: object) -> str:
    """Format any value for a message, on one line. PEM texts and long texts are shortened.

    :param value: the value
    :returns: JSON, or the name of the type where JSON has no form for the value
    """
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, str):
        return _show_text(value)
    if value is None or isinstance(value, bool | float):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() < 256 else "a very large number"
    if isinstance(value, Mapping):
        items = ", ".join(_show_item(name, item) for name, item in value.items())
        return _shorten(f"{{{items}}}")
    if isinstance(value, list | tuple | set | frozenset):
        return _shorten(f"[{', '.join(show(item) for item in value)}]")
    return f"a {type(value).__name__}"


def show_name(name: object) -> str:
    """Format the name of an option, which is text or anything else, for a message.

    :param name: the name
    :returns: the name itself, if it can be shown
    """
    if not isinstance(name, str):
        return f"a {type(name).__name__}"
    if "@" in name or is_url(name) or not name.isprintable():
        return MASK
    return _shorten(name)


def _show_text(text: str) -> str:
    if PEM_BEGIN in text:
        return PEM_SHOWN
    if is_url(text):
        text = mask_url(text)
    elif "@" in text:
        # The text before an "@" may be a user and password, and so may the text after it.
        text = MASK
    return json.dumps(_shorten(text), ensure_ascii=not text.isprintable())


def _show_item(name: object, item: object) -> str:
    shown = MASK if isinstance(name, str) and _SECRET_NAMES.search(name) else show(item)
    return f"{json.dumps(show_name(name), ensure_ascii=False)}: {shown}"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
