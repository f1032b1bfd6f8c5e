"""Handles: public names of sessions, from which nobody can find a session id."""

import hashlib

LENGTH = 40
SHORT_LENGTH = 8
"""The first characters of a handle, which name a session in logs and events."""


def make_handle(stored_id: str) -> str:
    """Return the handle of a session.

    :param stored_id: the ``_id`` of its document.
    """
    return hashlib.sha256(b"handle " + stored_id.encode()).hexdigest()[:LENGTH]


def short_handle(stored_id: str) -> str:
    """Return the first characters of a handle.

    :param stored_id: the ``_id`` of the document.
    """
    return make_handle(stored_id)[:SHORT_LENGTH]
