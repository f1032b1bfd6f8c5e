"""The rows at the top of a dbConfig, and of ``credentials`` and ``store``."""

from __future__ import annotations

from typing import Any

from beaker_mongo_soajs.options import coerce, kinds, servers
from beaker_mongo_soajs.options.coerce import Kind
from beaker_mongo_soajs.options.option import Effect, Option, Setting

_FOREVER = coerce.FOREVER_MS
_TEXT = Kind("text", coerce.read_text, nullable=False)
_BOOLEAN = Kind("true or false", coerce.read_boolean, nullable=False)
_EXPIRY = Kind("milliseconds, 1 or more", coerce.integer(1, _FOREVER), nullable=False)


def _take(value: Any) -> Any:
    return value


SOURCE = Kind("connection string", _take)
LITERAL_TEXT = Kind("text", coerce.read_text, null_words=False)


def _top(name: str, kind: Kind, what: str, doc: str, reference: str = "", **more: Any) -> Option:
    return Option((name,), kind, Setting(what), doc, reference=reference, **more)


TOP = (
    _top(
        "name",
        _TEXT,
        "names the database",
        "Name of the database. Empty: error 190.",
        '"sessionDB"',
        default="sessionDB",
    ),
    _top(
        "prefix",
        _TEXT,
        "stands in front of the database's name",
        "Put in front of `name`: the database is prefix + name.",
        '""',
        default="",
    ),
    _top(
        "servers",
        servers.SERVERS,
        "says where to connect to",
        'One server, or several: `{"host": …, "port": …}` or `"host:port"` each. In INI text,'
        " commas stand between them.",
        '[{"host": "127.0.0.1", "port": 27017}]',
        default=(("127.0.0.1", 27017),),
    ),
    _top(
        "collection",
        _TEXT,
        "names the collection",
        "Name of the collection; for caches the default is `cache`. Empty: error 191.",
        '"sessions"',
        default="sessions",
    ),
    _top(
        "stringify",
        _BOOLEAN,
        "chooses the form of a stored session",
        "`false`: a session is stored as a sub-document; `true`: as JSON text.",
        "false",
        default=False,
    ),
    _top(
        "expireAfter",
        _EXPIRY,
        "limits the life of a session that has no timeout",
        "Milliseconds that a session lives which has no timeout of its own; here two weeks.",
        "1209600000",
        default=1209600000,
    ),
    _top(
        "url",
        SOURCE,
        "says where to connect to",
        "A connection string, instead of `servers`. Its database holds unless `name` is given,"
        " its options count as `URLParam`.",
        secret=True,
    ),
    _top(
        "client",
        Kind("MongoClient", _take),
        "is used as it is, and never closed",
        "A `MongoClient` of your own, instead of `servers`, `url`, `credentials`, `URLParam` and"
        " `extraParam`. Make it after the server forks.",
    ),
    _top(
        "dbConfig",
        Kind("object, JSON text, or path of a JSON file", _take),
        "holds options",
        "All of this in one object. An option given by itself goes before it.",
    ),
)
CREDENTIALS = tuple(
    Option(("credentials", name), LITERAL_TEXT, Setting(what), doc, reference='""', secret=True)
    for name, what, doc in (
        ("username", "is who authenticates", "Who authenticates."),
        ("password", "is how", "Any character is allowed, and none is escaped."),
    )
)


def _store(name: str, kind: Kind, what: str, doc: str, default: Any, **more: Any) -> Option:
    effect: Effect = Setting(what)
    return Option(("store", name), kind, effect, doc, default=default, **more)


_MINUTES = Kind("minutes", coerce.number(0), nullable=False)
_LEASE = Kind("seconds", coerce.number(0), nullable=False)
STORE = (
    _store(
        "touchAfter",
        coerce.SECONDS,
        "spares writes",
        "Seconds: the times of an unchanged session are written at most this often. Must be"
        " below the session timeout.",
        0,
    ),
    _store(
        "autoRemove",
        coerce.one_of("native", "interval", "disabled"),
        "chooses who removes what has expired",
        "`native`: a TTL index; `interval`: this package deletes from time to time, where TTL"
        " indexes do not exist; `disabled`: nobody.",
        "native",
    ),
    _store("autoRemoveInterval", _MINUTES, "times `interval`", "Minutes, for `interval`.", 10),
    _store(
        "pickle",
        coerce.BOOLEAN,
        "decides about values that no document can hold",
        "`true`: values that no document can hold are stored pickled. `false`: they are an"
        " error that names them.",
        False,
    ),
    _store(
        "signingKey",
        kinds.SIGNING_KEY,
        "signs what is pickled",
        "Key of the HMAC over every pickled payload; one whose signature fails is never loaded.",
        None,
        secret=True,
    ),
    _store(
        "transformId",
        coerce.one_of("sha256"),
        "hides session ids",
        "`sha256`: a digest of the session id is stored instead of the id.",
        None,
    ),
    _store(
        "dataSerializer",
        coerce.one_of("pickle", "json"),
        "fits Beaker's `data_serializer`",
        "What Beaker's Session expects where a document does not say.",
        "pickle",
    ),
    _store(
        "expressCookie",
        coerce.BOOLEAN,
        "serves express-session",
        "Whether to write the `session.cookie` that express-session needs.",
        False,
    ),
    _store("lockLease", _LEASE, "limits locks", "Seconds that a lock outlives its owner.", 30),
    _store(
        "onUnavailable",
        coerce.one_of("raise", "anonymous"),
        "decides about outages",
        "`anonymous`: while the database is away, `MongoSession` is an empty session that is"
        " not saved. `raise`: it is an error.",
        "raise",
    ),
    _store(
        "indexes",
        kinds.INDEX_FIELDS,
        "adds indexes",
        "Fields to index besides the TTL index: `session.user`.",
        (),
    ),
)

ROWS = TOP + CREDENTIALS + STORE
