"""The rows of ``URLParam`` for the reference's options."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from beaker_mongo_soajs.options import coerce, kinds
from beaker_mongo_soajs.options.coerce import Kind
from beaker_mongo_soajs.options.option import Effect, Keyword, LeaveOut, NoEffect, Option

FAIL_AT_ONCE_MS = 1000
"""The server selection timeout for ``bufferMaxEntries: 0``: enough for a slow TLS handshake.

PyMongo checks the time every half second only, so an operation may take half a second longer.
"""

ZERO_IS_NEVER = "0 = never"
NEVER = "0 means never, which is PyMongo's default"


def unless_zero(because: str) -> Any:
    """Return a conversion that omits 0.

    :param because: why 0 needs no keyword
    :returns: the conversion
    """

    def convert(value: int) -> Any:
        return value or LeaveOut(because)

    return convert


def buffer_entries(value: int) -> Any:
    """Convert ``bufferMaxEntries`` to the server selection timeout."""
    if value == 0:
        return FAIL_AT_ONCE_MS
    return LeaveOut(
        "operations wait for a server for serverSelectionTimeoutMS, by default 30 s, and PyMongo"
        " does not limit their number"
    )


def tag_sets(value: Any) -> Any:
    """Convert tag sets to the escaped text that PyMongo's keyword takes."""
    if value == kinds.TAG_PLACEHOLDER:
        return LeaveOut(
            '"TAG" is a placeholder of the reference, not a tag set such as dc:ny,rack:1'
        )
    return tuple(
        ",".join(f"{quote_plus(name)}:{quote_plus(tag)}" for name, tag in tags.items())
        for tags in value
    )


def read_concern(value: str | None) -> Any:
    """Convert a read concern to its level."""
    return value or LeaveOut("the server's default applies without a level")


W = Keyword("w")
W_TIMEOUT = Keyword("wTimeoutMS", unless_zero(NEVER))
JOURNAL = Keyword("journal")
POOL_SIZE = Keyword("maxPoolSize")
CONNECT_TIMEOUT = Keyword("connectTimeoutMS", note=ZERO_IS_NEVER)
SOCKET_TIMEOUT = Keyword("socketTimeoutMS", note=ZERO_IS_NEVER)
TLS = Keyword("tls")
BUFFER = Keyword(
    "serverSelectionTimeoutMS", buffer_entries, f"0 → {FAIL_AT_ONCE_MS}, else left out", yields=True
)

W_DOC = (
    "Number of members that confirm a write, or the name of a custom write concern."
    " 0 is refused: the store relies on the server's answers."
)
CONNECT_TIMEOUT_DOC = (
    "Milliseconds to wait for a connection, and for the answer to a heartbeat. 0 = no limit; then"
    " a server that hangs is never detected."
)
SOCKET_TIMEOUT_DOC = "Milliseconds to wait for an answer on an open connection; 0 = no limit."
BUFFER_DOC = (
    f"0: without a server, an operation fails after {FAIL_AT_ONCE_MS} ms. Any other number: it"
    " waits for a server. `serverSelectionTimeoutMS` overrides it."
)


def _row(name: str, kind: Kind, effect: Effect, doc: str, reference: str, **more: Any) -> Option:
    return Option(("URLParam", name), kind, effect, doc, reference=reference, **more)


ROWS = (
    _row(
        "replicaSet",
        coerce.TEXT,
        Keyword("replicaSet"),
        "Name of the replica set. If it is given, `extraParam.replSet` applies.",
        '"rs"',
    ),
    _row("ssl", coerce.BOOLEAN, TLS, "Whether to connect with TLS.", "false"),
    _row(
        "connectTimeoutMS",
        coerce.MILLISECONDS,
        CONNECT_TIMEOUT,
        f"{CONNECT_TIMEOUT_DOC} The default is PyMongo's 20 s, where the reference has no limit.",
        "0",
        default=20000,
    ),
    _row(
        "socketTimeoutMS",
        coerce.MILLISECONDS,
        SOCKET_TIMEOUT,
        SOCKET_TIMEOUT_DOC,
        "0",
        default=0,
    ),
    _row(
        "maxPoolSize",
        coerce.COUNT,
        POOL_SIZE,
        "Maximum number of connections of one process to one server; 0 = no limit.",
        "5",
        default=5,
    ),
    _row(
        "minPoolSize",
        coerce.COUNT,
        Keyword("minPoolSize"),
        "Minimum number of open connections.",
        "0",
    ),
    _row(
        "maxIdleTimeMS",
        coerce.MILLISECONDS,
        Keyword("maxIdleTimeMS", unless_zero(NEVER)),
        "Milliseconds after which an idle connection is closed; 0 = never.",
        "0",
    ),
    _row(
        "waitQueueMultiple",
        coerce.COUNT,
        NoEffect(
            "PyMongo does not limit the number of waiting threads; waitQueueTimeoutMS limits the"
            " wait"
        ),
        "",
        "0",
    ),
    _row(
        "waitQueueTimeoutMS",
        coerce.MILLISECONDS,
        Keyword("waitQueueTimeoutMS", unless_zero(NEVER)),
        "Milliseconds that a thread waits for a free connection; 0 = no limit.",
        "0",
    ),
    _row("w", kinds.WRITE_CONCERN, W, W_DOC, '"majority"'),
    _row(
        "wtimeoutMS",
        coerce.MILLISECONDS,
        W_TIMEOUT,
        "Milliseconds to wait for `w`; 0 = no limit.",
        "0",
        default=0,
    ),
    _row("journal", coerce.BOOLEAN, JOURNAL, "Whether a write waits for the journal.", "false"),
    _row(
        "readConcernLevel",
        kinds.READ_CONCERN_LEVEL,
        Keyword("readConcernLevel"),
        "Read concern level of reads.",
        '"local"',
    ),
    _row(
        "readPreference",
        kinds.READ_PREFERENCE,
        Keyword("readPreference"),
        "The members that answer reads. Default: the primary. On other members, a request may"
        " read a session that is older than its last save.",
        '"secondaryPreferred"',
    ),
    _row(
        "readPreferenceTags",
        kinds.TAG_SETS,
        Keyword("readPreferenceTags", tag_sets),
        "Tags of the members that may answer reads: tag sets in order of preference, as text"
        " `dc:ny,rack:1`, as an object, or a list of either. Needs a `readPreference` other than"
        " `primary`.",
        '"TAG"',
    ),
    _row(
        "authSource",
        coerce.TEXT,
        Keyword("authSource"),
        "Database in which the user was created, often `admin`. Default: the database of the"
        " sessions; with `url`, the database in the URL or `admin`.",
        "null",
    ),
    _row(
        "authMechanism",
        kinds.MECHANISM,
        Keyword("authMechanism"),
        "Authentication mechanism: "
        + ", ".join(f"`{name}`" for name in kinds.MECHANISMS)
        + ". Default: SCRAM, as negotiated with the server.",
        "null",
    ),
    _row(
        "gssapiServiceName",
        coerce.TEXT,
        Keyword("gssapiServiceName", note="`authMechanismProperties` `SERVICE_NAME`"),
        "Kerberos service name, for `GSSAPI` only.",
        "null",
    ),
    _row(
        "bufferMaxEntries",
        Kind("whole number", coerce.integer(-1)),
        BUFFER,
        BUFFER_DOC,
        "0",
        default=0,
    ),
)
