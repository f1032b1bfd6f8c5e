"""A check of a collection and its indexes."""

from collections.abc import Iterator, Mapping
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.mongo.findings import Finding, ok, problem, warning
from beaker_mongo_soajs.mongo.indexes import (
    TTL_INDEX_NAME,
    existing_indexes,
    serves,
    session_indexes,
)
from beaker_mongo_soajs.mongo.login import UNAUTHORIZED

_SETTINGS = ("expireAfterSeconds", "partialFilterExpression", "collation", "hidden", "sparse")


def check_collection(config: DbConfig, client: MongoClient[Document]) -> list[Finding]:
    """Check the collection of a configuration, and its indexes.

    :param config: the configuration.
    :param client: a client that has a connection.
    :raises PyMongoError: the server does not answer.
    """
    database = client[config.database]
    found = [*_check_database(config, client), *_check_kind(config, client)]
    if any(finding.level.name == "PROBLEM" for finding in found):
        return found
    return [*found, *check_indexes(config, database[config.collection])]


def _check_database(config: DbConfig, client: MongoClient[Document]) -> Iterator[Finding]:
    try:
        names = client.list_database_names()
    except OperationFailure:
        # That takes a right of its own.
        return
    others = [name for name in names if name.lower() == config.database.lower()]
    if others and config.database not in others:
        yield problem(
            "collection",
            f"The database is {config.database}, but {others[0]} exists, and MongoDB does not allow"
            " names that differ in case alone.",
            f"Set name to {others[0]}.",
        )


def _check_kind(config: DbConfig, client: MongoClient[Document]) -> Iterator[Finding]:
    namespace = f"{config.database}.{config.collection}"
    try:
        cursor = client[config.database].list_collections(filter={"name": config.collection})
        found = next(iter(cursor), None)
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        return
    if found is None:
        yield ok("collection", f"{namespace} does not exist yet; the first session creates it")
        return
    options = found.get("options", {})
    kind = found.get("type", "collection")
    if kind != "collection":
        yield problem(
            "collection",
            f"{namespace} is a {kind}, in which no session can be saved.",
            "Set collection to the name of an ordinary collection.",
        )
    elif options.get("capped"):
        yield problem(
            "collection",
            f"{namespace} is capped: sessions cannot be deleted.",
            "Set collection to the name of an ordinary collection.",
        )
    elif "collation" in options:
        yield problem(
            "collection",
            f"{namespace} has a default collation: each request reads the whole collection.",
            "Copy the documents into a collection without a collation.",
        )
    elif options.get("validator"):
        yield warning(
            "collection",
            f"{namespace} has a validator, which may refuse sessions.",
            "Look at it with db.getCollectionInfos().",
        )
    else:
        yield ok("collection", namespace)


def check_indexes(config: DbConfig, collection: Collection[Document]) -> Iterator[Finding]:
    """Check the indexes that a configuration needs.

    :param config: the configuration.
    :param collection: the collection.
    """
    existing = existing_indexes(collection)
    for index in session_indexes(config):
        wanted = index.document
        name = str(wanted["name"])
        topic = "TTL index" if name == TTL_INDEX_NAME else "index"
        if any(serves(wanted, found) for found in existing):
            yield ok(topic, f"{name} exists")
            continue
        other = find_conflict(wanted, existing)
        if other is not None:
            yield problem(
                topic,
                f"The index {other['name']} on {', '.join(other['key'])} {_describe(other)}.",
                f"Run beaker-mongo index drop {other['name']}, then beaker-mongo index create.",
            )
        elif config.store.create_indexes:
            yield warning(
                topic,
                f"{name} does not exist yet; the first request makes it.",
                "Nothing, or run beaker-mongo index create.",
            )
        else:
            yield problem(
                topic,
                f"{name} does not exist, and store.createIndexes is false.",
                "Run beaker-mongo index create.",
            )
    if config.store.auto_remove == "interval":
        yield ok("TTL index", "not needed: store.autoRemove is interval")
    elif config.store.auto_remove == "disabled":
        yield warning(
            "TTL index",
            "store.autoRemove is disabled: expired sessions are never removed.",
            "Run beaker-mongo clear --expired regularly, or set store.autoRemove to native.",
        )


def find_conflict(
    wanted: Mapping[str, Any], existing: list[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return the index that keeps another from being made: it has its name or its fields.

    :param wanted: the definition of the wanted index.
    :param existing: the definitions of the existing indexes.
    """
    keys = list(wanted["key"].items())
    for found in existing:
        if found["name"] == wanted["name"] or list(found["key"].items()) == keys:
            return found
    return None


def _describe(found: Mapping[str, Any]) -> str:
    settings = [f"{name} {found[name]!r}" for name in _SETTINGS if name in found]
    return f"is another one than needed: it has {', '.join(settings) or 'no expireAfterSeconds'}"
