"""Who authenticates."""

from __future__ import annotations

from dataclasses import dataclass

from beaker_mongo_soajs.exceptions import MASK


@dataclass(frozen=True, repr=False)
class Credentials:
    """Hold a user's name and password; the ``repr`` shows neither.

    :param username: the name, as it is
    :param password: the password, as it is; ``None`` where a mechanism has none
    """

    username: str
    password: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(username={MASK!r}, password={MASK!r})"
