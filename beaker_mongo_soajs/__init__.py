"""Beaker's sessions and caches in MongoDB, configured by the dbConfig of connect-mongo-soajs."""

from beaker_mongo_soajs.config import DbConfig as DbConfig
from beaker_mongo_soajs.exceptions import BeakerMongoError as BeakerMongoError
from beaker_mongo_soajs.exceptions import ConfigError as ConfigError
from beaker_mongo_soajs.exceptions import LockTimeout as LockTimeout
from beaker_mongo_soajs.exceptions import SerializationError as SerializationError
from beaker_mongo_soajs.exceptions import StoreUnavailable as StoreUnavailable
from beaker_mongo_soajs.middleware import InsecureSessionWarning as InsecureSessionWarning
from beaker_mongo_soajs.middleware import SessionMiddleware as SessionMiddleware
from beaker_mongo_soajs.mongo.client import close_clients as close_clients
from beaker_mongo_soajs.namespace import MongoContainer as MongoContainer
from beaker_mongo_soajs.namespace import MongoNamespaceManager as MongoNamespaceManager
from beaker_mongo_soajs.session import MongoSession as MongoSession
from beaker_mongo_soajs.sessions.store import SessionStore as SessionStore
