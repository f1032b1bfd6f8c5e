"""Which of Beaker's ciphers may open what stands in a database.

Beaker unpickles what it decrypted. Ciphertext without authentication can be changed without the key
(its beginning is known: that of every pickle), so that whoever writes to the database runs code.
"""

from typing import Any, NoReturn, Protocol

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
    """Refuse a cipher that does not encrypt, or whose ciphertext can be forged.

    :param crypto_module: the ``crypto_module`` of Beaker's Session.
    :param signed: whether ``store.signingKey`` guards the ciphertext.
    :raises ConfigError: when it is one.
    """
    if not crypto_module.has_aes:
        raise ConfigError(
            "encrypt_key is set, and Beaker has no library that can encrypt.",
            option="encrypt_key",
            hint="Install cryptography, and set crypto_type to cryptography: Beaker before 1.14 "
            "does not look for it by itself.",
        )
    if not signed and crypto_module.__name__ not in _AUTHENTICATED:
        raise ConfigError(
            "encrypt_key is set, and Beaker's cipher is one that can be forged.",
            option="crypto_type",
            hint="Install cryptography and set crypto_type to cryptography, or set "
            "store.signingKey.",
        )


def unencrypted() -> SerializationError:
    """Return the error for a plain session where sessions are encrypted.

    Otherwise whoever may write to the database could do without the key.
    """
    return SerializationError(
        "The stored session is not encrypted, and encrypt_key is set.",
        path="session",
        hint="It was saved without encrypt_key; its visitor has to get a new one.",
    )


def without_key() -> SerializationError:
    """Return the error for an encrypted session where there is no key."""
    return SerializationError(
        "The stored session is ciphertext, and there is no encrypt_key.",
        path="session",
        hint="Set the encrypt_key and validate_key that it was saved with. SessionStore cannot read"
        " encrypted sessions.",
    )


class EncryptedText(str):
    """A text from the database that only Beaker's decryption may open.

    ``Session._decrypt_data`` takes it apart by slices when there is an ``encrypt_key``, and decodes
    it whole, to unpickle it, when there is none. The second is how a planted pickle would run: it
    is refused.
    """

    __slots__ = ()

    def encode(self, *_: object, **__: object) -> NoReturn:
        """Refuse to be decoded whole.

        :raises SerializationError: always.
        """
        raise SerializationError(
            "The stored session is ciphertext, or made by an unknown serializer.",
            path="session",
            hint="Set the encrypt_key and validate_key that it was saved with. Without them, "
            "nothing but sub-documents and JSON is loaded from the database.",
        )
