"""Decrypt sessions that Beaker encrypted with AES-GCM (``crypto_type = cryptography``).

Its other ciphers are not supported: their ciphertext can be forged by anybody who can write to the
old backend, and the pickle in it would then run code.
"""

import base64
import hashlib

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sources.entry import OldSession, read_serialized

# beaker.session.Session._encrypt_data, and beaker.crypto.pyca_cryptography
_SALT_CHARACTERS = 24
_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16


def decrypted(old: OldSession, options: MigrateFrom) -> OldSession:
    """Return a session that is encrypted, if the options have the key, as a dict.

    :param old: the session.
    :param options: the options of ``store.migrateFrom``.
    :raises SerializationError: the key does not fit, or it is no ciphertext.
    """
    if old.session is not None or options.encrypt_key is None:
        return old
    try:
        data = _decrypt(old.text, options.encrypt_key, options.validate_key or "")
    except Exception as error:  # noqa: BLE001 - garbage may fail in any step
        raise SerializationError(
            f"The old session cannot be decrypted ({type(error).__name__}).",
            path="session",
            hint="Check store.migrateFrom.encryptKey and validateKey. Only sessions that were"
            " encrypted with crypto_type = cryptography can be decrypted.",
        ) from None
    # Only those who have the key can have made it.
    session = read_serialized(data, trust_pickles=True)
    if session is None:
        raise SerializationError(
            "The decrypted session is neither a pickle nor JSON.",
            path="session",
            hint="Sessions of another data_serializer can only be moved as ciphertext: remove"
            " store.migrateFrom.encryptKey.",
        )
    return OldSession(session)


def _decrypt(text: str, key: str, salt: str) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra

    salt += text[:_SALT_CHARACTERS]
    derived = hashlib.pbkdf2_hmac("sha1", key.encode(), salt.encode(), 1, _KEY_BYTES)
    data = base64.b64decode(text[_SALT_CHARACTERS:])
    nonce, rest = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
    tag, ciphertext = rest[:_TAG_BYTES], rest[_TAG_BYTES:]
    return AESGCM(derived).decrypt(nonce, ciphertext + tag, None)
