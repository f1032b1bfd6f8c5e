"""Sign payloads that are stored in the database, and verify them."""

import hashlib
import hmac
from collections.abc import Sequence

Context = tuple[bytes, ...]
"""Where in a collection a payload is stored: the kind of payload, the document, the field."""


class Signer:
    """Sign payloads with ``store.signingKey``.

    Database, collection and context are signed with the payload. A signed payload is not valid in
    another document, or in another application that uses the same key. HMAC-SHA256 (RFC 2104, FIPS
    180-4).

    :param keys: the keys. The first one signs; each of them verifies.
    :param database: the name of the database.
    :param collection: the name of the collection.
    """

    __slots__ = ("_keys", "_scope")

    def __init__(self, keys: Sequence[bytes], database: str, collection: str) -> None:
        self._keys = tuple(keys)
        self._scope = (database.encode(), collection.encode())

    def sign(self, context: Context, payload: bytes) -> bytes:
        """Return the signature of a payload: 32 bytes.

        :param context: where the payload is stored.
        :param payload: the bytes to sign.
        """
        return self._sign(self._keys[0], context, payload)

    def verifies(self, signature: object, context: Context, payload: bytes) -> bool:
        """Return whether a signature is valid, in constant time.

        :param signature: the signature from the document; any type, because it is not trusted.
        :param context: where the payload was found.
        :param payload: the bytes found there.
        """
        return isinstance(signature, bytes) and any(
            hmac.compare_digest(signature, self._sign(key, context, payload)) for key in self._keys
        )

    def _sign(self, key: bytes, context: Context, payload: bytes) -> bytes:
        # Each part follows its length, so that no byte can move from one part to another.
        parts = (*self._scope, *context, payload)
        message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(key, message, hashlib.sha256)


def make_signer(keys: Sequence[bytes], database: str, collection: str) -> Signer | None:
    """Return the signer of a collection, or ``None`` if there is no key.

    :param keys: as for :class:`Signer`.
    :param database: likewise.
    :param collection: likewise.
    """
    return Signer(keys, database, collection) if keys else None
