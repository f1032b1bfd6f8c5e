"""Helpers for the tests of MongoSession."""

import datetime
from collections.abc import Callable

from beaker.session import SessionObject

from tests.application import KEYS, Site, only_document
from tests.conftest import Db, Options

MakeSite = Callable[..., Site]

# With these options, the driver neither retries nor searches for another server.
REFUSED = 8000
PAST = datetime.datetime(2020, 1, 1)
VARIANTS: dict[str, Options] = {
    "native": {},
    "text": {"stringify": True},
    "json": {"data_serializer": "json", "store": {"dataSerializer": "json"}},
    "encrypted": KEYS,
    "encrypted json": KEYS | {"data_serializer": "json"},
    "encrypted signed": KEYS | {"store": {"signingKey": "0123456789abcdef0123456789abcdef"}},
    "digested ids": {"store": {"transformId": "sha256"}},
}


def age(database: Db, seconds: float) -> None:
    """Move the last use of the only stored session into the past."""
    document = only_document(database)
    if isinstance(document["session"], dict):
        document["session"]["_accessed_time"] -= seconds
    document["expires"] -= datetime.timedelta(seconds=seconds)
    database.sessions.replace_one({"_id": document["_id"]}, document)


def login(session: SessionObject) -> None:
    """Log in under a new id."""
    session.regenerate_id()
    session["user"] = "ann"
    session.save()
