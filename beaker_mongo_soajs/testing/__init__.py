"""Temporary MongoDB servers for tests, demos and benchmarks.

This package and the rest of beaker_mongo_soajs do not import each other.
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
    """Provide the URL of a MongoDB server: ``MONGODB_URL``, or that of a temporary server.

    :param for_tests: as for :class:`MongoServer`; it does not change a running server.
    :returns: a context manager whose value is the URL.
    :raises ServerError: ``MONGODB_URL`` is not set, and no server can be started.
    """
    named = os.environ.get("MONGODB_URL")
    if named:
        yield named
        return
    with MongoServer(for_tests=for_tests) as server:
        yield server.url
