"""PyMongo's errors, translated into those of this package."""

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from bson.errors import BSONError
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import (
    BeakerMongoError,
    SerializationError,
    StoreError,
    StoreRefused,
    StoreUnavailable,
)
from beaker_mongo_soajs.metrics import emit, listeners
from beaker_mongo_soajs.mongo.login import (
    UNAUTHORIZED,
    find_login_hint,
    find_rights_hint,
    is_login_refused,
)

DRIVER_ERRORS = (PyMongoError, BSONError, OverflowError, UnicodeError)
"""What PyMongo raises: its own errors, BSON's, and Python's where BSON refuses a number or text."""

_CLIENT_ERRORS = (ConfigurationError, InvalidOperation)
"""Errors of a client before anything is sent. Their text names servers and quotes no document."""

_UNSUPPORTED_FEATURE = 303
_TOO_LARGE = frozenset({10334, 17419, 17420})
_TOO_DEEP = 15
_NOT_A_SUBDOCUMENT = frozenset({28, 40400})
_DUPLICATE_KEY = frozenset({11000, 11001, 12582})

_USE_ANOTHER_NAME = "Use the spelling of the database that exists, in the option name."
_UNKNOWN_COMMAND = "Use MongoDB 4.4 or later, or another server that supports this command."

# What a server refuses for good, and what to do. Every other code is taken for an outage: those of
# failovers, shutdowns and time limits, and those that nobody foresaw.
_REFUSALS: dict[int, str] = {
    121: "The collection has a validator that does not allow this document: change the validator "
    "with collMod, or use another collection.",
    166: "It is a view or a time series: use an ordinary collection.",
    20: "It may be capped, or a command may not be allowed on it: use an ordinary collection.",
    10003: "It is capped: use an ordinary collection.",
    10101: "It is capped: use an ordinary collection.",
    73: "Choose other names in the options name and collection.",
    13297: _USE_ANOTHER_NAME,
    2: "Check the options, and look for documents that other programs wrote.",
    9: _UNKNOWN_COMMAND,
    14: "Look for documents that other programs wrote.",
    59: _UNKNOWN_COMMAND,
    115: _UNKNOWN_COMMAND,
    168: _UNKNOWN_COMMAND,
    238: _UNKNOWN_COMMAND,
    _UNSUPPORTED_FEATURE: _UNKNOWN_COMMAND,
    40324: _UNKNOWN_COMMAND,
    61: "Shard the collection on {_id: 'hashed'}.",
    72: "Check the options in URLParam and extraParam.",
    79: "Check w in URLParam: no such write concern is defined.",
    100: "Check w in URLParam: the replica set has fewer members than that.",
    52: "Look for names with a leading $ in the session.",
    57: "Look for names with a dot in the session.",
    66: "Look for documents that other programs wrote.",
}
_CLIENT_DETAILS = re.compile(r" \(configured timeouts:.*?\)|, Timeout: [0-9.]+s$")
_SYSTEM_ERROR = re.compile(r": \[Errno -?[0-9]+\] ([^,()]+)")
_SERVERS_APART = re.compile(r"\),(?=\S)")
_NOTHING_SENT = "Nothing was sent. Try again later."
_NOTHING_CHANGED = "Nothing was changed. Try again later."
_MAYBE_DONE = "The command may or may not have been carried out. The request can be repeated."


def translated(
    error: Exception,
    namespace: str = "",
    *,
    reads: bool = False,
    config: DbConfig | None = None,
) -> BeakerMongoError:
    """Return this package's error for one of PyMongo's.

    The server's own text is left out: it may quote documents, session ids and data.

    :param error: one of :data:`DRIVER_ERRORS`.
    :param namespace: ``database.collection``, for the message.
    :param reads: whether the command only reads.
    :param config: the configuration, for what to check after a refused login.
    """
    code = error.code if isinstance(error, OperationFailure) else None
    return (
        _unstorable(error, code)
        or _refused_login(error, code, namespace, config)
        or _refused(error, code, namespace)
        or _unavailable(error, code, namespace, reads=reads)
    )


def raise_translated(
    error: Exception,
    namespace: str = "",
    *,
    reads: bool = False,
    config: DbConfig | None = None,
) -> NoReturn:
    """Raise this package's error for one of PyMongo's.

    Only errors of the connection and of the client become its cause: the text of any other error
    may quote a document.

    :param error: one of :data:`DRIVER_ERRORS`.
    :param namespace: as for :func:`translated`.
    :param reads: as for :func:`translated`.
    :param config: as for :func:`translated`.
    """
    cause = error if isinstance(error, (ConnectionFailure, *_CLIENT_ERRORS)) else None
    own_error = translated(error, namespace, reads=reads, config=config)
    if listeners and isinstance(own_error, StoreError):
        refused = isinstance(own_error, StoreRefused)
        event = "store.refused" if refused else "store.unavailable"
        emit(event, namespace, code=own_error.code)
    raise own_error from cause


def is_duplicate_id(error: DuplicateKeyError) -> bool:
    """Tell whether an ``_id`` exists already, and not a value of another unique index.

    :param error: the error of an insert or upsert.
    """
    return duplicate_index(error) == "_id_"


