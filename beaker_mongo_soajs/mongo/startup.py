"""Waiting for the database when an application starts."""

from pymongo import ReadPreference

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import BeakerMongoError, StoreUnavailable
from beaker_mongo_soajs.mongo.backoff import attempts
from beaker_mongo_soajs.mongo.client import temporary_client
from beaker_mongo_soajs.mongo.errors import DRIVER_ERRORS, translated

_LONGEST_PAUSE_SECONDS = 0.5


def wait_for_database(config: DbConfig, wait_seconds: float) -> None:
    """Wait until the primary answers a query.

    :param config: the configuration.
    :param wait_seconds: how long to repeat the query; 0 to send it once.
    :raises StoreUnavailable: no answer in time.
    :raises StoreRefused: the server refuses the query.
    """
    failure: BeakerMongoError | None = None
    namespace = f"{config.database}.{config.collection}"
    with temporary_client(config) as client:
        sessions = client[config.database].get_collection(
            config.collection, read_preference=ReadPreference.PRIMARY
        )
        for _ in attempts(wait_seconds, _LONGEST_PAUSE_SECONDS):
            try:
                sessions.find_one({"_id": ""})
            except DRIVER_ERRORS as error:
                failure = translated(error, namespace, reads=True, config=config)
                if not isinstance(failure, StoreUnavailable):
                    break
            else:
                return
    assert failure is not None
    raise failure
