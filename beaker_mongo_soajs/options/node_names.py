"""The rows for options that SOAJS and the Node driver have beyond the reference.

Configurations of SOAJS pass most of these, in the spelling of one driver version or another.
"""

from __future__ import annotations

from typing import Any

from beaker_mongo_soajs.options import coerce
from beaker_mongo_soajs.options.extraparam import (
    AUTO_RECONNECT,
    CONNECTS_TO_ALL,
    DB,
    HA,
    HA_INTERVAL,
    POOL,
    RETRIES_FOREVER,
    SECRETS,
    SOCKET,
    TLS_ROWS,
    Row,
    latency_row,
)
from beaker_mongo_soajs.options.option import Keyword, NoEffect, Option

_PYTHON_TYPES = NoEffect("the store converts values to Python types itself")
_ONE_TOPOLOGY = NoEffect("PyMongo always discovers and monitors servers that way")
_ONE_PARSER = NoEffect("PyMongo has only one parser of connection strings")
_MODELS = NoEffect("it is an option for the models of Mongoose")
_LOGGING = NoEffect("PyMongo logs with Python's logging module")

_URLPARAM = frozenset(
    (
        *("authSource", "w", "wtimeoutMS", "wtimeout", "j", "journal", "bufferMaxEntries"),
        "readPreference",
    )
)
"""The options of ``extraParam.db`` that ``URLParam`` already has."""

_SAME_AS_DB: tuple[Row, ...] = tuple(row for row in DB if row[0] not in _URLPARAM)

_RECONNECT_ALIAS: Row = ("auto_reconnect", *AUTO_RECONNECT[1:])

URLPARAM_ROWS: tuple[Row, ...] = (
    *_SAME_AS_DB,
    POOL,
    (
        "minSize",
        coerce.COUNT,
        Keyword("minPoolSize"),
        "Another name of `minPoolSize`, in the Node driver.",
        "",
    ),
    HA,
    HA_INTERVAL,
    latency_row("secondaryAcceptableLatencyMS"),
    latency_row("acceptableLatencyMS"),
    ("connectWithNoPrimary", coerce.BOOLEAN, CONNECTS_TO_ALL, "", ""),
    AUTO_RECONNECT,
    _RECONNECT_ALIAS,
    ("reconnectTries", coerce.COUNT, RETRIES_FOREVER, "", ""),
    ("reconnectInterval", coerce.MILLISECONDS, RETRIES_FOREVER, "", ""),
    *(row for row in SOCKET if row[0] in ("noDelay", "keepAlive")),
    ("keepAliveInitialDelay", coerce.MILLISECONDS, SOCKET[1][2], "", ""),
    *(row for row in TLS_ROWS if row[0] != "ssl"),
    ("useUnifiedTopology", coerce.BOOLEAN, _ONE_TOPOLOGY, "", ""),
    ("useNewUrlParser", coerce.BOOLEAN, _ONE_PARSER, "", ""),
    ("useCreateIndex", coerce.BOOLEAN, _MODELS, "", ""),
    ("useFindAndModify", coerce.BOOLEAN, _MODELS, "", ""),
    ("autoIndex", coerce.BOOLEAN, _MODELS, "", ""),
    ("promoteBuffers", coerce.BOOLEAN, _PYTHON_TYPES, "", ""),
    ("promoteValues", coerce.BOOLEAN, _PYTHON_TYPES, "", ""),
    ("domainsEnabled", coerce.BOOLEAN, NoEffect("Python has no domains"), "", ""),
    ("loggerLevel", coerce.ANYTHING, _LOGGING, "", ""),
    ("logger", coerce.ANYTHING, _LOGGING, "", ""),
    (
        "monitorCommands",
        coerce.BOOLEAN,
        NoEffect("PyMongo reports commands to event_listeners whenever there are any"),
        "",
        "",
    ),
    (
        "family",
        coerce.ANYTHING,
        NoEffect("PyMongo tries every address of a host, IPv6 and IPv4"),
        "",
        "",
    ),
    (
        "validateOptions",
        coerce.ANYTHING,
        NoEffect("every option is checked"),
        "",
        "",
    ),
    ("strict", coerce.BOOLEAN, NoEffect("every option is checked"), "", ""),
)

EXTRAPARAM_ROWS: dict[str, tuple[Row, ...]] = {
    "server": (
        AUTO_RECONNECT,
        _RECONNECT_ALIAS,
        HA,
        *SOCKET,
    ),
    "replSet": (AUTO_RECONNECT, _RECONNECT_ALIAS, *SOCKET),
    "mongos": (AUTO_RECONNECT, _RECONNECT_ALIAS, *SOCKET),
}
"""The Node driver accepts the socket options in each group directly, too."""

_TOP = (
    ("cluster", "it is the name of a cluster in SOAJS's registry; servers has the addresses"),
    ("registryLocation", "it is the path of this configuration in SOAJS's registry"),
    ("timeConnected", "it is the time of SOAJS's last connection"),
    ("streaming", "it is for cursors of SOAJS; the store reads single documents"),
    ("mongoExt", "it is for SOAJS's own driver"),
)


def _option(path: tuple[str, ...], row: Row, **more: Any) -> Option:
    name, kind, effect, doc, _ = row
    return Option((*path, name), kind, effect, doc, secret=name in SECRETS, **more)


TOP_ROWS = tuple(Option((name,), coerce.ANYTHING, NoEffect(because)) for name, because in _TOP)
ROWS = (
    *(_option(("URLParam",), row) for row in URLPARAM_ROWS),
    *(
        _option(("extraParam", group), row)
        for group, rows in EXTRAPARAM_ROWS.items()
        for row in rows
    ),
)
