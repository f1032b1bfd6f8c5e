"""The user's name and password."""

from __future__ import annotations

from dataclasses import dataclass

from beaker_mongo_soajs.exceptions import MASK


@dataclass(frozen=True, repr=False)
class Credentials:
    """Hold a user's name and password. The ``repr`` shows neither.

    :param username: the name, not encoded
    :param password: the password, not encoded; ``None`` for a mechanism without one
    """

    username: str
    password: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(username={MASK!r}, password={MASK!r})"
