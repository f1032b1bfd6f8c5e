"""The server's clock, by which leases count: no clock of another machine matters."""

import os
import time
from collections.abc import Hashable
from datetime import datetime, timedelta

from beaker_mongo_soajs.exceptions import StoreRefused
from beaker_mongo_soajs.mongo.collection import StoreCollection

_COUNTS_SECONDS = 60.0

_readings: dict[tuple[int, Hashable], tuple[datetime, float]] = {}
"""What each server's clock showed, and when that was here, by process and connection."""


def server_now(collection: StoreCollection) -> datetime:
    """Return the time of the server that takes writes, in naive UTC.

    The server is asked once a minute. In between, the time that passed here is added. The result is
    late by the travel time of the answer, and by any time for which this machine was suspended: a
    lease then ends early for its owner, and late for everybody else.

    :param collection: a collection of the server.
    :raises StoreError: the server does not answer.
    """
    slot = (os.getpid(), collection.config.connection_key)
    reading = _readings.get(slot)
    if reading is None or time.monotonic() - reading[1] > _COUNTS_SECONDS:
        reading = (_ask(collection), time.monotonic())
        _readings[slot] = reading
    return reading[0] + timedelta(seconds=time.monotonic() - reading[1])


def _ask(collection: StoreCollection) -> datetime:
    try:
        answer = collection.command({"hello": 1}, database="admin")
    except StoreRefused:
        # By the name that older servers know.
        answer = collection.command({"ismaster": 1}, database="admin")
    shown: datetime = answer["localTime"]
    return shown


if hasattr(os, "register_at_fork"):
    # Process ids are reused.
    os.register_at_fork(after_in_child=_readings.clear)
