"""What MongoDB holds, read for the page by a client of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from beaker_mongo_soajs import DbConfig
from examples.demo.lab import SHORT_SECONDS
from examples.demo.shops import SELECTION_TIMEOUT_MS

OBSERVER = "demo observer"
_BEAKERS_COLLECTION = "backer_cache"


@dataclass(frozen=True)
class Place:
    """The location of the sessions.

    :param server: the version and the address of the server
    :param collection: the database and the collection
    :param address: the address of the server
    """

    server: str
    collection: str
    address: str


@dataclass(frozen=True)
class View:
    """A document in MongoDB.

    :param document: the document, or ``None``
    :param problem: the reason if there is no document
    """

    document: dict[str, Any] | None
    problem: str = ""


class Observer:
    """The documents of the demo. Its commands are not shown.

    :param url: the connection string
    :param config: the configuration of the sessions
    :raises PyMongoError: the server does not answer
    """

    def __init__(self, url: str, config: DbConfig) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(
            url, serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS, appname=OBSERVER
        )
        self._database = self._client[config.database]
        self._collection = config.collection
        try:
            version = self._client.server_info()["version"]
            # A wrong password is found here, not by the first visitor.
            self._database.command("ping")
            self._database[self._collection].find_one({}, {"_id": 1})
        except PyMongoError:
            self.close()
            raise
        address = config.host.partition("://")[2].rstrip("/")
        self.place = Place(
            f"MongoDB {version} · {address}", f"{config.database}.{config.collection}", address
        )

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    def look(self, session_id: str) -> View:
        """Return the document of a session.

        :param session_id: the id.
        """
        return self._read(self._collection, session_id)

    def lab(self, session_id: str) -> View:
        """Return the document of a session of the lab.

        :param session_id: the id.
        """
        return self._read("lab", session_id)

    def beaker(self, session_id: str) -> View:
        """Return the document that Beaker's own backend wrote.

        :param session_id: the id.
        """
        return self._read(_BEAKERS_COLLECTION, f"{session_id}:session")

    def short(self, session_id: str) -> tuple[View, float]:
        """Return the document of a session of 20 seconds, and how many seconds it has left.

        :param session_id: the id.
        """
        view = self._read("short", session_id)
        session: Mapping[str, Any] = (view.document or {}).get("session", {})
        return view, max(0.0, session.get("_accessed_time", 0) + SHORT_SECONDS - time.time())

    def _read(self, collection: str, document_id: str) -> View:
        if not document_id:
            return View(None, "The session cannot be read while MongoDB does not answer.")
        try:
            document = self._database[collection].find_one({"_id": document_id})
        except PyMongoError:
            return View(None, "The document cannot be read: MongoDB does not answer.")
        return View(document, "There is no document for this session.")
