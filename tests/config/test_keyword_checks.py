"""Options that contradict each other."""

from __future__ import annotations

from typing import Any

import pytest

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import ConfigError
from tests.conftest import Options


def read(options: Options | None = None, **more: Any) -> DbConfig:
    """Read a configuration."""
    return DbConfig.from_options({**(options or {}), **more})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"URLParam.w": 1, "urlparam.W": 2}, "given twice, as URLParam.w and as urlparam.W"),
        ({"URLParam": {"w": 1}, "URLParam.w": 1}, "given twice"),
        ({"dbConfig": {"name": "a", "NAME": "a"}}, "given twice, as dbConfig.name"),
        ({"extraParam.db.wtimeout": 5, "extraParam.db.wtimeoutMS": 6}, "mean the same setting"),
        ({"URLParam.ssl": True, "URLParam.tls": False}, "mean the same setting"),
        ({"URLParam.ssl": True, "extraParam.server.ssl": False}, "mean the same setting"),
        (
            {
                "URLParam.tlsAllowInvalidCertificates": False,
                "extraParam.server.sslValidate": False,
                "extraParam.server.ssl": True,
            },
            "mean the same setting",
        ),
        ({"extraParam.server": {"ssl": False, "sslCA": "ca.pem"}}, "turns it off"),
        ({"extraParam.server.sslKey": "key.pem"}, "without a certificate"),
        ({"extraParam.server.sslPass": "secret"}, "without a key"),
        ({"extraParam.replSet.ssl": True}, "protects nothing"),
        ({"extraParam.mongos.sslCA": "ca.pem", "URLParam.ssl": True}, "protects nothing"),
        (
            {"URLParam.tlsInsecure": True, "extraParam.server": {"ssl": True, "sslValidate": True}},
            "mean the same checks",
        ),
        ({"URLParam.readPreferenceTags": "dc:ny"}, "no effect on the primary"),
        ({"URLParam.readPreferenceTags": "dc:ny", "URLParam.readPreference": "primary"}, "primary"),
        ({"URLParam.maxStalenessSeconds": 90}, "no effect on the primary"),
        (
            {
                "URLParam": {"readPreference": "nearest", "maxStalenessSeconds": 99},
                "URLParam.heartbeatFrequencyMS": "90s",
            },
            "is 99, but must be at least URLParam.heartbeatFrequencyMS + 10 seconds, 100.",
        ),
        ({"URLParam.fsync": True, "URLParam.journal": True}, "exclude each other"),
        ({"URLParam.minPoolSize": 6}, "more than URLParam.maxPoolSize, 5"),
        ({"URLParam.directConnection": True, "servers": "a,b"}, "needs one server"),
        ({"URLParam.loadBalanced": True, "servers": "a,b"}, "needs one server"),
        ({"url": "mongodb+srv://a.example.com/?directConnection=true"}, "needs one server"),
        ({"URLParam.loadBalanced": True, "URLParam.replicaSet": "rs"}, "exclude each other"),
        ({"URLParam.srvMaxHosts": 2}, "mongodb+srv://"),
        ({"URLParam.authMechanism": "SCRAM-SHA-256"}, "needs a user"),
        ({"URLParam.authMechanism": "GSSAPI"}, "needs a user"),
        ({"URLParam.authMechanism": "MONGODB-X509"}, "needs a client certificate"),
        (
            {
                "URLParam.authMechanism": "MONGODB-X509",
                "credentials": {"username": "ann", "password": "secret"},
            },
            "takes no password",
        ),
        (
            {
                "URLParam": {"authMechanism": "GSSAPI", "authSource": "users"},
                "credentials.username": "ann",
            },
            "must be $external",
        ),
        (
            {
                "URLParam": {
                    "authMechanism": "GSSAPI",
                    "gssapiServiceName": "imap",
                    "authMechanismProperties": {"SERVICE_NAME": "smtp"},
                },
                "credentials.username": "ann",
            },
            "two different services",
        ),
        ({"credentials.username": "ann"}, "credentials.password is missing"),
        ({"credentials.password": "secret"}, "without credentials.username"),
    ],
    ids=str,
)  # fmt: skip
def test_contradiction_is_an_error(options: Options, words: str) -> None:
    """A contradiction between options is an error that says what to do."""
    with pytest.raises(ConfigError) as caught:
        read({"name": "shop", **options})
    assert words in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        {"readPreference": "nearest", "maxStalenessSeconds": 100, "heartbeatFrequencyMS": "90s"},
        {"readPreference": "nearest", "maxStalenessSeconds": -1, "heartbeatFrequencyMS": "1h"},
        {"maxStalenessSeconds": -1},
        {"minPoolSize": 5},
        {"minPoolSize": 9, "maxPoolSize": 0},
        {"directConnection": True},
        {"poolSize": "3000", "maxPoolSize": "3000"},
    ],
    ids=str,
)
def test_limits_that_are_kept(options: Options) -> None:
    """Options that only just agree, or set no limit, are no contradiction."""
    assert options.keys() == read(URLParam=options).url_param.keys()


def test_stronger_protection_in_extraparam_wins() -> None:
    """TLS and checks that extraParam turns on are on, even if URLParam turns them off."""
    config = read({"URLParam.ssl": False, "extraParam.server.ssl": True})
    assert config.keywords["tls"] is True
    lenient = {"ssl": True, "tlsAllowInvalidCertificates": True}
    config = read({"URLParam": lenient, "extraParam.server.sslValidate": True})
    assert "tlsAllowInvalidCertificates" not in config.keywords


def test_protection_that_is_in_force_anyway_is_no_error() -> None:
    """An option of another group is no error if the same protection is in force."""
    tls = {"ssl": True, "sslCA": "ca.pem"}
    config = read({"extraParam": {"server": tls, "replSet": tls, "mongos": tls}})
    assert ("ca.pem",) == config.keywords["tlsCAFile"]


def test_checks_without_tls_have_no_effect() -> None:
    """Turning off a check of certificates has no effect without TLS."""
    config = read({"extraParam.server.sslValidate": False})
    assert "extraParam.server.sslValidate = false: no effect, because TLS is off" in (
        config.explain().splitlines()
    )


def test_service_name_without_gssapi_has_no_effect() -> None:
    """The option gssapiServiceName has an effect only if GSSAPI authenticates."""
    report = read({"URLParam.gssapiServiceName": "imap"}).explain()
    assert "no effect, because it is for the authMechanism GSSAPI only" in report
    properties = {"gssapiServiceName": "imap", "authMechanismProperties": "SERVICE_NAME:imap"}
    config = read({"URLParam": properties | {"authMechanism": "GSSAPI"}, "username": "ann"})
    assert {"SERVICE_NAME": "imap"} == config.keywords["authMechanismProperties"]
