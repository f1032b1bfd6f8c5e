"""Throw-away MongoDB servers, for tests, demonstrations and measurements.

Nothing else in the package imports this one, and it imports nothing else of the package.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from beaker_mongo_soajs.testing.binary import find_mongod as find_mongod
from beaker_mongo_soajs.testing.errors import MongodNotFound as MongodNotFound
from beaker_mongo_soajs.testing.errors import PortInUse as PortInUse
from beaker_mongo_soajs.testing.errors import ServerError as ServerError
from beaker_mongo_soajs.testing.replica_set import ReplicaSet as ReplicaSet
from beaker_mongo_soajs.testing.server import MongoServer as MongoServer


@contextmanager
def mongodb_url(*, for_tests: bool = False) -> Iterator[str]:
    """Lend a MongoDB server: the one that ``MONGODB_URL`` names, otherwise a throw-away one.

    :param for_tests: as in :class:`MongoServer`; a server that is already there is as it is.
    :returns: a context manager whose value is the URL.
    :raises ServerError: there is no such server, and none can be started.
    """
    named = os.environ.get("MONGODB_URL")
    if named:
        yield named
        return
    with MongoServer(for_tests=for_tests) as server:
        yield server.url
