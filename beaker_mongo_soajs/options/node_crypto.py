"""The rows of ``store.nodeCrypto``: how connect-mongo encrypts sessions."""

from __future__ import annotations

from typing import Any

from beaker_mongo_soajs.options import coerce
from beaker_mongo_soajs.options.coerce import InvalidValue, Kind
from beaker_mongo_soajs.options.option import Option, Setting

_MOST_ITERATIONS = 10_000_000
"""Node derives such a key in about three seconds."""


def read_secret(value: Any) -> bytes:
    """Read a secret: bytes, or text, which is encoded as UTF-8."""
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes) or not value:
        raise InvalidValue("text or bytes")
    return value


_SECRET = Kind("text or bytes", read_secret, nullable=False)
_IV_LENGTH = Kind("whole number", coerce.integer(8, 128))
_ITERATIONS = Kind("whole number", coerce.integer(1, _MOST_ITERATIONS))


def _row(name: str, kind: Kind, doc: str, *, secret: bool = False) -> Option:
    effect = Setting("how connect-mongo encrypts sessions")
    return Option(("store", "nodeCrypto", name), kind, effect, doc, secret=secret)


ROWS: tuple[Option, ...] = (
    _row(
        "adapter",
        coerce.one_of("kruptein", "webCrypto"),
        "`kruptein`: connect-mongo's option `crypto`, or `createKrupteinAdapter`. `webCrypto`:"
        " `createWebCryptoAdapter` of connect-mongo 6. Default: `kruptein`.",
    ),
    _row("secret", _SECRET, "The `secret` of `crypto`, or of the adapter. Required.", secret=True),
    _row(
        "algorithm",
        coerce.one_of("aes-256-gcm", "aes-192-gcm", "aes-128-gcm", "AES-GCM"),
        "The `algorithm`. Default: `aes-256-gcm`, with `webCrypto` `AES-GCM`. Algorithms without"
        " authentication are refused.",
    ),
    _row(
        "hashing",
        coerce.one_of("sha512", "sha384", "sha256"),
        "The `hashing`, for `kruptein`. Default: `sha512`, as in connect-mongo.",
    ),
    _row(
        "encodeas",
        coerce.one_of("base64", "hex"),
        "The `encodeas`, for `kruptein`. Default: `base64`.",
    ),
    _row(
        "encoding",
        coerce.one_of("base64", "base64url", "hex"),
        "The `encoding`, for `webCrypto`. Default: `base64`.",
    ),
    _row(
        "salt",
        _SECRET,
        "The `salt`, for `webCrypto`. Default: that of connect-mongo.",
        secret=True,
    ),
    _row(
        "iterations",
        _ITERATIONS,
        "The `iterations`, for `webCrypto`. Default: 310000.",
    ),
    _row("ivLength", _IV_LENGTH, "The `ivLength`, for `webCrypto`. Default: 12."),
)
