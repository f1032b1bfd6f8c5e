"""Commands for which PyMongo has no method, or a slower one."""

import time
from contextlib import nullcontext
from typing import Any

import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.errors import (
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    ServerSelectionTimeoutError,
    WriteError,
)

from beaker_mongo_soajs.mongo.documents import RAW_OPTIONS, Document

# MongoDB's specification of retryable reads; the others are connection failures to PyMongo.
_RETRYABLE_CODES = frozenset({6, 7, 89, 134, 262, 9001})
_MAX_TIME_EXPIRED = 50
_TYPE_MISMATCH = 14
# The type and the name of an element of BSON: of the list of documents, and of its only document.
_FIRST_BATCH = b"\x04firstBatch\0"
_FIRST_ELEMENT = b"\x030\0"


class TimeIsOver(Exception):
    """A deletion reached its time limit."""


def delete_within(
    collection: Collection[Document], query: Document, most_ms: int, exact: Document
) -> None:
    """Delete documents for a limited time.

    :param collection: the collection.
    :param query: the filter.
    :param most_ms: the time limit, in milliseconds.
    :param exact: the fields with which a command compares texts exactly.
    :raises TimeIsOver: there are more documents.
    """
    delete: Document = {"q": query, "limit": 0, **exact}
    command: Document = {"delete": collection.name, "deletes": [delete]}
    concern = collection.write_concern
    if not concern.is_server_default:
        command["writeConcern"] = concern.document
    try:
        answer: dict[str, Any] = collection.database.command(command, maxTimeMS=most_ms)
    except ExecutionTimeout:
        raise TimeIsOver from None
    # A router reports in its answer what a server raises.
    for error in answer.get("writeErrors", ()):
        if error.get("code") == _MAX_TIME_EXPIRED:
            raise TimeIsOver
        raise WriteError("", error.get("code"), error)
    if "writeConcernError" in answer:
        raise OperationFailure("", answer["writeConcernError"].get("code"))


def find_without_cursor(
    collection: Collection[RawBSONDocument], stored_id: object, exact: Document
) -> bytes | None:
    """Find a document by its ``_id``; PyMongo's ``find_one`` makes a cursor, which takes longer.

    :param collection: the collection.
    :param stored_id: the ``_id``.
    :param exact: as for :func:`delete_within`.
    :returns: the document as BSON, if there is one.
    """
    command = {"find": collection.name, "filter": {"_id": stored_id}, "limit": 1} | exact
    command["singleBatch"] = True
    if collection.read_concern.level is not None:
        command["readConcern"] = collection.read_concern.document
    database = collection.database
    began = time.monotonic()
    try:
        answer = database.command(
            command, read_preference=collection.read_preference, codec_options=RAW_OPTIONS
        )
    except ServerSelectionTimeoutError:
        # Another search for a server would take as long as this one.
        raise
    except (ConnectionFailure, OperationFailure) as error:
        options = database.client.options
        is_retryable = isinstance(error, ConnectionFailure) or error.code in _RETRYABLE_CODES
        if not is_retryable or not options.retry_reads:
            raise
        # timeoutMS limits all attempts together.
        left = None if options.timeout is None else began + options.timeout - time.monotonic()
        if left is not None and left <= 0:
            raise
        with nullcontext() if left is None else pymongo.timeout(left):
            # Only PyMongo's own methods are tried again.
            document = collection.find_one({"_id": stored_id}, **exact)
            return None if document is None else bytes(document.raw)
    return _only_document(answer["cursor"])


def _only_document(cursor: RawBSONDocument) -> bytes | None:
    """Return the document in the answer to a find, if there is one, as BSON."""
    raw = bytes(cursor.raw)
    begin = 4 + len(_FIRST_BATCH) + 4
    if raw.startswith(_FIRST_BATCH, 4) and raw.startswith(_FIRST_ELEMENT, begin):
        # PyMongo's objects for the list and the document would take longer.
        begin += len(_FIRST_ELEMENT)
        return raw[begin : begin + int.from_bytes(raw[begin : begin + 4], "little")]
    batch = cursor["firstBatch"]
    return bytes(batch[0].raw) if batch else None


def update_without(
    collection: Collection[RawBSONDocument],
    field: str,
    query: Document,
    update: Document,
    exact: Document,
) -> bool:
    """Update a document that does not have a certain field.

    A filter on more than ``_id`` takes MongoDB a tenth longer. Therefore the update contains
    ``$pop``, which does nothing if the field is missing. If the field is no list, ``$pop`` fails,
    and nothing is updated. Servers without collations are not MongoDB; they get a filter.

    :param collection: the collection.
    :param field: the field, which is a list in no document.
    :param query: the filter.
    :param update: the update.
    :param exact: as for :func:`delete_within`.
    :returns: whether such a document was found.
    """
    if not exact:
        query = query | {field: {"$exists": False}}
    else:
        update = update | {"$pop": {field: 1}}
    try:
        # As raw BSON, so that no decoder looks at each value of the answer.
        return collection.update_one(query, update, **exact).matched_count > 0
    except WriteError as error:
        if error.code != _TYPE_MISMATCH:
            raise
        return False
