"""Names of options that users of other packages bring along, and the options to use here."""

from __future__ import annotations

_URL = "Use url, which takes a connection string."
_NAME = "Use name, the name of the database."
_SERVERS = "Use servers, as in servers = db1:27017, db2:27017."
_COLLECTION = "Use collection."
_URLPARAM = "Use URLParam, as in URLParam.maxPoolSize = 5."
_CLIENT = "Use client, which takes a pymongo.MongoClient."
_EXPIRY = (
    "Use timeout (Beaker's, in seconds), or expireAfter (in milliseconds) for sessions without a"
    " timeout."
)
_POOL = "Use URLParam.maxPoolSize."
_TOUCH = "Use store.touchAfter, in seconds."
_COOKIE_AGE = "Use cookie_expires, Beaker's option, in seconds."

_ADVICE = {
    "mongoUrl mongo_url uri mongo_uri mongodb_uri mongodb_url connectionString connection_string"
    " connection_uri db_url db_uri dsn": _URL,
    "db dbName db_name database database_name databaseName mongodb_db mongo_db": _NAME,
    "host hosts hostname server address addresses nodes port": _SERVERS,
    "collection_name collectionName coll mongodb_collect mongodb_collection table sessionCollection"
    " session_collection": _COLLECTION,
    "client_options mongoOptions mongo_options connect_options connection_options clientOptions"
    " options driver_options": _URLPARAM,
    "clientPromise mongooseConnection mongo_client mongodb connection conn": _CLIENT,
    "ttl lifetime session_lifetime permanent_session_lifetime max_age maxAge expires expiry"
    " expiration": _EXPIRY,
    "touch_after touchAfter touchInterval": _TOUCH,
    "pool_size max_pool_size maxConnections max_connections": _POOL,
    "connect_timeout connection_timeout socket_connect_timeout": (
        "Use URLParam.connectTimeoutMS, in milliseconds."
    ),
    "socket_timeout": "Use URLParam.socketTimeoutMS, in milliseconds.",
    "server_selection_timeout": "Use URLParam.serverSelectionTimeoutMS, in milliseconds.",
    "replica_set replicaSetName rs_name": "Use URLParam.replicaSet.",
    "auth_source authDB auth_db authenticationDatabase": "Use URLParam.authSource.",
    "encryption encrypt": (
        "Encryption is Beaker's: use encrypt_key and validate_key, with crypto_type = cryptography."
    ),
    "crypto cryptoAdapter": (
        "Use store.nodeCrypto for sessions that connect-mongo encrypts; otherwise Beaker's"
        " encrypt_key and validate_key, with crypto_type = cryptography."
    ),
    "serialize unserialize serializer serialization_format session_serialization_format": (
        "Use data_serializer, Beaker's option: pickle or json."
    ),
    "auto_remove autoRemove createAutoRemoveIdx": (
        "Use store.autoRemove: native, interval or disabled."
    ),
    "auto_remove_interval autoRemoveInterval": "Use store.autoRemoveInterval, in minutes.",
    "transform_id transformId": "Use store.transformId.",
    "timestamps": "Use store.timestamps.",
    "key_prefix session_key_prefix": (
        "Session ids have no prefix here. Use a collection of its own for each application."
    ),
    "use_signer signed sign": "Use secret, Beaker's option: it signs the cookie.",
    "cookie_name session_cookie_name session_cookie": "Use key, Beaker's option.",
    "cookie_max_age cookie_age cookie_lifetime": _COOKIE_AGE,
    "cookie_secure": "Use secure, Beaker's option.",
    "cookie_httponly cookie_http_only": "Use httponly, Beaker's option.",
    "cookie_samesite cookie_same_site": "Use samesite, Beaker's option.",
    "check_at_start": (
        "It is an option of beaker_mongo_soajs.SessionMiddleware and beaker_mongo_soajs.pyramid:"
        " use one of them."
    ),
    "domain": "Use cookie_domain, Beaker's option.",
    "path": "Use cookie_path, Beaker's option.",
}
FOREIGN_NAMES = {
    name.lower(): advice for names, advice in _ADVICE.items() for name in names.split()
}
"""The advice for each name of another package, in lower case."""

CACHE_EXPIRY = "Use expire, Beaker's option for caches, in seconds."


def find_advice(name: str, *, cache: bool) -> str | None:
    """Find what to use instead of an option of another package.

    :param name: the unknown name, at the top level of the options
    :param cache: whether the options are those of a cache
    :returns: a sentence, or ``None``
    """
    advice = FOREIGN_NAMES.get(name.strip().lower())
    return CACHE_EXPIRY if cache and advice in (_EXPIRY, _COOKIE_AGE) else advice
