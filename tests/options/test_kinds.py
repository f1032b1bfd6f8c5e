"""The readers: every way to write a value gives the same value."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from beaker_mongo_soajs.options.coerce import InvalidValue, check_encodable
from beaker_mongo_soajs.options.option import Path as OptionPath
from beaker_mongo_soajs.options.table import ROWS, TABLE, find_path


def read(name: str, raw: Any) -> Any:
    """Read a raw value of an option."""
    path: OptionPath = find_path((), name)
    return TABLE[path].kind.read(raw)


@pytest.mark.parametrize(
    ("name", "expected", "ways"),
    [
        ("stringify", True, [True, "true", "YES", " on ", "1", "y"]),
        ("stringify", False, [False, "False", "no", "off", "0", "n"]),
        ("URLParam.maxPoolSize", 5, [5, "5", " 5 ", "+5", 5.0]),
        ("extraParam.db.bufferMaxEntries", -1, [-1, "-1", -1.0]),
        ("store.touchAfter", 1.5, [1.5, "1.5", "15e-1"]),
        ("store.touchAfter", 60, [60, "60", 60.0, "60.0"]),
        ("URLParam.w", 2, [2, "2", 2.0]),
        ("URLParam.w", "majority", ["majority", " MAJORITY "]),
        ("URLParam.w", "twoCentres", ["twoCentres"]),
        ("URLParam.readPreference", "secondaryPreferred", ["secondarypreferred"]),
        ("URLParam.authMechanism", "SCRAM-SHA-256", ["scram-sha-256"]),
        (
            "URLParam.readPreferenceTags",
            ({"dc": "ny", "rack": "1"},),
            [
                "dc:ny,rack:1",
                "dc: ny, rack: 1",
                {"dc": "ny", "rack": 1},
                [{"dc": "ny", "rack": "1"}],
                ["dc:ny,rack:1"],
                '{"dc": "ny", "rack": "1"}',
                '[{"dc": "ny", "rack": 1}]',
                '["dc:ny,rack:1"]',
            ],
        ),
        ("URLParam.readPreferenceTags", ({},), [[{}], [""], "{}"]),
        ("URLParam.readPreferenceTags", "TAG", ["TAG"]),
        (
            "URLParam.compressors",
            ("zstd", "zlib"),
            ["zstd, ZLIB", ["zstd", "zlib"], '["zstd", "zlib"]'],
        ),
        (
            "URLParam.authMechanismProperties",
            {"SERVICE_NAME": "imap", "SERVICE_REALM": "R"},
            [
                "SERVICE_NAME:imap,SERVICE_REALM:R",
                {"SERVICE_NAME": "imap", "SERVICE_REALM": "R"},
                '{"SERVICE_NAME": "imap", "SERVICE_REALM": "R"}',
            ],
        ),
        (
            "extraParam.db.readConcern",
            "majority",
            ["majority", {"level": "majority"}, '{"level": "majority"}'],
        ),
        ("extraParam.db.readConcern", None, [{}, {"level": None}]),
        (
            "extraParam.server.sslCA",
            ("/etc/ca.pem",),
            ["/etc/ca.pem", Path("/etc/ca.pem"), ["/etc/ca.pem"], '["/etc/ca.pem"]'],
        ),
        (
            "extraParam.server.sslCert",
            "-----BEGIN X-----",
            ["-----BEGIN X-----\n", b"-----BEGIN X-----", bytearray(b"-----BEGIN X-----")],
        ),
        ("extraParam.server.sslPass", "é", ["é", "é".encode()]),
        (
            "store.signingKey",
            (b"a k\xc3\xa9y of 16 bytes",),
            ["a kéy of 16 bytes", b"a k\xc3\xa9y of 16 bytes", ["a kéy of 16 bytes"]],
        ),
        (
            "store.signingKey",
            (b"the key of today", b"[the key of yesterday"),
            [
                ["the key of today", b"[the key of yesterday"],
                '["the key of today", "[the key of yesterday"]',
            ],
        ),
        ("store.signingKey", (b"[a key, not a list]",), ["[a key, not a list]"]),
        (
            "store.indexes",
            ("session.user", "session.cart.id"),
            ["session.user, session.cart.id", ["session.user", "session.cart.id"]],
        ),
    ],
)  # fmt: skip
def test_every_way_to_write_a_value(name: str, expected: Any, ways: list[Any]) -> None:
    """The Python, JSON and INI forms of a value are read as the same value."""
    read_values = [read(name, way) for way in ways]
    assert [expected] * len(ways) == read_values
    assert 1 == len({type(value) for value in read_values})


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        *[("90000 ms", 90_000), ("90s", 90_000), ("90 seconds", 90_000), ("3m", 180_000)],
        *[("3 minutes", 180_000), ("2h", 7_200_000), ("1 hour", 3_600_000), ("1d", 86_400_000)],
        *[
            (timedelta(seconds=90), 90_000),
            ("14 days", 1_209_600_000),
            ("1 week", 604_800_000),
            ("2w", 1_209_600_000),
        ],
    ],
)
def test_durations_with_units(text: object, milliseconds: int) -> None:
    """A duration may have its unit, from milliseconds to weeks, or be a timedelta."""
    assert milliseconds == read("expireAfter", text)


_NUMBERS = [
    row.name for row in ROWS if re.match("number|whole|milli|seconds|minutes", row.kind.name)
]
_LARGEST = 2_147_483_647
_FOREVER = 31_536_000_000_000
_BOUNDS: dict[str, tuple[float, float]] = {
    "expireAfter": (60_000, _FOREVER),
    "touchAfter": (0, _FOREVER),
    "autoRemoveInterval": (0.5, _FOREVER),
    "maxLifetime": (0.5, _FOREVER),
    "lockLease": (0.5, _FOREVER),
    "iterations": (1, 10_000_000),
    "ivLength": (8, 128),
    "w": (1, 50),
    "bufferMaxEntries": (-1, _LARGEST),
    "zlibCompressionLevel": (-1, 9),
    "heartbeatFrequencyMS": (500, _LARGEST),
    "haInterval": (500, _LARGEST),
    "maxConnecting": (1, _LARGEST),
    "maxStalenessSeconds": (90, _LARGEST),
}
"""The least and the greatest value of an option in any group, if these are not 0 and 2**31 - 1."""


@pytest.mark.parametrize("name", _NUMBERS)
def test_bounds(name: str) -> None:
    """Every number has a least and a greatest value, and none beyond is accepted."""
    least, most = _BOUNDS.get(name.rpartition(".")[2], (0, _LARGEST))
    assert (least, most) == (read(name, least), read(name, most))
    for beyond in (0 if least == 0.5 else least - 1, most + 1):
        with pytest.raises(InvalidValue):
            read(name, beyond)


def test_depth_of_a_value() -> None:
    """A value may hold twenty levels of lists, and no more."""

    def nested(levels: int) -> list[Any]:
        return [nested(levels - 1)] if levels > 1 else []

    check_encodable(nested(21))
    with pytest.raises(InvalidValue, match="at most 20 levels"):
        check_encodable(nested(22))


@pytest.mark.parametrize(
    ("name", "raw", "null"),
    [
        ("URLParam.authSource", None, True),
        ("URLParam.authSource", "null", True),
        ("URLParam.maxPoolSize", "", True),
        ("store.transformId", "None", True),
        ("store.signingKey", None, True),
        ("store.signingKey", "null", False),
        ("credentials.password", None, True),
        ("credentials.password", "none", False),
        ("name", None, False),
        ("name", "null", False),
        ("stringify", None, False),
        ("servers", None, False),
        ("expireAfter", "null", False),
        ("store.lockLease", "null", False),
        ("store.autoRemoveInterval", "null", False),
        ("store.nodeCrypto.secret", "null", False),
        ("collection", "", False),
    ],
)
def test_null_values(name: str, raw: Any, null: bool) -> None:
    """Null means "not given" for an optional option; the text does, unless it may be a value."""
    assert null == TABLE[find_path((), name)].kind.is_null(raw)
