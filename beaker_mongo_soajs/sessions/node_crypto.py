"""Sessions that connect-mongo encrypts, in the formats of its two adapters.

- ``kruptein`` 3 is connect-mongo's option ``crypto``. The text is a DER sequence of six octet
  strings. Each session has a key of its own: PBKDF2 with 15,000 rounds of the secret and a salt.
- ``createWebCryptoAdapter`` of connect-mongo 6 writes the initialization vector, the ciphertext and
  the tag. All sessions have one key.

Both encrypt JSON with AES-GCM, whatever ``stringify`` is. Neither binds the ciphertext to the id of
the session.
"""

import base64
import functools
import hashlib
import hmac
import importlib
import json
import os
from typing import Any, Protocol

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.node_crypto import NodeCrypto
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sessions.codec import JsonCodec
from beaker_mongo_soajs.sessions.tags import Tree
from beaker_mongo_soajs.signature import Signer

_ROUNDS = 15_000
_IV_BYTES = 12
_SALT_BYTES = 128
_TAG_BYTES = 16
_SEQUENCE = 0x30
_OCTET_STRING = 0x04
_MOST_LENGTH_BYTES = 4


class EncryptedJsonCodec(JsonCodec):
    """Codec of JSON text that connect-mongo encrypts.

    :param options: the options of the encryption.
    :param wraps_text: whether ``kruptein`` gets the session as a text, which it writes as JSON
        again. connect-mongo before version 6 needs that with ``stringify: true``, and fails at it
        with ``stringify: false``; version 6 reads both.
    :param pickled: as for the base class.
    :param signer: likewise.
    """

    def __init__(
        self,
        options: NodeCrypto,
        *,
        wraps_text: bool,
        pickled: bool = False,
        signer: Signer | None = None,
    ) -> None:
        super().__init__(pickled=pickled, signer=signer)
        is_kruptein = options.adapter == "kruptein"
        self._cipher: _Cipher = (_Kruptein if is_kruptein else _WebCrypto)(options)
        self._wraps_text = wraps_text and is_kruptein

    def dumps(self, tree: dict[str, Tree]) -> str:
        """Return the ciphertext of an encoded session."""
        text = super().dumps(tree)
        if self._wraps_text:
            text = json.dumps(text, ensure_ascii=False)
        return self._cipher.encrypt(text.encode())

    def loads(self, text: str) -> dict[str, Tree]:
        """Return the tree of a stored ciphertext.

        :raises SerializationError: it is no ciphertext, was changed, or has another key.
        """
        if text.startswith("{"):
            raise _not_encrypted()
        try:
            plaintext = self._cipher.decrypt(text).decode()
            # This is a text inside a text, or the session itself.
            return super().loads(json.loads(plaintext) if plaintext[:1] == '"' else plaintext)
        except ValueError:
            raise _damaged() from None


def make_json_codec(config: DbConfig, signer: Signer | None) -> JsonCodec:
    """Return the codec of text that is stored with a configuration.

    :param config: the configuration.
    :param signer: as for the codec.
    """
    options, pickled = config.store.node_crypto, config.store.pickle
    if options is None:
        return JsonCodec(pickled=pickled, signer=signer)
    return EncryptedJsonCodec(options, wraps_text=config.stringify, pickled=pickled, signer=signer)


class _Cipher(Protocol):
    """An adapter of connect-mongo."""

    def encrypt(self, plaintext: bytes) -> str:
        """Return what is stored of a plaintext."""

    def decrypt(self, text: str) -> bytes:
        """Return the plaintext of what is stored.

        :raises ValueError: it has another format, was changed, or has another key.
        """


class _Kruptein:
    """The format of kruptein: DER of ciphertext, HMAC, vector, salt, tag, and further data.

    Ciphertext, HMAC and further data are texts, and the HMAC is that of the text.
    """

    def __init__(self, options: NodeCrypto) -> None:
        self._options = options

    def encrypt(self, plaintext: bytes) -> str:
        salt, iv = os.urandom(_SALT_BYTES), os.urandom(_IV_BYTES)
        # kruptein takes a digest with a random key, which nobody can tell from random bytes.
        further = os.urandom(hashlib.new(self._options.hashing).digest_size)
        key = self._key(salt)
        sealed = _aes_gcm(key).encrypt(iv, plaintext, further)
        ciphertext = self._text(sealed[:-_TAG_BYTES])
        parts = (ciphertext, self._mac(key, ciphertext), iv, salt, sealed[-_TAG_BYTES:])
        strings = [*parts, self._text(further)]
        der = _der(_SEQUENCE, b"".join(_der(_OCTET_STRING, part) for part in strings))
        return _to_text(der, self._options.encoding)

    def decrypt(self, text: str) -> bytes:
        ciphertext, mac, iv, salt, tag, further = _read_der(_to_bytes(text, self._options.encoding))
        if [len(iv), len(salt), len(tag)] != [_IV_BYTES, _SALT_BYTES, _TAG_BYTES]:
            raise ValueError("length")
        key = self._key(salt)
        if not hmac.compare_digest(self._mac(key, ciphertext), mac):
            raise ValueError("HMAC")
        sealed = _to_bytes(ciphertext.decode(), self._options.encoding) + tag
        return _open(key, iv, sealed, _to_bytes(further.decode(), self._options.encoding))

    def _key(self, salt: bytes) -> bytes:
        options = self._options
        return _derive(options.hashing, options.secret, salt, _ROUNDS, options.key_bytes)

    def _mac(self, key: bytes, ciphertext: bytes) -> bytes:
        return self._text(hmac.digest(key, ciphertext, self._options.hashing))

    def _text(self, data: bytes) -> bytes:
        return _to_text(data, self._options.encoding).encode()


