"""Session ids: new ones, and which texts can be one."""

import secrets

from beaker_mongo_soajs.exceptions import SerializationError

MAX_ID_LENGTH = 256
_ID_BYTES = 24


def new_session_id() -> str:
    """Return a new session id, of 192 random bits."""
    # Beaker's own ids are UUIDs, with fewer random bits.
    return secrets.token_urlsafe(_ID_BYTES)


def is_possible_id(session_id: object) -> bool:
    """Check whether a session could have an id: a text of printable characters, not too long.

    :param session_id: the id as Beaker or a cookie gave it: anything.
    """
    return (
        type(session_id) is str
        and 0 < len(session_id) <= MAX_ID_LENGTH
        and session_id.isprintable()
    )


def impossible_id() -> SerializationError:
    """Return the error for a session id that no session can have."""
    return SerializationError(
        f"The session id is not a text of 1 to {MAX_ID_LENGTH} printable characters.",
        path="_id",
        hint="No session can have it; start a new one.",
    )
