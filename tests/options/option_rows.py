"""A value for each option, and the setting of the client that it leads to."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion, TypeRegistry
from bson.son import SON
from pymongo import MongoClient, monitoring
from pymongo.driver_info import DriverInfo
from pymongo.server_api import ServerApi

from beaker_mongo_soajs.mongo.clock_readings import HeartbeatClock
from tests.recorder import Recorder

Client = MongoClient[Any]
Read = Callable[[Client], object]

GROUPS: dict[str, dict[str, Any]] = {
    "server": {},
    "replSet": {"URLParam.replicaSet": "rs"},
    "mongos": {"servers": "db1,db2"},
}
"""The options that make each group of extraParam apply."""

PLACES: dict[str, dict[str, Any]] = {
    **{f"extraParam.{group}": needs for group, needs in GROUPS.items()},
    "URLParam": {},
}
"""The places of the options for certificates, and the options that make each apply."""

SCRAM = {"credentials": {"username": "ann", "password": "secret"}}
TLS = {"URLParam.ssl": True}


@dataclass(frozen=True)
class Row:
    """An option's value, and the client's setting that it leads to."""

    option: str
    value: Any
    read: Read
    expected: object
    more: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        # Without an address in memory, so that all processes collect the same tests.
        value = repr(self.value).partition(" at 0x")[0]
        return f"{self.option}={value:.30}"


def row(option: str, value: Any, read: Read, expected: object, **more: Any) -> Row:
    """Return a row; ``more`` holds the other options that it needs."""
    return Row(option, value, read, expected, tuple(more.items()))


def pool(name: str) -> Read:
    """Read one of the options of a client's connection pools."""
    return lambda client: getattr(client.options.pool_options, name)


def option(name: str) -> Read:
    """Read one of a client's options."""
    return lambda client: getattr(client.options, name)


def concern(client: Client) -> object:
    """Read a client's write concern."""
    return client.write_concern.document


def level(client: Client) -> object:
    """Read a client's read concern."""
    return client.read_concern.level


def mode(client: Client) -> object:
    """Read the mode of a client's read preference."""
    return client.read_preference.mongos_mode


def tag_sets(client: Client) -> object:
    """Read the tag sets of a client's read preference."""
    return client.read_preference.tag_sets


def codec(name: str) -> Read:
    """Read one of a client's codec options."""
    return lambda client: getattr(client.codec_options, name)


def login(name: str) -> Callable[[Client], Any]:
    """Read how a client authenticates."""
    return lambda client: getattr(client.options.pool_options._credentials, name)


def context(name: str) -> Read:
    """Read an attribute of the TLS context that a client's connections use."""
    return lambda client: getattr(client.options.pool_options._ssl_context, name)


def compression(client: Client) -> Any:
    """Read how a client compresses."""
    return client.options.pool_options._compression_settings


def uses_tls(client: Client) -> bool:
    """Check whether a client connects with TLS."""
    return client.options.pool_options._ssl_context is not None


def own_listeners(client: Client) -> list[Any]:
    """Read the event listeners of a client, but for the tests' and the clock's."""
    added = (HeartbeatClock, Recorder)
    return [each for each in client.options.event_listeners if not isinstance(each, added)]


def in_extraparam(suffix: str, value: Any, read: Read, expected: object) -> list[Row]:
    """Return the rows of an option that is in all three topology groups of extraParam."""
    return [
        Row(f"extraParam.{group}.{suffix}", value, read, expected, tuple(needs.items()))
        for group, needs in GROUPS.items()
    ]


LISTENER = monitoring.CommandListener()
REGISTRY = TypeRegistry()
SERVER_API = ServerApi("1")
DRIVER = DriverInfo("wrapper", "1.0", None)


def first_server(servers: list[Any]) -> list[Any]:
    """Select servers: the first."""
    return servers[:1]


