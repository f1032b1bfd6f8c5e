"""PyMongo's errors turned into ours."""

from typing import NoReturn

from bson.errors import BSONError, InvalidDocument
from pymongo.errors import (
    ConnectionFailure,
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
)

from beaker_mongo_soajs.exceptions import BeakerMongoError, SerializationError, StoreUnavailable

DRIVER_ERRORS = (PyMongoError, BSONError, OverflowError, UnicodeError)
"""What PyMongo raises: its own errors, BSON's, and Python's where BSON refuses a number or text."""

AUTHENTICATION_FAILED = 18
UNAUTHORIZED = 13
_TOO_LARGE = frozenset({10334, 17419, 17420})
_TOO_DEEP = 15
_NOT_A_SUBDOCUMENT = frozenset({28, 40400})

_HINTS = {
    AUTHENTICATION_FAILED: "Check credentials, authSource and authMechanism.",
    UNAUTHORIZED: "Give the MongoDB user the role readWrite on this database, or set credentials.",
}


def translated(error: Exception) -> BeakerMongoError:
    """Return our error for one of PyMongo's.

    The server's own words stay out: they may quote documents, and with them session ids and data.

    :param error: one of :data:`DRIVER_ERRORS`.
    """
    code = error.code if isinstance(error, OperationFailure) else None
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
            hint="Nothing was changed. Give every application here the same stringify.",
        )
    if isinstance(error, (InvalidDocument, BSONError, OverflowError, UnicodeError)):
        return SerializationError(
            f"The document is not valid BSON ({type(error).__name__}).",
            path="session",
            hint="Nothing was changed.",
        )
    return StoreUnavailable(
        f"MongoDB did not carry out the command ({_described(error, code)}).",
        code=code,
        hint=_HINTS.get(
            code or 0, "It may or may not have been carried out; the request can be tried again."
        ),
    )


def raise_translated(error: Exception) -> NoReturn:
    """Raise our error for one of PyMongo's.

    Only a connection failure becomes its cause: the text of any other may quote a document.

    :param error: one of :data:`DRIVER_ERRORS`.
    """
    raise translated(error) from (error if isinstance(error, ConnectionFailure) else None)


def _described(error: Exception, code: int | None) -> str:
    kind = type(error).__name__
    if code is not None:
        return f"{kind}, code {code}"
    # A connection failure tells hosts and times, and no document. The topology behind it repeats
    # both.
    text = str(error).partition(", Topology Description")[0]
    return f"{kind}: {text}" if isinstance(error, ConnectionFailure) else kind
