"""Beaker's sessions and caches in MongoDB, configured by the dbConfig of connect-mongo-soajs.

``__all__`` and the modules that the documentation imports from are public. Everything else may
change in any release.
"""

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import (
    BeakerMongoError,
    ConfigError,
    LockTimeout,
    SerializationError,
    StoreError,
    StoreRefused,
    StoreUnavailable,
)
from beaker_mongo_soajs.middleware import InsecureSessionWarning, SessionMiddleware
from beaker_mongo_soajs.mongo.client import close_clients
from beaker_mongo_soajs.mongo.leases import Locks
from beaker_mongo_soajs.namespace import MongoContainer, MongoNamespaceManager
from beaker_mongo_soajs.session import MongoSession
from beaker_mongo_soajs.sessions.store import SessionStore

__version__ = "1.0.0"

__all__ = [
    "BeakerMongoError",
    "ConfigError",
    "DbConfig",
    "InsecureSessionWarning",
    "LockTimeout",
    "Locks",
    "MongoContainer",
    "MongoNamespaceManager",
    "MongoSession",
    "SerializationError",
    "SessionMiddleware",
    "SessionStore",
    "StoreError",
    "StoreRefused",
    "StoreUnavailable",
    "close_clients",
]
