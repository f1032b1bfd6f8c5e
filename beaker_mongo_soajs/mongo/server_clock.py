"""The server's clock, by which leases and sessions count: no clock of another machine matters."""

import time
from datetime import UTC, datetime

from beaker_mongo_soajs.exceptions import StoreRefused
from beaker_mongo_soajs.mongo.collection import StoreCollection

_TOLERANCE_SECONDS = 5.0


def server_now(collection: StoreCollection) -> datetime:
    """Return the time of the server that takes writes, in naive UTC.

    PyMongo reads it every few seconds, as it monitors the server. Only with an application's own
    client, the server is asked, once a minute. In between, the time that passed here is added. The
    result is late by the travel time of the answer, and by any time for which this machine was
    suspended: a lease then ends early for its owner, and late for everybody else.

    :param collection: a collection of the server.
    :raises StoreError: the server does not answer.
    """
    return datetime.fromtimestamp(_server_seconds(collection), UTC).replace(tzinfo=None)


def local_clock_ahead(collection: StoreCollection) -> float:
    """Return by how many seconds this machine's clock is ahead of the server's; negative if behind.

    :param collection: a collection of the server.
    :returns: 0 if they differ by less than five seconds: an answer may be late by so much.
    :raises StoreError: the server does not answer.
    """
    seconds = collection.clock_reading.seconds()
    ahead = time.time() - (_server_seconds(collection) if seconds is None else seconds)
    return ahead if abs(ahead) > _TOLERANCE_SECONDS else 0.0


def _server_seconds(collection: StoreCollection) -> float:
    reading = collection.clock_reading
    seconds = reading.seconds()
    if seconds is None and collection.config.client is None:
        # A client that has found its server has read its clock.
        collection.wait_for_server()
        seconds = reading.seconds()
    while seconds is None:
        reading.set(_ask(collection))
        seconds = reading.seconds()
    return seconds


def _ask(collection: StoreCollection) -> datetime:
    try:
        answer = collection.command({"hello": 1}, database="admin")
    except StoreRefused:
        # By the name that older servers know.
        answer = collection.command({"ismaster": 1}, database="admin")
    shown: datetime = answer["localTime"]
    return shown