APPLIED = [
    row("URLParam.replicaSet", "rs", option("replica_set_name"), "rs"),
    row("URLParam.ssl", True, uses_tls, True),
    row("URLParam.ssl", False, uses_tls, False),
    row("URLParam.connectTimeoutMS", 2500, pool("connect_timeout"), 2.5),
    row("URLParam.connectTimeoutMS", 0, pool("connect_timeout"), None),
    row("URLParam.socketTimeoutMS", 2500, pool("socket_timeout"), 2.5),
    row("URLParam.socketTimeoutMS", 0, pool("socket_timeout"), None),
    row("URLParam.maxPoolSize", 7, pool("max_pool_size"), 7),
    row("URLParam.maxPoolSize", 0, pool("max_pool_size"), 0),
    row("URLParam.minPoolSize", 3, pool("min_pool_size"), 3),
    row("URLParam.maxIdleTimeMS", 2500, pool("max_idle_time_seconds"), 2.5),
    row("URLParam.maxIdleTimeMS", 0, pool("max_idle_time_seconds"), None),
    row("URLParam.waitQueueTimeoutMS", 2500, pool("wait_queue_timeout"), 2.5),
    row("URLParam.waitQueueTimeoutMS", 0, pool("wait_queue_timeout"), None),
    row("URLParam.w", 2, concern, {"w": 2}),
    row("URLParam.w", "majority", concern, {"w": "majority"}),
    row("URLParam.w", "twoCentres", concern, {"w": "twoCentres"}),
    row("URLParam.wtimeoutMS", 250, concern, {"w": 2, "wtimeout": 250}, **{"URLParam.w": 2}),
    row("URLParam.wtimeoutMS", 0, concern, {"w": 2}, **{"URLParam.w": 2}),
    row("URLParam.wtimeout", 250, concern, {"w": 2, "wtimeout": 250}, **{"URLParam.w": 2}),
    row("URLParam.journal", True, concern, {"j": True}),
    row("URLParam.journal", False, concern, {"j": False}),
    row("URLParam.j", True, concern, {"j": True}),
    row("URLParam.readConcernLevel", "majority", level, "majority"),
    row("URLParam.readPreference", "secondaryPreferred", mode, "secondaryPreferred"),
    row(
        "URLParam.readPreferenceTags",
        ["dc:ny,rack:1", {"dc": "a:b,c d"}, {}],
        tag_sets,
        [{"dc": "ny", "rack": "1"}, {"dc": "a:b,c d"}, {}],
        **{"URLParam.readPreference": "nearest"},
    ),
    row("URLParam.authSource", "users", login("source"), "users", **SCRAM),
    row("URLParam.authMechanism", "SCRAM-SHA-1", login("mechanism"), "SCRAM-SHA-1", **SCRAM),
    row("URLParam.authMechanism", "SCRAM-SHA-256", login("mechanism"), "SCRAM-SHA-256", **SCRAM),
    row("URLParam.authMechanism", "PLAIN", login("mechanism"), "PLAIN", **SCRAM),
    row("URLParam.authMechanism", "MONGODB-AWS", login("source"), "$external", **SCRAM),
    row("URLParam.authMechanism", "GSSAPI", login("source"), "$external", **SCRAM),
    row(
        "URLParam.gssapiServiceName",
        "imap",
        lambda client: login("mechanism_properties")(client).service_name,
        "imap",
        **SCRAM,
        **{"URLParam.authMechanism": "GSSAPI"},
    ),
    row("URLParam.bufferMaxEntries", 0, option("server_selection_timeout"), 1),
    row("URLParam.bufferMaxEntries", 10, option("server_selection_timeout"), 30),
    row("URLParam.tls", True, uses_tls, True),
    row("URLParam.appName", "shop", pool("appname"), "shop"),
    row(
        "URLParam.authMechanismProperties",
        {"SERVICE_NAME": "imap", "SERVICE_REALM": "EXAMPLE.ORG"},
        lambda client: login("mechanism_properties")(client).service_realm,
        "EXAMPLE.ORG",
        **SCRAM,
        **{"URLParam.authMechanism": "GSSAPI"},
    ),
    row(
        "URLParam.authMechanismProperties",
        "AWS_SESSION_TOKEN:a:b=",
        lambda client: login("mechanism_properties")(client).aws_session_token,
        "a:b=",
        **SCRAM,
        **{"URLParam.authMechanism": "MONGODB-AWS"},
    ),
    row(
        "URLParam.compressors",
        "zlib",
        lambda client: compression(client).compressors,
        ["zlib"],
    ),
    row(
        "URLParam.zlibCompressionLevel",
        9,
        lambda client: compression(client).zlib_compression_level,
        9,
    ),
    row("URLParam.directConnection", True, option("direct_connection"), True),
    row("URLParam.loadBalanced", True, option("load_balanced"), True),
    row("URLParam.heartbeatFrequencyMS", 2500, option("heartbeat_frequency"), 2.5),
    row("URLParam.serverMonitoringMode", "poll", option("server_monitoring_mode"), "poll"),
    row("URLParam.localThresholdMS", 25, option("local_threshold_ms"), 25),
    row("URLParam.serverSelectionTimeoutMS", 2500, option("server_selection_timeout"), 2.5),
    row("URLParam.timeoutMS", 2500, option("timeout"), 2.5),
    row("URLParam.maxConnecting", 3, pool("max_connecting"), 3),
    row(
        "URLParam.maxStalenessSeconds",
        90,
        lambda client: client.read_preference.max_staleness,
        90,
        **{"URLParam.readPreference": "nearest"},
    ),
    row("URLParam.retryReads", False, option("retry_reads"), False),
    row("URLParam.retryWrites", False, option("retry_writes"), False),
    row("URLParam.maxAdaptiveRetries", 3, option("max_adaptive_retries"), 3),
    row("URLParam.enableOverloadRetargeting", True, option("enable_overload_retargeting"), True),
    row("URLParam.tlsAllowInvalidCertificates", True, context("verify_mode"), ssl.CERT_NONE, **TLS),
    row("URLParam.tlsAllowInvalidCertificates", False, context("verify_mode"), ssl.CERT_REQUIRED),
    row("URLParam.tlsAllowInvalidHostnames", True, context("check_hostname"), False, **TLS),
    row("URLParam.tlsAllowInvalidHostnames", False, context("check_hostname"), True),
    row("URLParam.tlsInsecure", True, context("verify_mode"), ssl.CERT_NONE, **TLS),
    row("URLParam.tlsInsecure", False, context("verify_mode"), ssl.CERT_REQUIRED, **TLS),
    row(
        "URLParam.tlsDisableOCSPEndpointCheck",
        False,
        uses_tls,
        True,
    ),
    row("URLParam.fsync", True, concern, {"fsync": True}),
    row("URLParam.tz_aware", True, codec("tz_aware"), True),
    row(
        "URLParam.uuidRepresentation",
        "standard",
        codec("uuid_representation"),
        UuidRepresentation.STANDARD,
    ),
    row(
        "URLParam.unicode_decode_error_handler",
        "replace",
        codec("unicode_decode_error_handler"),
        "replace",
    ),
    row(
        "URLParam.datetime_conversion",
        "datetime_ms",
        codec("datetime_conversion"),
        DatetimeConversion.DATETIME_MS,
    ),
    row("URLParam.document_class", SON, codec("document_class"), SON),
    row("URLParam.type_registry", REGISTRY, codec("type_registry"), REGISTRY),
    row("URLParam.tzinfo", UTC, codec("tzinfo"), UTC, **{"URLParam.tz_aware": True}),
    row("URLParam.event_listeners", [LISTENER], own_listeners, [LISTENER]),
    row("URLParam.server_api", SERVER_API, pool("server_api"), SERVER_API),
    row("URLParam.server_selector", first_server, option("server_selector"), first_server),
    row("URLParam.driver", DRIVER, pool("driver"), DRIVER),
    row("extraParam.db.authSource", "users", login("source"), "users", **SCRAM),
    row("extraParam.db.w", 3, concern, {"w": 3}),
    row("extraParam.db.wtimeoutMS", 250, concern, {"w": 2, "wtimeout": 250}, **{"URLParam.w": 2}),
    row("extraParam.db.wtimeout", 250, concern, {"w": 2, "wtimeout": 250}, **{"URLParam.w": 2}),
    row("extraParam.db.j", True, concern, {"j": True}),
    row("extraParam.db.journal", True, concern, {"j": True}),
    row("extraParam.db.bufferMaxEntries", 0, option("server_selection_timeout"), 1),
    row("extraParam.db.bufferMaxEntries", -1, option("server_selection_timeout"), 30),
    row("extraParam.db.readPreference", "nearest", mode, "nearest"),
    row("extraParam.db.readConcern", {"level": "majority"}, level, "majority"),
    row("extraParam.db.readConcern", "local", level, "local"),
    row(
        "extraParam.replSet.replicaSet",
        "other",
        option("replica_set_name"),
        "other",
        **GROUPS["replSet"],
    ),
    row(
        "extraParam.replSet.secondaryAcceptableLatencyMS",
        25,
        option("local_threshold_ms"),
        25,
        **GROUPS["replSet"],
    ),
    row(
        "extraParam.mongos.acceptableLatencyMS",
        25,
        option("local_threshold_ms"),
        25,
        **GROUPS["mongos"],
    ),
    row("URLParam.readConcern", {"level": "majority"}, level, "majority"),
    row("URLParam.poolSize", 7, pool("max_pool_size"), 7),
    row("URLParam.minSize", 3, pool("min_pool_size"), 3),
    row("URLParam.haInterval", 2500, option("heartbeat_frequency"), 2.5),
    row("URLParam.secondaryAcceptableLatencyMS", 25, option("local_threshold_ms"), 25),
    row("URLParam.acceptableLatencyMS", 25, option("local_threshold_ms"), 25),
    *in_extraparam("connectTimeoutMS", 2500, pool("connect_timeout"), 2.5),
    *in_extraparam("socketTimeoutMS", 2500, pool("socket_timeout"), 2.5),
    *in_extraparam("poolSize", 7, pool("max_pool_size"), 7),
    *in_extraparam("haInterval", 2500, option("heartbeat_frequency"), 2.5),
    *in_extraparam("ssl", True, uses_tls, True),
    *in_extraparam("ssl", False, uses_tls, False),
    *in_extraparam("socketOptions.connectTimeoutMS", 2500, pool("connect_timeout"), 2.5),
    *in_extraparam("socketOptions.connectTimeoutMS", 0, pool("connect_timeout"), None),
    *in_extraparam("socketOptions.socketTimeoutMS", 2500, pool("socket_timeout"), 2.5),
    *in_extraparam("socketOptions.socketTimeoutMS", 0, pool("socket_timeout"), None),
]

