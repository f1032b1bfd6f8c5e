"""The option ``servers``: hosts and ports, in every way to write them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from beaker_mongo_soajs.options.coerce import InvalidValue, Kind, integer, parse_json

DEFAULT_PORT = 27017

Address = tuple[str, int | None]
"""Host and port. A Unix domain socket, which only ``url`` can name, has a path and no port."""

_PORT = integer(1, 65535)
_WANTED = (
    'a list of servers, each {"host": "db1", "port": 27017} or "db1:27017"; '
    "an IPv6 address with a port needs brackets"
)


def read_servers(value: Any) -> tuple[Address, ...]:
    """Read the list of servers.

    :param value: a list of ``{"host": …, "port": …}`` or ``"host:port"``, or the text of one
    :returns: host and port of each server, in order
    :raises InvalidValue: the value is not a list of servers
    """
    if isinstance(value, str):
        # A bracket may also begin an IPv6 address.
        is_json = re.match(r"\s*\[\s*[{\"\]]", value)
        value = parse_json(value) if is_json else _split(value)
    if not isinstance(value, list | tuple):
        raise InvalidValue(_WANTED)
    return tuple(_read_server(server) for server in value)


def _split(text: str) -> list[str]:
    return [server.strip() for server in text.split(",")] if text.strip() else []


def _read_server(server: Any) -> Address:
    if isinstance(server, str):
        return _parse_address(server)
    if not isinstance(server, Mapping):
        raise InvalidValue(_WANTED)
    names = {str(name).lower(): content for name, content in server.items()}
    if len(names) != len(server) or not names.keys() <= {"host", "port"}:
        raise InvalidValue(f"{_WANTED}; a server has no other names than host and port")
    host = names.get("host")
    if not isinstance(host, str):
        raise InvalidValue(f"{_WANTED}; every server has a host")
    host = host.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return _check_host(host), _read_port(names.get("port", DEFAULT_PORT))


def _parse_address(text: str) -> Address:
    if "://" in text:
        raise InvalidValue(f"{_WANTED}; url is the option for a connection string")
    match = re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", text.strip())
    if match:
        host, port = match.groups()
    elif text.count(":") > 1:
        host, port = text.strip(), None
    else:
        host, _, port = text.strip().partition(":")
        port = port if ":" in text else None
    return _check_host(host), _read_port(DEFAULT_PORT if port is None else port)


def _check_host(host: str) -> str:
    if host.count(":") == 1:
        raise InvalidValue(f"{_WANTED}; the port has a name of its own and is not part of the host")
    address = host.partition("%")[0]
    if not address or re.search(r"[\s/@,?\[\]\"'\\]", address):
        # PyMongo reads a host with a slash as a whole connection string.
        raise InvalidValue(
            f"{_WANTED}; a host contains neither a user nor options "
            "(use credentials and URLParam for them, or url for a connection string)"
        )
    if ":" in host and not _is_ipv6(host):
        raise InvalidValue(f"{_WANTED}; a host with two colons or more is an IPv6 address")
    return host


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _read_port(port: Any) -> int:
    try:
        return _PORT(port)
    except InvalidValue:
        raise InvalidValue(f"{_WANTED}; a port is a whole number from 1 to 65535") from None


SERVERS = Kind("list of servers", read_servers, nullable=False)
