"""What MongoDB allows as the name of a database or a collection.

The rules stand in the MongoDB manual, "MongoDB Limits and Thresholds", under "Naming Restrictions";
the sets are those of a server on Linux.
"""

from __future__ import annotations

from beaker_mongo_soajs.exceptions import ConfigError

LONGEST_DATABASE = 63
LONGEST_NAMESPACE = 255
_NOT_IN_DATABASE = '/\\. "$\0'


def check_database(database: str, option: str = "name") -> str:
    """Check the name of a database.

    :param database: the name
    :param option: the option that an error names
    :returns: the name
    :raises ConfigError: with code 190 when it is empty
    """
    if not database:
        raise ConfigError(
            f"{option} is empty, so there is no database to connect to.",
            option=option,
            value=database,
            hint="Set name to the name of the database.",
            code=190,
        )
    wrong = sorted(set(database) & set(_NOT_IN_DATABASE))
    if wrong:
        raise ConfigError(
            f"The database name {database!r} holds {', '.join(map(repr, wrong))}.",
            option=option,
            value=database,
            hint='MongoDB allows none of / \\ . " $, no space and no NUL in it.',
        )
    if len(database.encode()) > LONGEST_DATABASE:
        raise ConfigError(
            f"The database name {database!r} is {len(database.encode())} bytes long.",
            option=option,
            value=database,
            hint=f"MongoDB allows {LONGEST_DATABASE}, prefix and name together.",
        )
    return database


def check_collection(collection: str, database: str) -> str:
    """Check the name of a collection.

    :param collection: the name
    :param database: the database it is in, whose name counts towards the limit
    :returns: the name
    :raises ConfigError: with code 191 when it is empty
    """
    if not collection:
        raise ConfigError(
            "collection is empty, and a collection name is required.",
            option="collection",
            value=collection,
            hint='Set it, or leave it out for "sessions".',
            code=191,
        )
    why = _what_is_wrong(collection, database)
    if why:
        raise ConfigError(
            f"The collection name {collection!r} {why}.",
            option="collection",
            value=collection,
            hint="MongoDB does not allow that: choose another name.",
        )
    return collection


def _what_is_wrong(collection: str, database: str) -> str | None:
    if "$" in collection or "\0" in collection:
        return "holds $ or NUL"
    if collection.startswith("system."):
        return "starts with system., which is MongoDB's own"
    if collection.startswith(".") or collection.endswith(".") or ".." in collection:
        return "has a dot at an end, or two in a row"
    if len(f"{database}.{collection}".encode()) > LONGEST_NAMESPACE:
        return f"makes more than {LONGEST_NAMESPACE} bytes together with the database's"
    return None
