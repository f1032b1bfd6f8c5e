"""MongoDB connection strings: taken apart without a name look-up, and masked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote_plus, unquote_plus

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.options.servers import Address

SCHEMES = ("mongodb://", "mongodb+srv://")
_HINT = (
    "Write it as mongodb://user:password@host:27017/database?option=value, with every reserved"
    " character in user and password percent-encoded (urllib.parse.quote_plus does that),"
    " or give the credentials as options of their own."
)


@dataclass(frozen=True, repr=False)
class ConnectionString:
    """Hold what a connection string says.

    :param srv: the one host is looked up as a DNS seed list (``mongodb+srv://``)
    :param servers: host and port of each server
    :param username: decoded, or ``None``
    :param password: decoded, or ``None``
    :param database: decoded, or ``None``
    :param options: names and values after the question mark, decoded, in order; a name that may
        occur several times (``readPreferenceTags``) does
    """

    srv: bool
    servers: tuple[Address, ...]
    username: str | None = None
    password: str | None = None
    database: str | None = None
    options: tuple[tuple[str, str], ...] = ()


def mask_url(url: str) -> str:
    """Hide what a connection string keeps secret.

    :param url: a connection string, well-formed or not
    :returns: the same with the user and password, and the value of every option, masked
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return MASK
    # A password may hold an unescaped "/", "?" or "@": all up to the last "@" may be a secret.
    _, at, rest = rest.rpartition("@")
    place, question, query = rest.partition("?")
    shown = [f"{part.partition('=')[0]}={MASK}" for part in re.split("[&;]", query) if part]
    return f"{scheme}://{MASK if at else ''}{at}{place}{question}{'&'.join(shown)}"


def parse_connection_string(url: str) -> ConnectionString:
    """Take a connection string apart.

    PyMongo's own ``parse_uri`` looks up the name behind ``mongodb+srv://`` in the DNS; a
    configuration is read before there is any network.

    :param url: the connection string
    :returns: its parts
    :raises ConfigError: it is not well-formed; the text shows no credential
    """
    scheme = next((scheme for scheme in SCHEMES if url.startswith(scheme)), None)
    if scheme is None:
        raise _malformed(url, "it must start with mongodb:// or mongodb+srv://")
    srv = scheme == "mongodb+srv://"
    place, _, query = url[len(scheme) :].partition("?")
    try:
        parsed = parse_uri("mongodb://" + place, validate=False, warn=False)
    except (PyMongoError, ValueError):
        # PyMongo's text may quote a part of a password, and so may its traceback.
        raise _malformed(url, "PyMongo cannot take it apart") from None
    servers = tuple((host, port) for host, port in parsed["nodelist"])
    if srv and (
        len(servers) != 1 or re.search(r":\d*$", place.partition("/")[0].rpartition("@")[2])
    ):
        raise _malformed(url, "mongodb+srv:// takes exactly one host, and no port")
    if parsed["collection"]:
        raise _malformed(url, "a database name holds no dot; the collection is an option")
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
            raise _malformed(url, "every option after the question mark is written name=value")
        options.append((unquote_plus(name), unquote_plus(value)))
    return options


def _malformed(url: str, why: str) -> ConfigError:
    masked = mask_url(url)
    return ConfigError(f"url is {masked}: {why}.", option="url", value=masked, hint=_HINT)


def build_host(srv: bool, servers: tuple[Address, ...], auth_database: str | None) -> str:
    """Write where to connect to as a connection string that holds no secret.

    :param srv: whether the one host is looked up in the DNS
    :param servers: host and port of each server
    :param auth_database: the database that authenticates unless ``authSource`` says otherwise
    :returns: the connection string, for ``MongoClient``'s ``host``
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