def duplicate_index(error: OperationFailure) -> str:
    """Return the name of the unique index that refused a document.

    :param error: a duplicate key error.
    """
    details: Mapping[str, Any] = error.details or {}
    # PyMongo passes on the error of the command, or that of the one write in it.
    message = str(details.get("errmsg", "")) or str(error)
    named = re.search(r"index: (?:\S+\.\$)?(\S+)", message)
    if named:
        return named[1]
    fields = details.get("keyPattern")
    # Other servers may not name the index. Then it is the one that every collection has.
    return "_".join(fields) if isinstance(fields, Mapping) and [*fields] != ["_id"] else "_id_"


def _unstorable(error: Exception, code: int | None) -> SerializationError | None:
    if isinstance(error, DocumentTooLarge) or code in _TOO_LARGE:
        return SerializationError(
            "The document would be larger than the 16 MB that MongoDB allows.",
            path="session",
            hint="Nothing was changed. Keep large values in a collection of their own.",
        )
    if code == _TOO_DEEP:
        return SerializationError(
            "The document would nest deeper than the 180 levels that MongoDB allows.",
            path="session",
            hint="Nothing was changed. Store a flatter value.",
        )
    if code in _NOT_A_SUBDOCUMENT:
        return SerializationError(
            "The stored session is no longer the sub-document that was loaded.",
            path="session",
            hint="Nothing was changed. Use the same stringify in all applications.",
        )
    if isinstance(error, (BSONError, OverflowError, UnicodeError)):
        return SerializationError(
            f"The document is not valid BSON ({type(error).__name__}).",
            path="session",
            hint="Nothing was changed. Store values that BSON can hold.",
        )
    return None


def _refused_login(
    error: Exception, code: int | None, namespace: str, config: DbConfig | None
) -> StoreRefused | None:
    where = f" on {namespace}" if namespace else ""
    if is_login_refused(error):
        return StoreRefused(
            f"MongoDB refused to log in the user ({_named(error, code)}).",
            code=code,
            hint=f"Nothing was changed. {find_login_hint(config)}",
        )
    if code == UNAUTHORIZED:
        return StoreRefused(
            f"MongoDB refused a command{where} ({_named(error, code)}).",
            code=code,
            hint=f"Nothing was changed. {find_rights_hint(config)}",
        )
    return None


def _refused(error: Exception, code: int | None, namespace: str) -> StoreRefused | None:
    if not isinstance(error, OperationFailure) or code is None:
        return None
    where = f" on {namespace}" if namespace else ""
    if code in _DUPLICATE_KEY:
        index = duplicate_index(error)
        return StoreRefused(
            f"The unique index {index}{where} refused the document (MongoDB error {code}).",
            code=code,
            hint=f"Nothing was changed. Drop the index, if nothing needs it: dropIndex('{index}'). "
            "Otherwise use another collection.",
        )
    if code not in _REFUSALS:
        return None
    written = isinstance(error, WriteConcernError)
    done = "The primary carried it out." if written else "Nothing was changed."
    return StoreRefused(
        f"MongoDB refused a command{where} ({_named(error, code)}).",
        code=code,
        hint=f"{done} {_REFUSALS[code]}",
    )


def _unavailable(
    error: Exception, code: int | None, namespace: str, *, reads: bool
) -> StoreUnavailable:
    where = f" on {namespace}" if namespace else ""
    hint = _NOTHING_CHANGED if reads else _MAYBE_DONE
    if isinstance(error, ConnectionFailure) and code is None:
        # The rest repeats hosts and times, or the server's answer.
        text = re.split(", (?:Topology Description|full error):", str(error))[0]
        text = _CLIENT_DETAILS.sub("", text).rstrip(".")
        text = _SYSTEM_ERROR.sub(lambda found: f" ({found[1].lower()})", text)
        text = _SERVERS_APART.sub("), ", text)
        if _found_no_server(error):
            return StoreUnavailable(f"MongoDB is unreachable: {text}.", hint=_NOTHING_SENT)
        return StoreUnavailable(f"MongoDB did not answer a command{where}: {text}.", hint=hint)
    if isinstance(error, _CLIENT_ERRORS):
        closed = isinstance(error, InvalidOperation)
        return StoreUnavailable(
            f"MongoDB cannot be used: {str(error).rstrip('.')}.",
            hint="Nothing was sent. "
            + ("Pass a client that is open." if closed else "Check servers, url and URLParam."),
        )
    if isinstance(error, WriteConcernError):
        return StoreUnavailable(
            f"Too few members confirmed a write{where} in time ({_named(error, code)}).",
            code=code,
            hint="The primary carried it out. The request can be repeated.",
        )
    return StoreUnavailable(
        f"MongoDB cannot carry out a command{where} now ({_named(error, code)}).",
        code=code,
        hint=hint,
    )


def _found_no_server(error: Exception) -> bool:
    if isinstance(error, ServerSelectionTimeoutError | WaitQueueTimeoutError):
        return True
    # The other end refused the connection before anything could be sent.
    return isinstance(error.__cause__ or error.__context__, ConnectionRefusedError)


def _named(error: Exception, code: int | None) -> str:
    details = error.details if isinstance(error, OperationFailure) else None
    name = details.get("codeName") if isinstance(details, Mapping) else None
    if code is None:
        return type(error).__name__
    known = isinstance(name, str) and re.fullmatch(r"\w{1,60}", name)
    return f"error {code}, {name}" if known else f"{type(error).__name__}, code {code}"
