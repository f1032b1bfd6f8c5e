"""The rows of ``extraParam``: ``db``, ``server``, ``replSet`` and ``mongos``."""

from __future__ import annotations

from beaker_mongo_soajs.options import coerce, kinds
from beaker_mongo_soajs.options.coerce import Kind
from beaker_mongo_soajs.options.option import Effect, Keyword, LeaveOut, NoEffect, Option, Path
from beaker_mongo_soajs.options.urlparam import (
    BUFFER,
    BUFFER_DOC,
    CONNECT_TIMEOUT,
    CONNECT_TIMEOUT_DOC,
    JOURNAL,
    POOL_SIZE,
    SOCKET_TIMEOUT,
    SOCKET_TIMEOUT_DOC,
    TLS,
    W_DOC,
    W_TIMEOUT,
    W,
    read_concern,
)

Row = tuple[str, Kind, Effect, str, str]
"""Name, kind, effect, documentation, and the reference's value."""

_STORE_ENCODES = NoEffect("the store uses codec options of its own")
_ID_IS_GIVEN = NoEffect("the _id of a document is the session id, which Beaker creates")
_ALWAYS_MONITORS = NoEffect("PyMongo always monitors its servers")
CONNECTS_TO_ALL = NoEffect(
    "PyMongo connects to all members that it finds; readPreference chooses the members that answer"
    " reads"
)
RETRIES_FOREVER = NoEffect(
    "PyMongo never stops looking for a lost server; serverSelectionTimeoutMS limits how long an"
    " operation waits for it"
)

DB: tuple[Row, ...] = (
    ("authSource", coerce.TEXT, Keyword("authSource"), "As `URLParam.authSource`.", "null"),
    ("w", kinds.WRITE_CONCERN, W, W_DOC, '"majority"'),
    (
        "wtimeoutMS",
        coerce.MILLISECONDS,
        W_TIMEOUT,
        "Milliseconds to wait for `w`; 0 = no limit.",
        "0",
    ),
    (
        "wtimeout",
        coerce.MILLISECONDS,
        W_TIMEOUT,
        "Another name of `wtimeoutMS`, in the Node driver.",
        "0",
    ),
    ("j", coerce.BOOLEAN, JOURNAL, "Whether a write waits for the journal.", "false"),
    ("journal", coerce.BOOLEAN, JOURNAL, "Another name of `j`.", ""),
    ("forceServerObjectId", coerce.BOOLEAN, _ID_IS_GIVEN, "", "false"),
    (
        "serializeFunctions",
        coerce.BOOLEAN,
        NoEffect("a function in a session is an error"),
        "",
        "false",
    ),
    ("ignoreUndefined", coerce.BOOLEAN, NoEffect("Python has no undefined value"), "", "false"),
    ("raw", coerce.BOOLEAN, _STORE_ENCODES, "", "false"),
    (
        "promoteLongs",
        coerce.BOOLEAN,
        NoEffect("a Python int can hold every 64-bit number"),
        "",
        "true",
    ),
    ("bufferMaxEntries", Kind("whole number", coerce.integer(-1)), BUFFER, BUFFER_DOC, "-1"),
    (
        "readPreference",
        kinds.READ_PREFERENCE,
        Keyword("readPreference"),
        "As `URLParam.readPreference`.",
        '"secondaryPreferred"',
    ),
    (
        "readConcern",
        kinds.READ_CONCERN,
        Keyword("readConcernLevel", read_concern, "its `level`"),
        "Read concern level of reads.",
        "null",
    ),
    ("pkFactory", coerce.ANYTHING, _ID_IS_GIVEN, "", "null"),
    ("promiseLibrary", coerce.ANYTHING, NoEffect("Python has no promises"), "", "null"),
    (
        "slaveOk",
        coerce.BOOLEAN,
        NoEffect(
            "readPreference alone chooses the members that answer reads; by default the primary, so"
            " that every read sees the last save"
        ),
        "",
        "true",
    ),
    (
        "native_parser",
        coerce.BOOLEAN,
        NoEffect("PyMongo always uses its C extensions if they are installed"),
        "",
        "true",
    ),
)


def _skip_check(keyword: str) -> Keyword:
    def convert(check: bool) -> object:
        return LeaveOut("PyMongo always checks it with TLS") if check else True

    return Keyword(keyword, convert, "inverted")


