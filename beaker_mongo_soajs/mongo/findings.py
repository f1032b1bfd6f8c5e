"""What a check found."""

from enum import Enum
from typing import NamedTuple

from beaker_mongo_soajs.exceptions import BeakerMongoError


class Level(Enum):
    """How serious a finding is; the value is its mark."""

    OK = "✓"
    WARNING = "!"
    PROBLEM = "✗"


class Finding(NamedTuple):
    """Say what was checked, and what was found. It has no secrets.

    :param level: how serious it is.
    :param topic: what was checked: "connection".
    :param text: what was found.
    :param remedy: what to do, unless all is well.
    """

    level: Level
    topic: str
    text: str
    remedy: str = ""


def ok(topic: str, text: str) -> Finding:
    """Return a finding that all is well.

    :param topic: what was checked.
    :param text: what was found.
    """
    return Finding(Level.OK, topic, text)


def warning(topic: str, text: str, remedy: str) -> Finding:
    """Return a finding that somebody should know.

    :param topic: what was checked.
    :param text: what was found.
    :param remedy: what to do.
    """
    return Finding(Level.WARNING, topic, text, remedy)


def problem(topic: str, text: str, remedy: str) -> Finding:
    """Return a finding that keeps sessions from working.

    :param topic: what was checked.
    :param text: what was found.
    :param remedy: what to do.
    """
    return Finding(Level.PROBLEM, topic, text, remedy)


def failed(topic: str, error: BeakerMongoError) -> Finding:
    """Return the finding for a check that failed.

    :param topic: what was checked.
    :param error: the error.
    """
    remedy = error.hint or ""
    for done in ("Nothing was changed. ", "Nothing was sent. "):
        remedy = remedy.removeprefix(done)
    (message,) = error.args
    return problem(topic, message, remedy)
