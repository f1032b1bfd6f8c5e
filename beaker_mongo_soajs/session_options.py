"""What the options of a session have to be, beyond what Beaker itself asks."""

from typing import Any

from beaker.crypto import get_crypto_module

from beaker_mongo_soajs.exceptions import ConfigError

SESSION_TYPE = "ext:mongodb_soajs"


def check_type(session_type: str | None) -> None:
    """Refuse a ``session.type`` of somebody else's.

    :param session_type: the option's value.
    :raises ConfigError: when it is one.
    """
    if session_type not in (None, SESSION_TYPE):
        raise ConfigError(
            f"session.type is {session_type!r}, and session_class is MongoSession.",
            option="type",
            value=session_type,
            hint=f"Leave session.type out, or make it {SESSION_TYPE!r}.",
        )


def check_encryption(options: dict[str, Any]) -> None:
    """Refuse an ``encrypt_key`` that would not encrypt.

    :param options: Beaker's options of a session, with an ``encrypt_key``.
    :raises ConfigError: when it would not.
    """
    # Beaker would store plain text, and unpickle whatever stands there instead of it.
    if not get_crypto_module(options.get("crypto_type", "default")).has_aes:
        raise ConfigError(
            "encrypt_key is set, and no library that can encrypt is installed.",
            option="encrypt_key",
            hint="Install cryptography.",
        )
    if not options.get("validate_key"):
        raise ConfigError(
            "encrypt_key is set without validate_key.",
            option="validate_key",
            hint="Set validate_key as well: Beaker derives its keys from both.",
        )
