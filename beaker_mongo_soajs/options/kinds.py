"""The kinds of value that are special to MongoDB: write concerns, tag sets, certificates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from beaker_mongo_soajs.options.coerce import (
    InvalidValue,
    Kind,
    choice,
    integer,
    is_json,
    one_of,
    parse_json,
    read_text,
    read_text_list,
)
from beaker_mongo_soajs.options.frozen import FrozenDict
from beaker_mongo_soajs.options.masking import PEM_BEGIN

TAG_PLACEHOLDER = "TAG"
"""The placeholder for ``readPreferenceTags`` in the reference's full example. It is no tag set."""

LEAST_SECRET_BYTES = 16
"""The shortest secret that cannot be guessed: 128 bits."""

HOW_TO_MAKE_ONE = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
"""The command that makes a secret, for messages."""

MECHANISMS = (
    "DEFAULT",
    "GSSAPI",
    "MONGODB-AWS",
    "MONGODB-OIDC",
    "MONGODB-X509",
    "PLAIN",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
)
MOST_MEMBERS = 50
"""The largest replica set that MongoDB supports, and so the largest ``w``."""

READ_CONCERN_LEVELS = ("local", "majority", "available", "linearizable", "snapshot")
READ_PREFERENCES = ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")


def read_write_concern(value: Any) -> int | str:
    """Read ``w``: how many members, ``majority``, or the name of a custom write concern."""
    wanted = (
        'a whole number from 1 to 50, "majority", or the name of a write concern that the replica'
        " set's settings.getLastErrorModes defines"
    )
    if isinstance(value, str) and value.strip() and not is_json(value):
        value = value.strip()
        if not value.lstrip("+-").isdigit():
            return "majority" if value.lower() == "majority" else value
    try:
        members = integer(0, MOST_MEMBERS)(value)
    except InvalidValue:
        raise InvalidValue(wanted) from None
    if not members:
        # Without an acknowledgement the store cannot see that a session no longer exists, or that
        # a write failed.
        raise InvalidValue(f"{wanted}: the store relies on the server's answers, which 0 turns off")
    return members


def read_tag_sets(value: Any) -> tuple[FrozenDict, ...] | str:
    """Read tag sets: one or several, each an object or text of the form ``dc:ny,rack:1``.

    :returns: the tag sets in order of preference, or :data:`TAG_PLACEHOLDER` unchanged
    """
    if is_json(value):
        value = parse_json(value)
    if value == TAG_PLACEHOLDER:
        return TAG_PLACEHOLDER
    sets = value if isinstance(value, list | tuple) else [value]
    return tuple(_read_tag_set(tags) for tags in sets)


def _read_tag_set(value: Any) -> FrozenDict:
    wanted = "a tag set (an object, or text of the form dc:ny,rack:1) or a list of those"
    if isinstance(value, str):
        found: dict[str, str] = {}
        for tag in filter(None, (part.strip() for part in value.split(","))):
            name, colon, content = tag.partition(":")
            if not colon or not name.strip() or name.strip() in found:
                raise InvalidValue(wanted)
            found[name.strip()] = content.strip()
        return FrozenDict(found)
    if not isinstance(value, Mapping):
        raise InvalidValue(wanted)
    tags: dict[str, str] = {}
    for name, content in value.items():
        # A tag's value is text on the server, so {"rack": 1} means "1".
        if isinstance(content, int) and not isinstance(content, bool):
            content = str(content)
        if not isinstance(name, str) or not name or not isinstance(content, str):
            raise InvalidValue(wanted)
        tags[name] = content
    return FrozenDict(tags)


def read_read_concern(value: Any) -> str | None:
    """Read a read concern: its level, or an object with the one name ``level``."""
    if is_json(value):
        value = parse_json(value)
    if isinstance(value, Mapping):
        if set(value) - {"level"}:
            raise InvalidValue('a level, or an object with the one name "level"')
        value = value.get("level")
        if value is None:
            return None
    return choice(*READ_CONCERN_LEVELS)(value)


def read_mechanism(value: Any) -> str:
    """Read the name of an authentication mechanism."""
    if isinstance(value, str) and value.strip().upper() == "MONGODB-CR":
        raise InvalidValue("SCRAM-SHA-1 or SCRAM-SHA-256: MongoDB 4.0 removed MONGODB-CR")
    return choice(*MECHANISMS)(value)