_BOOLEANS = [True, False]

IDLE = {
    "cluster": ["dash_cluster"],
    "registryLocation": [{"env": "dev", "l1": "coreDB", "l2": "session"}],
    "timeConnected": [1491861560912],
    "streaming": [{}, {"batchSize": 1000}],
    "mongoExt": [True],
    **{
        f"URLParam.{name}": values
        for names, values in (
            ("forceServerObjectId serializeFunctions ignoreUndefined raw promoteLongs", _BOOLEANS),
            ("slaveOk native_parser ha connectWithNoPrimary noDelay keepAlive", _BOOLEANS),
            ("autoReconnect auto_reconnect useUnifiedTopology useNewUrlParser", _BOOLEANS),
            ("useCreateIndex useFindAndModify autoIndex strict validateOptions", _BOOLEANS),
            ("promoteBuffers promoteValues domainsEnabled monitorCommands", _BOOLEANS),
            ("pkFactory promiseLibrary logger", ["bluebird"]),
            ("loggerLevel", ["debug"]),
            ("family", [4]),
            ("reconnectTries reconnectInterval keepAliveInitialDelay", [30]),
        )
        for name in names.split()
    },
    "extraParam.server.ha": _BOOLEANS,
    "URLParam.waitQueueMultiple": [0, 10],
    "extraParam.db.forceServerObjectId": [True, False],
    "extraParam.db.serializeFunctions": [True, False],
    "extraParam.db.ignoreUndefined": [True, False],
    "extraParam.db.raw": [True, False],
    "extraParam.db.promoteLongs": [True, False],
    "extraParam.db.pkFactory": [object, {"a": [1]}, "text"],
    "extraParam.db.promiseLibrary": ["bluebird"],
    "extraParam.db.slaveOk": [True, False],
    "extraParam.db.native_parser": [True, False],
    "extraParam.server.reconnectTries": [30],
    "extraParam.server.reconnectInterval": [1000],
    "extraParam.server.monitoring": [True, False],
    "extraParam.server.socketOptions.autoReconnect": [True, False],
    "extraParam.replSet.connectWithNoPrimary": [True, False],
    "extraParam.replSet.ha": [True, False],
    "extraParam.mongos.ha": [True, False],
    **{
        f"extraParam.{group}.socketOptions.{name}": values
        for group in GROUPS
        for name, values in (("noDelay", [True, False]), ("keepAlive", [0, 30000, True]))
    },
    **{
        f"extraParam.{group}.{name}": _BOOLEANS
        for group in GROUPS
        for name in ("noDelay", "keepAlive", "auto_reconnect", "autoReconnect")
    },
}

REFUSED = tuple(
    f"URLParam.{name}" for name in ("connect", "username", "password", "auto_encryption_opts")
)
