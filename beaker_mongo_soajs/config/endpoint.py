"""The servers, the user and the database: from ``servers``, ``url`` or ``client``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConfigurationError

from beaker_mongo_soajs.config.connection_string import parse_connection_string
from beaker_mongo_soajs.config.credentials import Credentials
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.options.masking import show
from beaker_mongo_soajs.options.option import Path
from beaker_mongo_soajs.options.servers import Address
from beaker_mongo_soajs.options.table import TABLE


@dataclass(frozen=True)
class Endpoint:
    """Hold the servers, the user and the name of the database.

    :param servers: host and port of each server; empty with ``client``
    :param credentials: the user's name and password, or ``None``
    :param name: name of the database without the prefix; empty if none is configured
    :param srv: whether the one host is looked up in the DNS
    :param auth_database: the database to authenticate against, which ``authSource`` overrides;
        ``None`` for the database of the sessions
    :param url: the connection string as given
    :param url_options: names and values of its options
    :param client: the caller's own client
    """

    servers: tuple[Address, ...]
    credentials: Credentials | None
    name: str
    srv: bool = False
    auth_database: str | None = None
    url: str | None = field(default=None, repr=False)
    url_options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    client: MongoClient[Any] | None = field(default=None, repr=False)

    @classmethod
    def from_values(cls, values: Mapping[Path, Any]) -> Endpoint:
        """Take the endpoint from the options.

        :param values: the given options
        :returns: the endpoint
        :raises ConfigError: an option is invalid, or contradicts another
        """
        url, client = values.get(("url",)), values.get(("client",))
        if isinstance(url, MongoClient) and client is None:
            # Beaker's own ext:mongodb accepts a client as its url.
            url, client = None, url
        if client is not None:
            return _from_client(values, client)
        if url is not None:
            return _from_url(values, url)
        servers = values.get(("servers",), TABLE["servers",].default)
        if not servers:
            raise TABLE["servers",].error(
                [],
                "a list of one server or more",
                code=190,
                hint="Remove the option to use 127.0.0.1:27017.",
            )
        name = values.get(("name",), TABLE["name",].default)
        return cls(servers, _read_credentials(values), name)


def _from_client(values: Mapping[Path, Any], client: Any) -> Endpoint:
    if not isinstance(client, MongoClient):
        raise ConfigError(
            f"client is {show(client)}: it must be a pymongo.MongoClient.",
            option="client",
            value=show(client),
        )
    if not client.write_concern.acknowledged:
        raise ConfigError(
            "client writes without acknowledgement (w = 0).",
            option="client",
            hint="Create it with another write concern: the store relies on the server's answers.",
        )
    groups = ("servers", "credentials", "URLParam", "extraParam")
    for path in values:
        if path[0] in groups or (path == ("url",) and values[path] is not client):
            raise _excludes(
                "client", TABLE[path].name, "A client has all of these settings already."
            )
    name = values.get(("name",))
    if name is None:
        try:
            name = client.get_default_database().name
        except ConfigurationError:
            name = ""
    return Endpoint((), None, name, client=client)


def _from_url(values: Mapping[Path, Any], url: Any) -> Endpoint:
    if not isinstance(url, str):
        raise ConfigError(
            f"url is {show(url)}: it must be a connection string.", option="url", value=show(url)
        )
    parts = parse_connection_string(url)
    if ("servers",) in values:
        raise _excludes("url", "servers", "The URL names the servers already.")
    credentials = _read_credentials(values)
    if credentials and parts.username is not None:
        raise _excludes("url", "credentials", "The URL names a user already.")
    if parts.username is not None:
        credentials = Credentials(parts.username, parts.password)
    return Endpoint(
        servers=parts.servers,
        credentials=credentials,
        name=values.get(("name",), parts.database or ""),
        srv=parts.srv,
        auth_database=parts.database or "",
        url=url,
        url_options=parts.options,
    )


def _excludes(one: str, other: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{one} and {other} are both given.", option=other, hint=f"{reason} Remove one of them."
    )


def _read_credentials(values: Mapping[Path, Any]) -> Credentials | None:
    username = values.get(("credentials", "username"))
    password = values.get(("credentials", "password"))
    if username:
        return Credentials(username, password)
    if password:
        raise ConfigError(
            "credentials.password is given without credentials.username.",
            option="credentials.username",
            value=None if username is None else MASK,
            hint="Set both, or neither for a server without authentication.",
        )
    return None
