"""How connect-mongo encrypts the sessions that are shared with it: ``store.nodeCrypto``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal

from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.options.option import Path

GROUP = ("store", "nodeCrypto")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "kruptein": ("hashing", "encodeas"),
    "webCrypto": ("encoding", "salt", "iterations", "ivLength"),
}
"""The options that only one of the adapters has."""

_KEY_BYTES = {"aes-256-gcm": 32, "aes-192-gcm": 24, "aes-128-gcm": 16}
_WEB_CRYPTO_ALGORITHM = "AES-GCM"
_WEB_CRYPTO_KEY_BYTES = 32


@dataclass(frozen=True)
class NodeCrypto:
    """Hold the options of ``store.nodeCrypto``. The ``repr`` shows no secret.

    :param adapter: the format
    :param secret: the secret of which the key is derived
    :param key_bytes: the length of the key
    :param hashing: the digest of ``kruptein``
    :param encoding: how the ciphertext is written as text
    :param salt: the salt of ``webCrypto``
    :param iterations: the rounds with which ``webCrypto`` derives the key
    :param iv_bytes: the length of the initialization vector of ``webCrypto``
    """

    adapter: Literal["kruptein", "webCrypto"]
    secret: bytes = field(repr=False)
    key_bytes: int = 32
    hashing: Literal["sha512", "sha384", "sha256"] = "sha512"
    encoding: Literal["base64", "base64url", "hex"] = "base64"
    salt: bytes = field(default=b"connect-mongo:webcrypto-default-salt", repr=False)
    iterations: int = 310_000
    iv_bytes: int = 12

    @classmethod
    def from_values(cls, values: Mapping[Path, Any]) -> NodeCrypto | None:
        """Take the options of the group from all options.

        :param values: the given options, each as its kind reads it
        :returns: the options; ``None`` if none is given
        :raises ConfigError: the secret is missing, an option is for the other adapter, or
            cryptography is not installed
        """
        given = {path[-1]: value for path, value in values.items() if path[:2] == GROUP}
        if not given:
            return None
        adapter = given.get("adapter", "kruptein")
        if "secret" not in given:
            raise _error(
                "secret",
                "is not set",
                "Set it to the secret of connect-mongo's crypto, or of createWebCryptoAdapter().",
            )
        for other, names in _OPTIONS.items():
            for name in names if other != adapter else ():
                if name in given:
                    raise _other_adapter(name, adapter, f"Remove it, or set adapter to {other}.")
        key_bytes = _find_key_bytes(adapter, given.get("algorithm"))
        if find_spec("cryptography") is None:
            raise _error(
                "secret",
                "needs the module cryptography",
                'Run pip install "beaker_mongo_soajs[encryption]".',
            )
        fields = {
            "hashing": given.get("hashing"),
            "encoding": given.get("encodeas") or given.get("encoding"),
            "salt": given.get("salt"),
            "iterations": given.get("iterations"),
            "iv_bytes": given.get("ivLength"),
        }
        known = {name: value for name, value in fields.items() if value is not None}
        return cls(adapter, given["secret"], key_bytes, **known)


def encrypted_twice(name: str) -> ConfigError:
    """Return the error for sessions that connect-mongo could not read, as Beaker encodes them.

    :param name: Beaker's option: ``encrypt_key`` or ``data_serializer``
    """
    return ConfigError(
        f"session.{name} and store.nodeCrypto are both set, but connect-mongo cannot read sessions"
        f" that Beaker {'encrypts' if name == 'encrypt_key' else 'serializes'}.",
        option=name,
        value=MASK,
        hint=f"Remove session.{name}.",
    )


def _find_key_bytes(adapter: str, algorithm: str | None) -> int:
    """Return the length of the key of an algorithm, which must be one of the adapter."""
    if algorithm is None:
        return _WEB_CRYPTO_KEY_BYTES
    if (algorithm == _WEB_CRYPTO_ALGORITHM) != (adapter == "webCrypto"):
        hint = "Remove it: the default is that of connect-mongo."
        raise _other_adapter("algorithm", adapter, hint, algorithm)
    return _KEY_BYTES.get(algorithm, _WEB_CRYPTO_KEY_BYTES)


def _other_adapter(name: str, adapter: str, hint: str, value: str = MASK) -> ConfigError:
    shown = "" if value == MASK else f" {value}"
    problem = f"{shown} has no effect, because store.nodeCrypto.adapter is {adapter}"
    return _error(name, problem.strip(), hint, value)


def _error(name: str, problem: str, hint: str, value: str = MASK) -> ConfigError:
    option = ".".join((*GROUP, name))
    return ConfigError(f"{option} {problem}.", option=option, value=value, hint=hint)