TLS_ROWS: tuple[Row, ...] = (
    ("ssl", coerce.BOOLEAN, TLS, "Whether to connect with TLS.", "false"),
    (
        "sslValidate",
        coerce.BOOLEAN,
        _skip_check("tlsAllowInvalidCertificates"),
        "Whether the server's certificate must be valid.",
        "true",
    ),
    (
        "checkServerIdentity",
        coerce.BOOLEAN,
        _skip_check("tlsAllowInvalidHostnames"),
        "Whether the server's certificate must match its host name.",
        "true",
    ),
    (
        "sslCA",
        kinds.PEM_LIST,
        Keyword("tlsCAFile"),
        "Certificates of the trusted authorities. Implies TLS.",
        "null",
    ),
    (
        "sslCert",
        kinds.PEM,
        Keyword("tlsCertificateKeyFile"),
        "Client certificate. Implies TLS.",
        "null",
    ),
    (
        "sslKey",
        kinds.PEM,
        Keyword("sslKey", note="joined with `sslCert`"),
        "Private key of the client certificate. Implies TLS.",
        "null",
    ),
    (
        "sslPass",
        kinds.PASSPHRASE,
        Keyword("tlsCertificateKeyFilePassword"),
        "Passphrase of the private key.",
        "null",
    ),
)
SECRETS = frozenset({"sslKey", "sslPass"})

SOCKET: tuple[Row, ...] = (
    ("noDelay", coerce.BOOLEAN, NoEffect("PyMongo always sets TCP_NODELAY"), "", "true"),
    (
        "keepAlive",
        coerce.ANYTHING,
        NoEffect("PyMongo always uses TCP keepalive, with its own intervals"),
        "",
        "0",
    ),
    ("connectTimeoutMS", coerce.MILLISECONDS, CONNECT_TIMEOUT, CONNECT_TIMEOUT_DOC, "0"),
    ("socketTimeoutMS", coerce.MILLISECONDS, SOCKET_TIMEOUT, SOCKET_TIMEOUT_DOC, "0"),
)
AUTO_RECONNECT: Row = (
    "autoReconnect",
    coerce.BOOLEAN,
    NoEffect("PyMongo always reconnects"),
    "",
    "true",
)
POOL: Row = (
    "poolSize",
    coerce.COUNT,
    POOL_SIZE,
    "Maximum number of connections of one process to one server; 0 = no limit.",
    "5",
)
HA: Row = ("ha", coerce.BOOLEAN, _ALWAYS_MONITORS, "", "true")
HA_INTERVAL: Row = (
    "haInterval",
    Kind("milliseconds, 500 or more", coerce.duration(coerce.integer(500))),
    Keyword("heartbeatFrequencyMS"),
    "Milliseconds between two checks of a server.",
    "10000",
)


def latency_row(name: str) -> Row:
    """Return the row of an option that limits how slow a server may be.

    :param name: the option's name in its group
    """
    doc = "Milliseconds that a server may be slower than the nearest one and still be chosen."
    return name, coerce.MILLISECONDS, Keyword("localThresholdMS"), doc, "15"


GROUPS: dict[Path, tuple[Row, ...]] = {
    ("db",): DB,
    ("server",): (
        POOL,
        *TLS_ROWS,
        ("reconnectTries", coerce.COUNT, RETRIES_FOREVER, "", "30"),
        ("reconnectInterval", coerce.MILLISECONDS, RETRIES_FOREVER, "", "1000"),
        ("monitoring", coerce.BOOLEAN, _ALWAYS_MONITORS, "", "true"),
        HA_INTERVAL,
    ),
    ("server", "socketOptions"): (AUTO_RECONNECT, *SOCKET),
    ("replSet",): (
        HA,
        HA_INTERVAL,
        ("replicaSet", coerce.TEXT, Keyword("replicaSet"), "Name of the replica set.", '"rs"'),
        latency_row("secondaryAcceptableLatencyMS"),
        (
            "connectWithNoPrimary",
            coerce.BOOLEAN,
            CONNECTS_TO_ALL,
            "",
            "false",
        ),
        POOL,
        *TLS_ROWS,
    ),
    ("replSet", "socketOptions"): SOCKET,
    ("mongos",): (HA, HA_INTERVAL, POOL, latency_row("acceptableLatencyMS"), *TLS_ROWS),
    ("mongos", "socketOptions"): SOCKET,
}

ROWS = tuple(
    Option(
        ("extraParam", *group, name),
        kind,
        effect,
        doc,
        reference=reference,
        secret=name in SECRETS,
    )
    for group, rows in GROUPS.items()
    for name, kind, effect, doc, reference in rows
)
