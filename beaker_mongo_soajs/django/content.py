"""What a document holds of a session of Django."""

import time
from collections.abc import Callable
from typing import Any

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.document import is_time
from beaker_mongo_soajs.sessions.lifetime import CREATION_TIME

_OWN_KEYS = frozenset({ACCESSED_TIME, CREATION_TIME})
_SAME_MOMENT_SECONDS = 1.0
"""Saves of one request, the first one explicit and the last one by Django, do not move the times
twice."""


class Times:
    """The times of a session, which a document holds beside its values.

    :param created: when the session began, in seconds since 1970; now, without it.
    """

    def __init__(self, created: float | None = None) -> None:
        self._created = created or time.time()
        self._used = 0.0

    @classmethod
    def pop(cls, session: dict[str, Any]) -> "Times":
        """Take the times out of a session.

        :param session: the session as it is stored.
        """
        accessed, created = session.pop(ACCESSED_TIME, None), session.pop(CREATION_TIME, None)
        return cls(created if is_time(created) else accessed)

    def add_to(self, session: dict[str, Any]) -> dict[str, Any]:
        """Return a session with its times. With them, it is not empty, and can be stored.

        :param session: the session.
        :raises SerializationError: the session has keys that are reserved for the times.
        """
        reserved = _OWN_KEYS & session.keys()
        if reserved:
            path = f"session[{min(reserved)!r}]"
            raise SerializationError(
                f"{path} is reserved for the times of the session.",
                path=path,
                hint="Use another key.",
            )
        now = time.time()
        if now - self._used > _SAME_MOMENT_SECONDS:
            self._used = now
        return session | {CREATION_TIME: self._created, ACCESSED_TIME: self._used}


def with_storable_values(
    session: dict[str, Any], check: Callable[[dict[str, Any]], None], serializer: Any
) -> dict[str, Any]:
    """Return a session with the values that a document cannot hold as a serializer returns them.

    :param session: the session.
    :param check: raises a :class:`~beaker_mongo_soajs.SerializationError` for such a value.
    :param serializer: that of ``SESSION_SERIALIZER``.
    """

    def storable(key: str, value: Any) -> Any:
        try:
            check({key: value})
        except SerializationError:
            try:
                return serializer.loads(serializer.dumps(value))
            except (TypeError, ValueError, RecursionError):
                # The document's error names the path.
                return value
        return value

    return {key: storable(key, value) for key, value in session.items()}
