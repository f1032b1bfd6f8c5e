"""Configurations with the values that connect-mongo-soajs 0.2.2 documents."""

from typing import Any

from tests.passwords import PASSWORD

TWO_WEEKS_MS = 1000 * 60 * 60 * 24 * 14

README_EXAMPLE: dict[str, Any] = {
    "name": "core_session",
    "prefix": "",
    "servers": [{"host": "127.0.0.1", "port": 27017}],
    "credentials": None,
    "URLParam": {"maxPoolSize": 5},
    "extraParam": {"db": {"bufferMaxEntries": 0}},
    "store": {},
    "collection": "sessions",
    "stringify": False,
    "expireAfter": TWO_WEEKS_MS,
}
"""The dbConfig of its README, used there in the example application, too."""

EXAMPLES_CONFIG: dict[str, Any] = {
    "name": "appSession",
    "prefix": "",
    "servers": [{"host": "127.0.0.1", "port": 27017}],
    "credentials": None,
    "URLParam": {"maxPoolSize": 5},
    "extraParam": {"db": {"bufferMaxEntries": 0}},
    "collection": "sessions",
    "stringify": False,
    "expireAfter": TWO_WEEKS_MS,
}
"""The dbConfig of its examples/config.js."""

_SOCKET = {"noDelay": True, "keepAlive": 0, "connectTimeoutMS": 0, "socketTimeoutMS": 0}
_TLS = {
    "ssl": False,
    "checkServerIdentity": True,
    "sslValidate": True,
    "sslCA": None,
    "sslCert": None,
    "sslKey": None,
    "sslPass": None,
}

FULL_REFERENCE: dict[str, Any] = {
    **README_EXAMPLE,
    "URLParam": {
        "replicaSet": "rs",
        "ssl": False,
        "connectTimeoutMS": 0,
        "socketTimeoutMS": 0,
        "maxPoolSize": 5,
        "minPoolSize": 0,
        "maxIdleTimeMS": 0,
        "waitQueueMultiple": 0,
        "waitQueueTimeoutMS": 0,
        "w": "majority",
        "wtimeoutMS": 0,
        "journal": False,
        "readConcernLevel": "local",
        "readPreference": "secondaryPreferred",
        "readPreferenceTags": "TAG",
        "authSource": None,
        "authMechanism": None,
        "gssapiServiceName": None,
    },
    "extraParam": {
        "db": {
            "authSource": None,
            "w": "majority",
            "wtimeoutMS": 0,
            "j": False,
            "forceServerObjectId": False,
            "serializeFunctions": False,
            "ignoreUndefined": False,
            "raw": False,
            "promoteLongs": True,
            "bufferMaxEntries": -1,
            "readPreference": "secondaryPreferred",
            "pkFactory": None,
            "promiseLibrary": None,
            "readConcern": None,
        },
        "server": {
            "poolSize": 5,
            **_TLS,
            "socketOptions": {"autoReconnect": True, **_SOCKET},
            "reconnectTries": 30,
            "reconnectInterval": 1000,
            "monitoring": True,
            "haInterval": 10000,
        },
        "replSet": {
            "ha": True,
            "haInterval": 10000,
            "replicaSet": "rs",
            "secondaryAcceptableLatencyMS": 15,
            "connectWithNoPrimary": False,
            "poolSize": 5,
            **_TLS,
            "socketOptions": _SOCKET,
        },
        "mongos": {
            "ha": True,
            "haInterval": 10000,
            "poolSize": 5,
            "acceptableLatencyMS": 15,
            **_TLS,
            "socketOptions": _SOCKET,
        },
    },
}
"""Every option of its full reference, with the documented value."""

DEFAULTS: dict[str, Any] = {
    "name": "sessionDB",
    "prefix": "",
    "servers": [{"host": "127.0.0.1", "port": 27017}],
    "credentials": None,
    "URLParam": {
        "connectTimeoutMS": 0,
        "socketTimeoutMS": 0,
        "maxPoolSize": 5,
        "wtimeoutMS": 0,
        "bufferMaxEntries": 0,
    },
    "extraParam": {"db": {"slaveOk": True, "native_parser": True}, "server": {}},
    "store": {},
    "collection": "sessions",
    "stringify": False,
    "expireAfter": TWO_WEEKS_MS,
}
"""The defaults in its source."""

EXAMPLE: dict[str, Any] = {
    "name": "core_session",
    "prefix": "dev_",
    "servers": [{"host": "db1", "port": 27017}, {"host": "db2", "port": "27018"}],
    "credentials": {"username": "ann", "password": PASSWORD},
    "URLParam": {"maxPoolSize": 7, "w": "majority", "journal": True},
    "extraParam": {"db": {"bufferMaxEntries": 0}, "mongos": {"socketOptions": {"noDelay": True}}},
    "store": {"touchAfter": 60, "pickle": True},
    "collection": "web",
    "stringify": True,
    "expireAfter": 60000,
}
"""An example with an option of every group."""
