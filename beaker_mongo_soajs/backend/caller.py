"""The Beaker Session above a call: what Beaker's container API does not pass on to a backend.

A backend is handed a text, and nothing of the Session that made it or will take it apart: how it
serializes, whether it encrypts, whether the request only read, what to do with errors. All of that
stands in the Session, a few frames up the stack.
"""

import inspect
from typing import NamedTuple

from beaker.session import Session

_MOST_FRAMES = 12
"""A Session calls its namespace manager at once; a subclass of that may stand between."""


class Caller(NamedTuple):
    """Who calls.

    :param session: Beaker's Session.
    :param accessed_only: whether it saves no more than the time of access.
    """

    session: Session
    accessed_only: bool

    def __repr__(self) -> str:
        # Beaker's own session shows all that is in it.
        return f"<{type(self).__name__}>"


def find_caller() -> Caller | None:
    """Return the Session that loads or saves, or ``None`` if the caller is none."""
    frame = inspect.currentframe()
    for _ in range(_MOST_FRAMES):
        frame = None if frame is None else frame.f_back
        if frame is None:
            break
        if frame.f_code.co_name in ("load", "save"):
            session = frame.f_locals.get("self")
            if isinstance(session, Session):
                return Caller(session, frame.f_locals.get("accessed_only") is True)
    return None


def is_called_by_session(session_id: str) -> bool:
    """Check whether a Session makes the caller for its own id, and no cache does.

    :param session_id: the id, or the name of a cache.
    """
    frame = inspect.currentframe()
    for _ in range(_MOST_FRAMES):
        frame = None if frame is None else frame.f_back
        if frame is None:
            break
        session = frame.f_locals.get("self")
        if isinstance(session, Session):
            return bool(session.id == session_id)
    return False
