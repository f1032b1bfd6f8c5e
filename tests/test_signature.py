"""Signatures of stored payloads."""

import hmac

import pytest

from beaker_mongo_soajs.signature import Context, Signer, make_signer

_OLD, _NEW = b"the key of yesterday", b"the key of today"
_CONTEXT = (b"session", b"id", b"field")


def _signer(*keys: bytes, database: str = "shop", collection: str = "sessions") -> Signer:
    return Signer(keys or [_NEW], database, collection)


def test_known_answer() -> None:
    """The signature is HMAC-SHA256 over all parts, each of them after its length in eight bytes."""
    parts = (b"shop", b"sessions", *_CONTEXT, b"payload")
    mac = hmac.new(_NEW, digestmod="sha256")
    for part in parts:
        mac.update(len(part).to_bytes(8, "big") + part)
    signature = _signer().sign(_CONTEXT, b"payload")
    assert mac.digest() == signature
    assert "aac5cb6cf25cfc3d7ce44c72208f48be5002cb04463c343851e5e524ee2bdecf" == signature.hex()


class TestRotation:
    """Several keys."""

    def test_the_first_key_signs(self) -> None:
        """A payload is signed with the first key."""
        signature = _signer(_NEW, _OLD).sign(_CONTEXT, b"payload")
        assert _signer(_NEW).sign(_CONTEXT, b"payload") == signature
        assert not _signer(_OLD).verifies(signature, _CONTEXT, b"payload")

    def test_every_key_verifies(self) -> None:
        """A payload that an old key signed is still valid."""
        signature = _signer(_OLD).sign(_CONTEXT, b"payload")
        assert _signer(_NEW, _OLD).verifies(signature, _CONTEXT, b"payload")
        assert not _signer(_NEW).verifies(signature, _CONTEXT, b"payload")


class TestContext:
    """What is signed besides the payload."""

    @pytest.mark.parametrize(
        "other",
        [
            _signer(database="other"),
            _signer(collection="other"),
            _signer(database="shopsessions", collection=""),
        ],
        ids=["database", "collection", "both"],
    )
    def test_another_collection(self, other: Signer) -> None:
        """A signature is not valid in another database or collection with the same key."""
        assert not _signer().verifies(other.sign(_CONTEXT, b"payload"), _CONTEXT, b"payload")

    @pytest.mark.parametrize(
        ("context", "payload"),
        [
            ((b"session", b"id", b"fiel"), b"dpayload"),
            ((b"session", b"idfield", b""), b"payload"),
            ((b"session", b"i", b"dfield"), b"payload"),
            ((b"session", b"id field"), b"payload"),
            ((b"session", b"id"), b"fieldpayload"),
            ((b"sessionid", b"field"), b"payload"),
        ],
    )
    def test_parts_cannot_be_shifted(self, context: Context, payload: bytes) -> None:
        """A signature is not valid where the same bytes are divided into other parts."""
        signature = _signer().sign(_CONTEXT, b"payload")
        assert not _signer().verifies(signature, context, payload)

    @pytest.mark.parametrize("signature", [None, "", b"", 5, {"$gt": ""}, b"\0" * 32])
    def test_planted_signatures(self, signature: object) -> None:
        """A signature of any type and length is not valid."""
        assert not _signer().verifies(signature, _CONTEXT, b"payload")


def test_without_a_key() -> None:
    """Without store.signingKey there is no signer."""
    assert make_signer((), "shop", "sessions") is None
