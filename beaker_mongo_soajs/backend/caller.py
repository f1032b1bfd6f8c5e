"""Beaker's Session above a call: what Beaker's container API does not pass on to a backend.

A backend is given a text, and nothing of the Session that made it or will read it: how it
serializes, whether it encrypts, whether the request only read. All of that is in the Session, a few
frames up the stack.
"""

import inspect

from beaker.session import Session

_MOST_FRAMES = 12
"""A Session calls its namespace manager directly; a subclass of either may be in between."""


def find_session(session_id: str) -> Session | None:
    """Return the Session that makes the caller for its own id; ``None`` for a cache.

    :param session_id: the id, or the name of a cache.
    """
    frame = inspect.currentframe()
    for _ in range(_MOST_FRAMES):
        frame = None if frame is None else frame.f_back
        if frame is None:
            break
        session = frame.f_locals.get("self")
        if isinstance(session, Session):
            return session if session.id == session_id else None
    return None


def saves_access_only() -> bool:
    """Check whether the Session that saves now saves no more than the access time."""
    frame = inspect.currentframe()
    for _ in range(_MOST_FRAMES):
        frame = None if frame is None else frame.f_back
        if frame is None:
            break
        if frame.f_code.co_name == "save" and isinstance(frame.f_locals.get("self"), Session):
            return frame.f_locals.get("accessed_only") is True
    return False
