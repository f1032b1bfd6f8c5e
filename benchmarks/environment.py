"""The servers of a site."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pymongo import MongoClient

Client = MongoClient[dict[str, Any]]


@dataclass(frozen=True)
class Environment:
    """The servers of a site, its database, and a folder.

    :param mongo_url: the URL of MongoDB for the site.
    :param redis_url: the URL of Redis for the site; ``None`` without Redis.
    :param direct: a client of MongoDB without a proxy, to prepare and to check data.
    :param direct_redis: the same for Redis.
    :param folder: a folder for files.
    :param database: the name of a database that only this site uses.
    """

    mongo_url: str
    redis_url: str | None
    direct: Client
    direct_redis: Any
    folder: Path
    database: str

    @cached_property
    def client(self) -> Client:
        """A client for sites that need one."""
        return MongoClient(self.mongo_url)

    def close(self) -> None:
        """Close the client, if it was made."""
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.close()
