"""The ciphers of Beaker that are safe enough."""

from types import ModuleType
from typing import Any

import pytest
from beaker.crypto import pyca_cryptography

from beaker_mongo_soajs import ConfigError
from beaker_mongo_soajs.sessions.encryption import check_cipher


def _cipher(name: str, *, has_aes: bool = True) -> Any:
    module: Any = ModuleType(name)
    module.has_aes = has_aes
    return module


@pytest.mark.parametrize("signed", [False, True])
def test_a_cipher_that_authenticates(*, signed: bool) -> None:
    """The ciphertext of cryptography cannot be forged, so it needs no signature."""
    check_cipher(pyca_cryptography, signed=signed)


@pytest.mark.parametrize("name", ["beaker.crypto.pycrypto", "beaker.crypto.nsscrypto", "own"])
def test_a_cipher_that_does_not(name: str) -> None:
    """The ciphertext of other libraries can be forged: it is refused without a signature."""
    check_cipher(_cipher(name), signed=True)
    with pytest.raises(ConfigError, match=r"can be forged\. Install cryptography") as caught:
        check_cipher(_cipher(name), signed=False)
    assert "crypto_type" == caught.value.option


@pytest.mark.parametrize("signed", [False, True])
def test_no_cipher(*, signed: bool) -> None:
    """Without a library, encrypt_key is an error."""
    with pytest.raises(ConfigError, match="found no encryption library") as caught:
        check_cipher(_cipher("beaker.crypto.noencryption", has_aes=False), signed=signed)
    assert "encrypt_key" == caught.value.option
