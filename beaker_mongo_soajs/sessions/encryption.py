"""Encrypted sessions: the ciphers of Beaker that are safe to use.

Beaker unpickles what it decrypted. Ciphertext without authentication can be changed without the
key, because all pickles begin alike. Write access to the database would then be enough to run code
in the application.
"""

from collections.abc import Callable
from typing import Any, Protocol

from beaker_mongo_soajs.exceptions import ConfigError, SerializationError

_AUTHENTICATED = frozenset({"beaker.crypto.pyca_cryptography"})
"""Beaker's modules that encrypt with AES-GCM; its others use AES-CTR, or nothing at all."""


class Cipher(Protocol):
    """How a Session turns its dict into a text that only the Session can read, and back."""

    is_encryption: bool
    """Whether the text is ciphertext; otherwise a serializer of the application made it."""
    has_exact_times: bool
    """Whether the Session ends by the time in the text, so that it must not be late."""

    def encrypt(self, session: dict[Any, Any]) -> str:
        """Return the text of a session."""

    def decrypt(self, text: str) -> Any:
        """Return what ``SessionRecord.find`` returns for a text."""

    def touch(self, text: str, accessed_time: float) -> str:
        """Return the text of the same session with another access time."""


def check_cipher(crypto_module: Any, *, signed: bool) -> None:
    """Check that a cipher encrypts, and that its ciphertext cannot be forged.

    :param crypto_module: the ``crypto_module`` of Beaker's Session.
    :param signed: whether ``store.signingKey`` guards the ciphertext.
    :raises ConfigError: the cipher is unsafe.
    """
    if not crypto_module.has_aes:
        raise ConfigError(
            "session.encrypt_key is set, but Beaker found no encryption library.",
            option="encrypt_key",
            hint="Install cryptography and set session.crypto_type to cryptography. (Beaker before "
            "1.14 does not look for it by itself.)",
        )
    if not signed and crypto_module.__name__ not in _AUTHENTICATED:
        raise ConfigError(
            "session.encrypt_key is set, but the ciphertext of this crypto_type can be forged.",
            option="crypto_type",
            hint="Install cryptography and set session.crypto_type to cryptography, or set "
            "store.signingKey.",
        )


def encrypt(
    cipher: Cipher, session: dict[Any, Any], check: Callable[[dict[Any, Any]], None]
) -> str:
    """Return the text of a session.

    :param cipher: encrypts it.
    :param session: the session.
    :param check: raises an error that names the path of a value that cannot be stored at all.
    :raises SerializationError: the cipher's serializer does not accept a value.
    """
    try:
        return cipher.encrypt(session)
    except Exception as error:
        check(session)
        raise SerializationError(
            f"The session cannot be serialized ({type(error).__name__}).",
            path="session",
            hint="Store plain values, of the kinds that data_serializer supports.",
        ) from error


def unencrypted() -> SerializationError:
    """Return the error for a plain session in an application that encrypts its sessions.

    To accept it would allow anybody with write access to the database to plant a session.
    """
    return SerializationError(
        "The stored session is not encrypted, but encrypt_key is set.",
        path="session",
        hint="It was saved without encrypt_key. Its visitor needs a new session.",
    )


def without_key() -> SerializationError:
    """Return the error for an encrypted session in an application without a key."""
    return SerializationError(
        "The stored session is encrypted, but encrypt_key is not set.",
        path="session",
        hint="Set the encrypt_key and validate_key that it was saved with, or store.nodeCrypto if"
        " connect-mongo saved it. SessionStore cannot read what encrypt_key encrypted.",
    )
