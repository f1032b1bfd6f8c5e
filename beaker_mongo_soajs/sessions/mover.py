"""What the writer of sessions needs of an old backend."""

from typing import Protocol

from beaker_mongo_soajs.sessions.coder import SessionCoder
from beaker_mongo_soajs.sessions.stored import StoredSession


class Mover(Protocol):
    """What moves sessions from an old backend."""

    def move(self, session_id: str, coder: SessionCoder) -> StoredSession | None:
        """Move a session; return what is stored of it then, or ``None`` if there is none.

        :param session_id: the session id.
        :param coder: how the request stores its session.
        """
