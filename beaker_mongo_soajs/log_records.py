"""Log records with fields, and warnings that are repeated at most once a minute."""

import logging
import time

from beaker_mongo_soajs.handles import short_handle

PAUSE_SECONDS = 60.0
_MOST_WARNINGS = 256

_Key = tuple[str, str, str]

_next_times: dict[_Key, float] = {}
_held_back: dict[_Key, int] = {}


def fields(
    event: str, *, collection: str = "", stored_id: str | None = None
) -> dict[str, str | None]:
    """Return the ``extra`` fields of a log record.

    :param event: the name of the event.
    :param collection: ``database.collection``; empty if it is not known.
    :param stored_id: the ``_id`` of the session's document.
    """
    handle = None if stored_id is None else short_handle(stored_id)
    return {"event": event, "handle": handle, "collection": collection}


def warn(
    logger: logging.Logger,
    message: str,
    *arguments: object,
    event: str,
    collection: str = "",
    stored_id: str | None = None,
    exc_info: BaseException | None = None,
) -> None:
    """Log a warning, at most once a minute for each message and collection.

    The first warning after a pause says how many were left out.

    :param logger: the logger.
    :param message: the message, with ``%s`` for each argument.
    :param arguments: the arguments.
    :param event: as for :func:`fields`.
    :param collection: as for :func:`fields`.
    :param stored_id: as for :func:`fields`.
    :param exc_info: the exception, for a record with its traceback.
    """
    key = (logger.name, message, collection)
    now = time.monotonic()
    if now < _next_times.get(key, 0.0):
        _held_back[key] = _held_back.get(key, 0) + 1
        return
    if len(_next_times) >= _MOST_WARNINGS:
        _next_times.clear()
        _held_back.clear()
    _next_times[key] = now + PAUSE_SECONDS
    held_back = _held_back.pop(key, 0)
    if held_back:
        message += " (%d more since the last such warning.)"
        arguments = (*arguments, held_back)
    logger.warning(
        message,
        *arguments,
        extra=fields(event, collection=collection, stored_id=stored_id),
        exc_info=exc_info,
        stacklevel=2,
    )


def forget_warnings() -> None:
    """Forget which warnings were logged, so that each is logged again."""
    _next_times.clear()
    _held_back.clear()
