"""MongoDB's rules for the names of databases and collections.

The rules are from the MongoDB manual, "MongoDB Limits and Thresholds", section "Naming
Restrictions", for a server on Linux.
"""

from __future__ import annotations

from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.masking import is_url, show

LONGEST_DATABASE = 63
LONGEST_NAMESPACE = 255
LOCKS_SUFFIX = "_locks"
"""The suffix of the collection that holds the locks of another collection."""

_NOT_IN_DATABASE = '/\\. "$\0'


def check_database(database: str, option: str = "name") -> str:
    """Check the name of a database.

    :param database: the name
    :param option: the option to name in an error
    :returns: the name
    :raises ConfigError: the name is not valid; code 190 if it is empty
    """
    if not database:
        raise ConfigError(
            f"{option} is empty, so no database is configured.",
            option=option,
            value=database,
            hint="Set name to the name of the database.",
            code=190,
        )
    if is_url(database):
        raise _is_a_url("The database name", option, database)
    wrong = sorted(set(database) & set(_NOT_IN_DATABASE))
    if wrong:
        raise ConfigError(
            f"The database name {show(database)} contains {', '.join(map(repr, wrong))}.",
            option=option,
            value=show(database),
            hint='MongoDB does not allow / \\ . " $, spaces and NUL in it. Change name.',
        )
    if len(database.encode()) > LONGEST_DATABASE:
        raise ConfigError(
            f"The database name {show(database)} is {len(database.encode())} bytes long.",
            option=option,
            value=show(database),
            hint=f"MongoDB allows {LONGEST_DATABASE} bytes. Shorten prefix or name.",
        )
    return database


def check_collection(collection: str, database: str) -> str:
    """Check the name of a collection.

    :param collection: the name
    :param database: the database, whose name counts towards the limit
    :returns: the name
    :raises ConfigError: the name is not valid; code 191 if it is empty
    """
    if not collection:
        raise ConfigError(
            "collection is empty, and a collection name is required.",
            option="collection",
            value=collection,
            hint='Set it, or remove it to use "sessions".',
            code=191,
        )
    if is_url(collection):
        raise _is_a_url("The collection name", "collection", collection)
    problem = _find_problem(collection, database)
    if problem:
        raise ConfigError(
            f"The collection name {show(collection)} {problem}.",
            option="collection",
            value=show(collection),
            hint="MongoDB does not allow that. Choose another name.",
        )
    return collection


def _find_problem(collection: str, database: str) -> str | None:
    if "$" in collection or "\0" in collection:
        return "contains $ or NUL"
    if collection.startswith("system."):
        return "starts with system., which is reserved"
    if collection.startswith(".") or collection.endswith(".") or ".." in collection:
        return "starts or ends with a dot, or has two dots in a row"
    if len(f"{database}.{collection}{LOCKS_SUFFIX}".encode()) > LONGEST_NAMESPACE:
        return (
            f"is too long: with the name of the database and {LOCKS_SUFFIX}, the suffix of the"
            f" collection of locks, it has more than {LONGEST_NAMESPACE} bytes"
        )
    return None


def _is_a_url(what: str, option: str, value: str) -> ConfigError:
    return ConfigError(
        f"{what} {show(value)} is a connection string.",
        option=option,
        value=show(value),
        hint="Set the option url to it.",
    )
