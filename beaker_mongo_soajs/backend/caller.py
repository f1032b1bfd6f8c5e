"""Beaker's Session above a call: what Beaker's container API does not pass on to a backend.

A backend is given a text, and nothing of the Session that made it or will read it: how it
serializes, whether it encrypts, whether the request only read. All of that is in the Session, a few
frames up the stack.
"""

import inspect
from types import FrameType

from beaker.session import Session

_MOST_FRAMES = 13
"""A Session calls its namespace manager directly; a subclass of either may be in between."""


def find_session(session_id: str) -> Session | None:
    """Return the Session that makes the caller for its own id; ``None`` for a cache.

    :param session_id: the id, or the name of a cache.
    """
    frame = _frame_of_session()
    session: Session | None = None if frame is None else frame.f_locals["self"]
    return session if session is not None and session.id == session_id else None


def saves_access_only() -> bool:
    """Check whether the Session that saves now saves no more than the access time."""
    frame = _frame_of_session()
    return frame is not None and frame.f_locals.get("accessed_only") is True


def _frame_of_session() -> FrameType | None:
    frame = inspect.currentframe()
    for _ in range(_MOST_FRAMES):
        frame = None if frame is None else frame.f_back
        if frame is None or isinstance(frame.f_locals.get("self"), Session):
            return frame
    return None
