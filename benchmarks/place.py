"""Where a site keeps its sessions."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pymongo import MongoClient

Client = MongoClient[dict[str, Any]]


@dataclass(frozen=True)
class Place:
    """Where a site keeps its sessions.

    :param mongo_url: the URL by which the site reaches MongoDB.
    :param redis_url: the same for Redis; ``None`` where there is none.
    :param direct: a client that reaches MongoDB without a detour, to prepare things and look at
        them.
    :param direct_redis: the same for Redis.
    :param folder: for files.
    :param database: the name of a database that nobody else uses.
    """

    mongo_url: str
    redis_url: str | None
    direct: Client
    direct_redis: Any
    folder: Path
    database: str

    @cached_property
    def client(self) -> Client:
        """A client for a site that is to be given one."""
        return MongoClient(self.mongo_url)

    def close(self) -> None:
        """Close the client for a site, if one was made."""
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.close()
