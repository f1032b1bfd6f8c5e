"""The rows at the top of a dbConfig, and of ``credentials`` and ``store``."""

from __future__ import annotations

from typing import Any

from beaker_mongo_soajs.options import coerce, kinds, servers
from beaker_mongo_soajs.options.coerce import InvalidValue, Kind
from beaker_mongo_soajs.options.option import Effect, Option, Setting

_FOREVER = coerce.FOREVER_MS
_TEXT = Kind("text", coerce.read_text, nullable=False)
_BOOLEAN = Kind("true or false", coerce.read_boolean, nullable=False)


def read_expiry(value: Any) -> int:
    """Read ``expireAfter``. A number below a minute is taken for a mistake: seconds."""
    milliseconds: int = coerce.duration(coerce.integer(1, _FOREVER))(value)
    if milliseconds < coerce.MINUTE_MS:
        raise InvalidValue(
            f"at least {coerce.MINUTE_MS} milliseconds, which is one minute; for {milliseconds}"
            f' seconds, write "{milliseconds}s" or {milliseconds * 1000}'
        )
    return milliseconds


_EXPIRY = Kind("milliseconds, 60000 or more", read_expiry, nullable=False)


def _take(value: Any) -> Any:
    return value


SOURCE = Kind("connection string", _take)
LITERAL_TEXT = Kind("text", coerce.read_text, null_words=frozenset({""}))


def _top(name: str, kind: Kind, what: str, doc: str, reference: str = "", **more: Any) -> Option:
    return Option((name,), kind, Setting(what), doc, reference=reference, **more)


TOP = (
    _top(
        "name",
        _TEXT,
        "the name of the database",
        "Name of the database. Empty: error 190.",
        '"sessionDB"',
        default="sessionDB",
    ),
    _top(
        "prefix",
        _TEXT,
        "the first part of the database's name",
        "The database's name is prefix + name.",
        '""',
        default="",
    ),
    _top(
        "servers",
        servers.SERVERS,
        "the servers to connect to",
        'One server or several, each `{"host": …, "port": …}` or `"host:port"`. In INI text,'
        " they are separated by commas.",
        '[{"host": "127.0.0.1", "port": 27017}]',
        default=(("127.0.0.1", 27017),),
        guarded=True,
    ),
    _top(
        "collection",
        _TEXT,
        "the name of the collection",
        "Name of the collection; for caches the default is `cache`. Empty: error 191.",
        '"sessions"',
        default="sessions",
    ),
    _top(
        "stringify",
        _BOOLEAN,
        "the storage form of sessions",
        "`false`: a session is stored as a sub-document. `true`: as JSON text.",
        "false",
        default=False,
    ),
    _top(
        "expireAfter",
        _EXPIRY,
        "the lifetime of a session without a timeout",
        "Lifetime of a session that has no timeout, in milliseconds. The default is two weeks.",
        "1209600000",
        default=1209600000,
    ),
    _top(
        "url",
        SOURCE,
        "the connection string",
        "A connection string, instead of `servers`. `name` overrides its database. Its options are"
        " read as `URLParam`.",
        secret=True,
    ),
    _top(
        "client",
        Kind("MongoClient", _take),
        "used unchanged, and never closed",
        "Your own `MongoClient`, instead of `servers`, `url`, `credentials`, `URLParam` and"
        " `extraParam`. Create it after the server forks.",
    ),
    _top(
        "dbConfig",
        Kind("object, JSON text, or path of a JSON file", _take),
        "a group of options",
        "All options in one object. Individual options override `dbConfig`.",
    ),
)
CREDENTIALS = tuple(
    Option(("credentials", name), LITERAL_TEXT, Setting(what), doc, reference='""', secret=True)
    for name, what, doc in (
        ("username", "the user to authenticate", "Name of the user, unescaped."),
        ("password", "the user's password", "Password, unescaped. Any character is allowed."),
    )
)


def _store(name: str, kind: Kind, what: str, doc: str, default: Any, **more: Any) -> Option:
    effect: Effect = Setting(what)
    return Option(("store", name), kind, effect, doc, default=default, **more)


