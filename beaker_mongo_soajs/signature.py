"""Sign payloads that are stored in the database, and verify them."""

import hashlib
import hmac


class Signer:
    """Sign payloads with ``store.signingKey``.

    The context (a session id, or a cache's namespace and key) is signed with the payload, so that a
    signed payload is not valid in another document. HMAC-SHA256 (RFC 2104, FIPS 180-4).

    :param key: the key.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, context: bytes, payload: bytes) -> bytes:
        """Return the signature of a payload: 32 bytes.

        :param context: where the payload is stored.
        :param payload: the bytes to sign.
        """
        # The length comes first, so that no byte can move between context and payload.
        head = len(context).to_bytes(8, "big") + context
        return hmac.new(self._key, head + payload, hashlib.sha256).digest()

    def verifies(self, signature: object, context: bytes, payload: bytes) -> bool:
        """Return whether a signature is valid, in constant time.

        :param signature: the signature from the document; any type, because it is not trusted.
        :param context: where the payload was found.
        :param payload: the bytes found there.
        """
        return isinstance(signature, bytes) and hmac.compare_digest(
            signature, self.sign(context, payload)
        )
