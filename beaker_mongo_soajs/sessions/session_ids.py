"""Which texts can be session ids."""

from beaker_mongo_soajs.exceptions import SerializationError

MAX_ID_LENGTH = 256


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
