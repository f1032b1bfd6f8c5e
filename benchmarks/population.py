"""Many sessions, copied from one saved session."""

import math
import secrets
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

SAMPLE = 20_000
"""The number of sessions that are visited, at random, of a million."""

_THOUSAND = 1000
# Sixteen digits; twice as many are as long as an id of Beaker.
_RANDOM_DIGITS = {"$toString": {"$toLong": {"$multiply": [{"$add": [{"$rand": {}}, 1]}, 10**15]}}}


def new_ids(number: int, like: str) -> list[str]:
    """Return random session ids.

    :param number: the number of ids.
    :param like: an id of the same length.
    """
    return [secrets.token_hex(len(like))[: len(like)] for _ in range(number)]


def copy_documents(
    collection: Collection[dict[str, Any]], query: dict[str, Any], session_id: str, number: int
) -> list[str]:
    """Insert copies of a document under other session ids.

    The copies differ in the id only, so they are not encoded one by one.

    :param collection: the collection of the document and of the copies.
    :param query: the query for the document.
    :param session_id: the session id in the document.
    :param number: the number of copies.
    :returns: the session ids of the copies, or of some of them if there are very many.
    """
    if number > SAMPLE:
        return multiply_document(collection, query, session_id, number)
    document = collection.find_one(query)
    assert document is not None
    if isinstance(document["_id"], bson.ObjectId):
        # The server sets a new one in each copy.
        del document["_id"]
    pattern = bson.encode(document)
    before = session_id.encode()
    ids = new_ids(number, session_id)
    assert before in pattern
    copies = (RawBSONDocument(pattern.replace(before, new.encode())) for new in ids)
    collection.insert_many(copies, ordered=False)
    return ids


def multiply_document(
    collection: Collection[dict[str, Any]], query: dict[str, Any], session_id: str, number: int
) -> list[str]:
    """Fill a collection with copies of a document on the server, unless it is full already.

    :param collection: the collection of the document, which the copies replace.
    :param query: the query for the document by its ``_id``, which contains the session id.
    :param session_id: the session id.
    :param number: the number of copies, rounded up to thousands.
    :returns: the session ids of some random copies.
    """
    before, _, after = query["_id"].partition(session_id)
    if collection.estimated_document_count() < number:
        document = collection.find_one(query, {"_id": 0})
        assert document is not None
        seeds = collection.database.seeds
        seeds.insert_many([{} for _ in range(math.ceil(number / _THOUSAND))])
        fields = {name: {"$literal": item} for name, item in document.items()}
        fields["_id"] = {"$concat": [before, _RANDOM_DIGITS, _RANDOM_DIGITS, after]}
        seeds.aggregate(
            [
                {"$project": {"n": {"$range": [0, _THOUSAND]}}},
                {"$unwind": "$n"},
                {"$project": fields},
                {"$out": collection.name},
            ]
        )
        seeds.drop()
    found = collection.aggregate([{"$sample": {"size": SAMPLE}}, {"$project": {"_id": 1}}])
    names = [each["_id"] for each in found]
    return [name.removeprefix(before).removesuffix(after) for name in names]


def copy_keys(client: Any, pattern: str, session_id: str, number: int) -> list[str]:
    """Set copies of a Redis value under other session ids.

    :param client: the client of the server.
    :param pattern: the key, with ``{}`` for the session id.
    :param session_id: the id of the session to copy.
    :param number: the number of copies.
    :returns: the session ids of the copies.
    """
    name = pattern.format(session_id)
    value, seconds = client.get(name), client.ttl(name)
    assert value is not None
    ids = new_ids(number, session_id)
    for start in range(0, number, 10_000):
        with client.pipeline(transaction=False) as pipeline:
            for new in ids[start : start + 10_000]:
                pipeline.set(pattern.format(new), value, ex=seconds if seconds > 0 else None)
            pipeline.execute()
    return ids
