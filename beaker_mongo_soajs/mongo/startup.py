"""Waiting for the database before an application starts."""

from pymongo import ReadPreference

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import BeakerMongoError, StoreUnavailable
from beaker_mongo_soajs.mongo.backoff import attempts
from beaker_mongo_soajs.mongo.client import temporary_client
from beaker_mongo_soajs.mongo.errors import (
    AUTHENTICATION_FAILED,
    DRIVER_ERRORS,
    UNAUTHORIZED,
    translated,
)

_LONGEST_PAUSE_SECONDS = 0.5
_REFUSALS = (AUTHENTICATION_FAILED, UNAUTHORIZED)


def wait_for_database(config: DbConfig, wait_seconds: float) -> None:
    """Return as soon as the server to write to answers, and lets us read.

    :param config: the configuration.
    :param wait_seconds: for how long to ask again; 0 to ask once.
    :raises StoreUnavailable: it does not within the time, or refuses.
    """
    failure: BeakerMongoError | None = None
    with temporary_client(config) as client:
        sessions = client[config.database].get_collection(
            config.collection, read_preference=ReadPreference.PRIMARY
        )
        for _ in attempts(wait_seconds, _LONGEST_PAUSE_SECONDS):
            try:
                sessions.find_one({"_id": ""}, {"_id": 1})
            except DRIVER_ERRORS as error:
                failure = translated(error)
                if isinstance(failure, StoreUnavailable) and failure.code in _REFUSALS:
                    break
            else:
                return
    assert failure is not None
    raise failure