_MINUTES = Kind("minutes", coerce.duration(coerce.number(0), coerce.MINUTE_MS), nullable=False)
_MAX_LIFETIME = Kind("seconds", coerce.duration(coerce.number(0), 1000))
_LEASE = Kind("seconds", coerce.duration(coerce.number(0), 1000), nullable=False)
STORE = (
    _store(
        "touchAfter",
        coerce.SECONDS,
        "the interval between writes of unchanged sessions",
        "Seconds. Writes the access times of an unchanged session at most once per interval. Must"
        " be less than the session timeout. Default: a sixtieth of the timeout (of ``expireAfter``"
        " without one), at most 60. 0 writes them with every request.",
        None,
    ),
    _store(
        "autoRemove",
        coerce.one_of("native", "interval", "disabled"),
        "how expired sessions are removed",
        "`native`: by a TTL index. `interval`: by this package, for servers without TTL indexes."
        " `disabled`: not at all.",
        "native",
    ),
    _store(
        "autoRemoveInterval",
        _MINUTES,
        "the interval between two removals",
        "Minutes between two removals, for `interval`.",
        10,
    ),
    _store(
        "pickle",
        coerce.BOOLEAN,
        "how other Python objects are stored",
        "`true`: values that a document cannot hold are stored pickled. `false`: they are an"
        " error that names the value.",
        False,
    ),
    _store(
        "signingKey",
        kinds.SIGNING_KEYS,
        "the key that signs pickled values and ciphertext",
        "Key of the HMAC of every pickled payload and every ciphertext, 16 bytes or more. A payload"
        " with a wrong signature is never unpickled. Of a list of keys, the first signs and all"
        " verify.",
        None,
        secret=True,
    ),
    _store(
        "transformId",
        coerce.one_of("sha256"),
        "how session ids are stored",
        "`sha256`: store a digest of the session id instead of the id.",
        None,
    ),
    _store(
        "dataSerializer",
        coerce.one_of("pickle", "json"),
        "the `data_serializer` of documents that do not name one",
        "The `data_serializer` of documents that do not name one.",
        "pickle",
    ),
    _store(
        "expressCookie",
        coerce.BOOLEAN,
        "whether express-session can read the documents",
        "Whether to write the `session.cookie` that express-session needs.",
        False,
    ),
    _store(
        "timestamps",
        coerce.BOOLEAN,
        "the dates of a session's creation and last write",
        "Whether to write `createdAt` and `updatedAt`, as connect-mongo does with this option.",
        False,
    ),
    _store(
        "maxLifetime",
        _MAX_LIFETIME,
        "when a session ends that is in use",
        "Seconds after its creation at which a session ends, also if it is in use. Default: no"
        " limit.",
        None,
    ),
    _store(
        "lockLease",
        _LEASE,
        "how long the lock of a crashed process is held",
        "Seconds after which the lock of a crashed process is released.",
        30,
    ),
    _store(
        "onUnavailable",
        coerce.one_of("raise", "anonymous", "create"),
        "how requests are answered during an outage",
        "`anonymous`: during an outage, `MongoSession` is an empty session that is not saved."
        " `create`: during an outage, cached functions are called and nothing is stored."
        " `raise`: an outage is an error, as it is for everything else.",
        "raise",
    ),
    _store(
        "createIndexes",
        coerce.BOOLEAN,
        "whether indexes are made",
        "`true`: make missing indexes in a thread of their own; no request waits for it. `false`:"
        " make none.",
        True,
    ),
    _store(
        "logCommands",
        coerce.BOOLEAN,
        "whether PyMongo logs ids and data",
        "`false`: in PyMongo's debug log, hide the values of commands to the collections of this"
        " package. `true`: log session ids and session data.",
        False,
    ),
    _store(
        "userKey",
        kinds.SESSION_KEY,
        "the key of a session that holds its user",
        "Key of a session that holds its user, for `destroy_others()` and `beaker-mongo list"
        " --user`: `_user_id`, `auth.userid`, or `passport.user` in a sub-document. If it is set,"
        " sessions that are stored as sub-documents are indexed by it.",
        "user",
    ),
    _store(
        "indexes",
        kinds.INDEX_FIELDS,
        "further indexes",
        "Fields to index in addition to the TTL index: `session.user`.",
        (),
    ),
)

ROWS = TOP + CREDENTIALS + STORE