class _WebCrypto:
    """The format of connect-mongo's adapter for Web Crypto: vector, ciphertext and tag."""

    def __init__(self, options: NodeCrypto) -> None:
        self._options = options

    def encrypt(self, plaintext: bytes) -> str:
        iv = os.urandom(self._options.iv_bytes)
        sealed = _aes_gcm(self._key()).encrypt(iv, plaintext, None)
        return _to_text(iv + sealed, self._options.encoding)

    def decrypt(self, text: str) -> bytes:
        data = _to_bytes(text, self._options.encoding)
        size = self._options.iv_bytes
        if len(data) < size + _TAG_BYTES:
            raise ValueError("length")
        return _open(self._key(), data[:size], data[size:], None)

    def _key(self) -> bytes:
        options = self._options
        return _derive(
            "sha256", options.secret, options.salt, options.iterations, options.key_bytes
        )


# A second read of a session does not derive its key again.
@functools.lru_cache(maxsize=256)
def _derive(hashing: str, secret: bytes, salt: bytes, rounds: int, size: int) -> bytes:
    return hashlib.pbkdf2_hmac(hashing, secret, salt, rounds, size)


def _aes_gcm(key: bytes) -> Any:
    # cryptography is no core dependency.
    return importlib.import_module("cryptography.hazmat.primitives.ciphers.aead").AESGCM(key)


def _open(key: bytes, iv: bytes, sealed: bytes, further: bytes | None) -> bytes:
    invalid_tag = importlib.import_module("cryptography.exceptions").InvalidTag
    try:
        plaintext: bytes = _aes_gcm(key).decrypt(iv, sealed, further)
    except invalid_tag:
        raise ValueError("tag") from None
    return plaintext


def _der(tag: int, content: bytes) -> bytes:
    """Return a value in DER (ITU-T X.690)."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(digits)]) + digits + content


def _read_der(data: bytes) -> list[bytes]:
    """Return the six strings of a sequence.

    :raises ValueError: it is something else.
    """
    content, rest = _split_der(_SEQUENCE, data)
    strings = []
    while content:
        string, content = _split_der(_OCTET_STRING, content)
        strings.append(string)
        if len(strings) > 6:
            break
    if rest or len(strings) != 6:
        raise ValueError("DER")
    return strings


def _split_der(tag: int, data: bytes) -> tuple[bytes, bytes]:
    if len(data) < 2 or data[0] != tag:
        raise ValueError("DER")
    start, size = 2, data[1]
    if size >= 0x80:
        start += size & 0x7F
        if not 2 < start <= 2 + _MOST_LENGTH_BYTES or len(data) < start:
            raise ValueError("DER")
        size = int.from_bytes(data[2:start])
    if len(data) < start + size:
        raise ValueError("DER")
    return data[start : start + size], data[start + size :]


def _to_text(data: bytes, encoding: str) -> str:
    if encoding == "hex":
        return data.hex()
    if encoding == "base64url":
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    return base64.b64encode(data).decode()


def _to_bytes(text: str, encoding: str) -> bytes:
    if encoding == "hex":
        return bytes.fromhex(text)
    if encoding == "base64url":
        text = f"{text}{'=' * (-len(text) % 4)}".translate({ord("-"): "+", ord("_"): "/"})
    return base64.b64decode(text, validate=True)


def _damaged() -> SerializationError:
    return SerializationError(
        "The stored session cannot be decrypted with store.nodeCrypto.",
        path="session",
        hint="It was changed, or encrypted in another way. Give all applications that share the "
        "sessions the same secret and options.",
    )


def _not_encrypted() -> SerializationError:
    return SerializationError(
        "The stored session is not encrypted, but store.nodeCrypto is set.",
        path="session",
        hint="It was saved without encryption. Its visitor needs a new session.",
    )