def read_pem(value: Any) -> str:
    """Read one certificate or key: PEM text, PEM bytes, or the path of a PEM file."""
    wanted = "PEM text, PEM bytes, or the path of a PEM file"
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, bytes | bytearray):
        value = bytes(value)
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidValue(
                f"{wanted} (these bytes may be DER: convert them with openssl)"
            ) from None
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise InvalidValue(wanted)
    if PEM_BEGIN not in value and ("\n" in value or len(value) > 4096):
        raise InvalidValue(f"{wanted} (this is neither a path nor does it hold {PEM_BEGIN})")
    return value.strip()


def read_pem_list(value: Any) -> tuple[str, ...]:
    """Read one certificate, or a list of them, each as :func:`read_pem` does."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = parse_json(value)
    parts = value if isinstance(value, list | tuple) else [value]
    if not parts:
        raise InvalidValue("one certificate or more")
    return tuple(read_pem(part) for part in parts)


def read_passphrase(value: Any) -> str:
    """Read a passphrase: text or bytes."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidValue("text, or bytes in UTF-8") from None
    return read_text(value)


def read_signing_keys(value: Any) -> tuple[bytes, ...]:
    """Read signing keys: bytes, or text, which is encoded as UTF-8, or a list of those."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        # Else it is a key that begins with a bracket.
        with suppress(InvalidValue):
            value = parse_json(value)
    parts = value if isinstance(value, list | tuple) else [value]
    keys = tuple(part.encode("utf-8") if isinstance(part, str) else part for part in parts)
    if not keys or not all(
        isinstance(key, bytes) and len(key.strip()) >= LEAST_SECRET_BYTES for key in keys
    ):
        raise InvalidValue(
            f"a secret of {LEAST_SECRET_BYTES} bytes or more, as text or bytes, or a list of those."
            f" To make one, run {HOW_TO_MAKE_ONE}"
        )
    return keys


def read_compressors(value: Any) -> tuple[str, ...]:
    """Read the names of wire compressors, the preferred one first."""
    return tuple(choice("snappy", "zlib", "zstd")(name) for name in read_text_list(value))


def read_index_fields(value: Any) -> tuple[str, ...]:
    """Read the names of fields to index: a list, or text with commas between them."""
    fields = read_text_list(value)
    for field in fields:
        if not all(field.split(".")):
            raise InvalidValue('a list of field names such as "session.user"')
        if any(part.startswith("$") for part in field.split(".")):
            raise InvalidValue(
                'a list of field names such as "session.user", none of which starts with $'
            )
    if len(set(fields)) != len(fields):
        raise InvalidValue("a list that names each field once")
    return fields


def read_session_key(value: Any) -> str:
    """Read a key of a session, in which dots may separate the keys of sub-documents."""
    parts = value.split(".") if isinstance(value, str) else [""]
    if not all(parts) or any(part.startswith("$") for part in parts):
        raise InvalidValue('the key of a session that holds its user, such as "user"')
    return ".".join(parts)


WRITE_CONCERN = Kind('number / `"majority"` / name', read_write_concern)
TAG_SETS = Kind("tag sets", read_tag_sets)
READ_CONCERN_LEVEL = one_of(*READ_CONCERN_LEVELS)
READ_CONCERN = Kind('`{"level": …}` or a level', read_read_concern)
READ_PREFERENCE = one_of(*READ_PREFERENCES)
MECHANISM = Kind("mechanism", read_mechanism)
PEM = Kind("PEM text, bytes or path", read_pem)
PEM_LIST = Kind("list of PEM texts, bytes or paths", read_pem_list)
PASSPHRASE = Kind("text or bytes", read_passphrase)
SIGNING_KEYS = Kind("text or bytes, or a list of them", read_signing_keys, null_words=frozenset())
COMPRESSORS = Kind("list of `snappy`, `zlib`, `zstd`", read_compressors)
SESSION_KEY = Kind("key of a session", read_session_key)
INDEX_FIELDS = Kind("list of field names", read_index_fields)
