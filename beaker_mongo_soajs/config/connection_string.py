"""MongoDB connection strings: parsed without a DNS look-up, and masked for messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote_plus, unquote_plus

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.masking import mask_url
from beaker_mongo_soajs.options.servers import Address

SCHEMES = ("mongodb://", "mongodb+srv://")
_HINT = (
    "Write it as mongodb://user:password@host:27017/database?option=value, with user and password"
    " percent-encoded (urllib.parse.quote_plus), or set credentials.username and"
    " credentials.password instead."
)
_OTHER_HINT = (
    "Write it as mongodb://host:27017/database. If the line is left from another backend, remove it"
    " and set servers and name."
)


@dataclass(frozen=True, repr=False)
class ConnectionString:
    """Hold the parts of a connection string.

    :param srv: whether the one host is looked up as a DNS seed list (``mongodb+srv://``)
    :param servers: host and port of each server
    :param username: the decoded user name, or ``None``
    :param password: the decoded password, or ``None``
    :param database: the decoded name of the database, or ``None``
    :param options: the decoded names and values after the question mark, in order
    """

    srv: bool
    servers: tuple[Address, ...]
    username: str | None = None
    password: str | None = None
    database: str | None = None
    options: tuple[tuple[str, str], ...] = ()


def parse_connection_string(url: str) -> ConnectionString:
    """Parse a connection string.

    PyMongo's ``parse_uri`` looks up the host of ``mongodb+srv://`` in the DNS. Reading a
    configuration must not need a network.

    :param url: the connection string
    :returns: its parts
    :raises ConfigError: the connection string is not valid; the error shows no secret
    """
    scheme = next((scheme for scheme in SCHEMES if url.startswith(scheme)), None)
    if scheme is None:
        raise _invalid(url, "it must start with mongodb:// or mongodb+srv://")
    srv = scheme == "mongodb+srv://"
    hosts, _, query = url[len(scheme) :].partition("?")
    try:
        parsed = parse_uri("mongodb://" + hosts)
    except (PyMongoError, ValueError):
        # PyMongo's error may quote a part of the password, and so may its traceback.
        raise _invalid(url, "it is not a valid connection string") from None
    servers = tuple((host, port) for host, port in parsed["nodelist"])
    if srv and (
        len(servers) != 1 or re.search(r":\d*$", hosts.partition("/")[0].rpartition("@")[2])
    ):
        raise _invalid(url, "mongodb+srv:// takes exactly one host and no port")
    if parsed["collection"]:
        raise _invalid(
            url, "the database name must not contain a dot; the collection is an option of its own"
        )
    return ConnectionString(
        srv=srv,
        servers=servers,
        username=parsed["username"] or None,
        password=parsed["password"],
        database=parsed["database"],
        options=tuple(_split_options(url, query)),
    )


def _split_options(url: str, query: str) -> list[tuple[str, str]]:
    options: list[tuple[str, str]] = []
    for part in filter(None, re.split("[&;]", query)):
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise _invalid(url, "each option after the question mark must be name=value")
        options.append((unquote_plus(name), unquote_plus(value)))
    return options


def _invalid(url: str, reason: str) -> ConfigError:
    masked = mask_url(url)
    hint = _HINT if url.startswith(SCHEMES) else _OTHER_HINT
    return ConfigError(f"url is {masked}: {reason}.", option="url", value=masked, hint=hint)


def build_host(srv: bool, servers: tuple[Address, ...], auth_database: str | None) -> str:
    """Build a connection string without secrets, for ``MongoClient``'s ``host``.

    :param srv: whether the one host is looked up in the DNS
    :param servers: host and port of each server
    :param auth_database: the database to authenticate against, which ``authSource`` overrides
    :returns: the connection string
    """
    scheme = SCHEMES[1] if srv else SCHEMES[0]
    hosts = ",".join(_write_address(srv, host, port) for host, port in servers)
    return f"{scheme}{hosts}/{quote_plus(auth_database or '')}"


def _write_address(srv: bool, host: str, port: int | None) -> str:
    if srv:
        return host
    if port is None:
        return quote_plus(host)
    return f"[{host.replace('%', '%25')}]:{port}" if ":" in host else f"{host}:{port}"
