"""The rows of ``URLParam`` that the reference has."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from beaker_mongo_soajs.options import coerce, kinds
from beaker_mongo_soajs.options.coerce import Kind
from beaker_mongo_soajs.options.option import Effect, Keyword, LeaveOut, NoEffect, Option

FAIL_AT_ONCE_MS = 1000
"""How long ``bufferMaxEntries: 0`` looks for a server: time for a slow TLS handshake, no more.

PyMongo looks at the clock every half second only, so that it may take half a second longer.
"""

ZERO_IS_NEVER = "0 = never"
NEVER = "0 means never, and so does leaving it out"


def unless_zero(because: str) -> Any:
    """Make a conversion that leaves 0 out.

    :param because: why 0 needs no keyword
    :returns: the conversion
    """

    def convert(value: int) -> Any:
        return value or LeaveOut(because)

    return convert


def buffer_entries(value: int) -> Any:
    """Convert ``bufferMaxEntries`` to the time that an operation waits for a server."""
    if value == 0:
        return FAIL_AT_ONCE_MS
    return LeaveOut(
        "operations wait for a server as long as serverSelectionTimeoutMS says, by default 30 s,"
        " and PyMongo counts none of them"
    )


def tag_sets(value: Any) -> Any:
    """Convert tag sets to the text form that PyMongo's keyword takes, escaped."""
    if value == kinds.TAG_PLACEHOLDER:
        return LeaveOut(
            '"TAG" is the placeholder of the reference, not a tag set such as dc:ny,rack:1'
        )
    return tuple(
        ",".join(f"{quote_plus(name)}:{quote_plus(tag)}" for name, tag in tags.items())
        for tags in value
    )


def read_concern(value: str | None) -> Any:
    """Convert a read concern to its level."""
    return value or LeaveOut("without a level the server's default applies")


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
    "How many members confirm a write, or the name of a custom write concern."
    " 0 is refused: the store relies on the server's answers."
)
CONNECT_TIMEOUT_DOC = (
    "Milliseconds to wait for a connection, and for the answer to a heartbeat; 0 = never give up,"
    " which also means that a server that hangs is never noticed."
)
SOCKET_TIMEOUT_DOC = "Milliseconds to wait for an answer on an open connection; 0 = never give up."
BUFFER_DOC = (
    "0: without a server an operation fails at once (after"
    f" {FAIL_AT_ONCE_MS / 1000:g} s). Any other number: it waits. `serverSelectionTimeoutMS` goes"
    " before it."
)


def _row(name: str, kind: Kind, effect: Effect, doc: str, reference: str, **more: Any) -> Option:
    return Option(("URLParam", name), kind, effect, doc, reference=reference, **more)


ROWS = (
    _row(
        "replicaSet",
        coerce.TEXT,
        Keyword("replicaSet"),
        "Name of the replica set; given, `extraParam.replSet` applies.",
        '"rs"',
    ),
    _row("ssl", coerce.BOOLEAN, TLS, "Whether to connect with TLS.", "false"),
    _row(
        "connectTimeoutMS",
        coerce.MILLISECONDS,
        CONNECT_TIMEOUT,
        f"{CONNECT_TIMEOUT_DOC} The default is PyMongo's 20 s and not the"
        " reference's never, which would let every request hang with a server that hangs.",
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
        "Most connections of one process to one server; 0 = any number.",
        "5",
        default=5,
    ),
    _row("minPoolSize", coerce.COUNT, Keyword("minPoolSize"), "Connections kept open.", "0"),
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
            "PyMongo lets any number of threads wait for a connection; waitQueueTimeoutMS"
            " limits how long"
        ),
        "",
        "0",
    ),
    _row(
        "waitQueueTimeoutMS",
        coerce.MILLISECONDS,
        Keyword("waitQueueTimeoutMS", unless_zero(NEVER)),
        "Milliseconds that a thread waits for a free connection; 0 = as long as it takes.",
        "0",
    ),
    _row("w", kinds.WRITE_CONCERN, W, W_DOC, '"majority"'),
    _row(
        "wtimeoutMS",
        coerce.MILLISECONDS,
        W_TIMEOUT,
        "Milliseconds to wait for `w`; 0 = never give up.",
        "0",
        default=0,
    ),
    _row("journal", coerce.BOOLEAN, JOURNAL, "Whether a write waits for the journal.", "false"),
    _row(
        "readConcernLevel",
        kinds.READ_CONCERN_LEVEL,
        Keyword("readConcernLevel"),
        "How durable the data is that a read may see.",
        '"local"',
    ),
    _row(
        "readPreference",
        kinds.READ_PREFERENCE,
        Keyword("readPreference"),
        "Which member answers reads. Away from the primary, a session may be older than the last"
        " answer to its user. Not given: the primary.",
        '"secondaryPreferred"',
    ),
    _row(
        "readPreferenceTags",
        kinds.TAG_SETS,
        Keyword("readPreferenceTags", tag_sets),
        "Which members may answer: tag sets in order of preference, as text `dc:ny,rack:1`, as an"
        " object, or a list of either. Needs a `readPreference` other than `primary`.",
        '"TAG"',
    ),
    _row(
        "authSource",
        coerce.TEXT,
        Keyword("authSource"),
        "Database that knows the user. Not given: the one that holds the sessions, and with `url`"
        " the one in the URL or `admin`.",
        "null",
    ),
    _row(
        "authMechanism",
        kinds.MECHANISM,
        Keyword("authMechanism"),
        "How to authenticate: "
        + ", ".join(f"`{name}`" for name in kinds.MECHANISMS)
        + ". Not given: the SCRAM that the server prefers.",
        "null",
    ),
    _row(
        "gssapiServiceName",
        coerce.TEXT,
        Keyword("gssapiServiceName", note="`authMechanismProperties` `SERVICE_NAME`"),
        "Kerberos service name; only `GSSAPI` uses it.",
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
