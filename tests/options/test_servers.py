"""The ways to write the option servers."""

from __future__ import annotations

from typing import Any

import pytest

from beaker_mongo_soajs import ConfigError
from beaker_mongo_soajs.config import DbConfig


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ("db1", [("db1", 27017)]),
        ("db1:27018", [("db1", 27018)]),
        (" db1:1 , db2 ", [("db1", 1), ("db2", 27017)]),
        ("[::1]:27018", [("::1", 27018)]),
        ("[::1]", [("::1", 27017)]),
        ("::1", [("::1", 27017)]),
        ("[fe80::1%eth0]:5", [("fe80::1%eth0", 5)]),
        ('[{"host": "db1", "port": 5}, "db2:6"]', [("db1", 5), ("db2", 6)]),
        (["db1", {"HOST": "db2", "Port": "7"}], [("db1", 27017), ("db2", 7)]),
        ([{"host": "::1", "port": 5}], [("::1", 5)]),
        ([{"host": "[::1]"}], [("::1", 27017)]),
    ],
)
def test_servers(servers: Any, expected: list[tuple[str, int]]) -> None:
    """Servers are read from every form, including IPv6 addresses."""
    assert tuple(expected) == DbConfig.from_options({"servers": servers}).servers


@pytest.mark.parametrize(
    "servers",
    [
        *("d b", "u@db1", "db1/x", "db1?w=1", 'db"1', "db1\\x", "[db1", "%eth0", ":1", " "),
        *([5], [{"port": 5}], [{"host": 5}], [{"host": "[::1"}], [{"host": "a", "HOST": "b"}]),
    ],
)
def test_no_host(servers: Any) -> None:
    """A host with a space, a user, a path or options is refused, and a server without a host."""
    with pytest.raises(ConfigError):
        DbConfig.from_options({"servers": servers})


@pytest.mark.parametrize("servers", ["db1:27017:27018", "a:b:c", [{"host": "db1::27017"}]])
def test_two_colons(servers: Any) -> None:
    """A host with two colons that is no IPv6 address is refused, and not looked up as a name."""
    with pytest.raises(ConfigError, match="a host with two colons or more is an IPv6 address"):
        DbConfig.from_options({"servers": servers})
