"""Signatures over what the database keeps as opaque bytes."""

import hashlib
import hmac


class Signer:
    """Sign payloads with ``store.signingKey``, each bound to the place where it is stored.

    The place (a session id, or a cache's namespace and key) is part of what is signed, so that a
    signed payload copied into another document fails. HMAC-SHA256, as in RFC 2104 and FIPS 180-4.

    :param key: the secret, as bytes of any length.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, place: bytes, payload: bytes) -> bytes:
        """Return the 32-byte signature of a payload stored at a place.

        :param place: where the payload is stored.
        :param payload: the bytes to sign.
        """
        # The length stands in front, so that no byte can move from the place to the payload.
        head = len(place).to_bytes(8, "big") + place
        return hmac.new(self._key, head + payload, hashlib.sha256).digest()

    def verifies(self, signature: object, place: bytes, payload: bytes) -> bool:
        """Tell, in constant time, whether a signature belongs to a payload at a place.

        :param signature: what the document holds as a signature; anything, since the database is
            not trusted.
        :param place: where the payload was found.
        :param payload: the bytes found there.
        """
        return isinstance(signature, bytes) and hmac.compare_digest(
            signature, self.sign(place, payload)
        )
