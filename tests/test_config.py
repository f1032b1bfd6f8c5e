"""DbConfig: all forms of a configuration, and what is wrong with one."""

from __future__ import annotations

import json
import pickle
from configparser import ConfigParser
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import AsyncMongoClient, MongoClient

from beaker_mongo_soajs import coerce, kinds
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.option import Option, Refused, Setting
from beaker_mongo_soajs.options import ROWS
from beaker_mongo_soajs.store_options import StoreOptions
from tests.reference_configs import DEFAULTS, EXAMPLES_CONFIG, FULL_REFERENCE, README_EXAMPLE

Client = MongoClient[dict[str, Any]]
SECRET = "p@ss:/w%rd é"
EXAMPLE: dict[str, Any] = {
    "name": "core_session",
    "prefix": "dev_",
    "servers": [{"host": "db1", "port": 27017}, {"host": "db2", "port": "27018"}],
    "credentials": {"username": "ann", "password": SECRET},
    "URLParam": {"maxPoolSize": 7, "w": "majority", "journal": True},
    "extraParam": {"db": {"bufferMaxEntries": 0}, "mongos": {"socketOptions": {"noDelay": True}}},
    "store": {"touchAfter": 60, "pickle": True},
    "collection": "web",
    "stringify": True,
    "expireAfter": 60000,
}


def read(options: dict[str, Any] | None = None, **more: Any) -> DbConfig:
    """Read a configuration."""
    return DbConfig.from_options({**(options or {}), **more})


def dotted(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Write a configuration with a name of its own for each option."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict) and prefix + name in {
            "URLParam", "extraParam", "credentials", "store", "extraParam.db", "extraParam.server",
            "extraParam.replSet", "extraParam.mongos", "extraParam.server.socketOptions",
            "extraParam.replSet.socketOptions", "extraParam.mongos.socketOptions",
        }:  # fmt: skip
            flat.update(dotted(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def as_text(value: Any) -> str:
    """Write a value as an INI file does."""
    if isinstance(value, bool):
        return "yes" if value else "off"
    return value if isinstance(value, str) else json.dumps(value)


def through_ini(config: dict[str, Any]) -> dict[str, str]:
    """Write a configuration into an INI file and read it back, with names in lower case."""
    lines = [f"{name} = {as_text(value)}" for name, value in dotted(config).items()]
    parser = ConfigParser(interpolation=None)
    parser.read_string("\n".join(["[app:main]", *lines]))
    return dict(parser["app:main"])


def short_ini(config: dict[str, Any]) -> dict[str, str]:
    """Write each group as JSON text, and the servers with commas between them."""
    servers = ", ".join(f"{server['host']}:{server['port']}" for server in config["servers"])
    return {name: as_text(value) for name, value in config.items()} | {"servers": servers}


FORMS = {
    "Python values": EXAMPLE,
    "dotted names": dotted(EXAMPLE),
    "object": {"dbConfig": EXAMPLE},
    "JSON text": {"dbConfig": json.dumps(EXAMPLE)},
    "INI": through_ini(EXAMPLE),
    "short INI": short_ini(EXAMPLE),
    "partly each": {
        "dbConfig": {name: EXAMPLE[name] for name in list(EXAMPLE)[:4]},
        **{name: EXAMPLE[name] for name in list(EXAMPLE)[4:]},
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str) -> None:
    """A configuration is the same whichever form it is written in."""
    config, expected = read(FORMS[form]), read(EXAMPLE)
    assert expected == config
    assert hash(expected) == hash(config)
    assert expected.connection_key == config.connection_key
    assert expected.explain() == config.explain()


def test_values_are_read() -> None:
    """What a configuration says stands in its attributes, in dbConfig spelling and proper types."""
    config = read(through_ini(EXAMPLE))
    assert ("core_session", "dev_", "dev_core_session") == (
        config.name,
        config.prefix,
        config.database,
    )
    assert (("db1", 27017), ("db2", 27018)) == config.servers
    assert config.credentials is not None
    assert ("ann", SECRET) == (config.credentials.username, config.credentials.password)
    assert {"maxPoolSize": 7, "w": "majority", "journal": True} == dict(config.url_param)
    assert 0 == config.extra_param["db"]["bufferMaxEntries"]
    assert config.extra_param["mongos"]["socketOptions"]["noDelay"] is True
    assert ("web", True, True) == (config.collection, config.collection_given, config.stringify)
    assert (60000, 60.0) == (config.expire_after_ms, config.expire_after_seconds)
    assert StoreOptions(touch_after=60, pickle=True) == config.store


def test_groups_cannot_be_changed() -> None:
    """The groups of a configuration are read-only."""
    with pytest.raises(TypeError):
        read(EXAMPLE).url_param["maxPoolSize"] = 8  # type: ignore[index]


def test_configuration_survives_pickling() -> None:
    """A configuration can be sent to another process."""
    config = read(EXAMPLE)
    assert config == pickle.loads(pickle.dumps(config))


def test_file_is_read(tmp_path: Path) -> None:
    """A JSON file may be named by text or by a path, and have a byte order mark or none."""
    path = tmp_path / "db.json"
    path.write_text("\ufeff" + json.dumps(EXAMPLE), encoding="utf-8")
    assert read(EXAMPLE) == read(dbConfig=str(path))
    assert read(EXAMPLE) == read(dbConfig=path)


def test_single_option_goes_before_the_same_one_in_dbconfig() -> None:
    """A single option replaces its namesake in dbConfig and leaves the rest of the group."""
    config = read({"dbConfig": EXAMPLE, "urlparam.MAXPOOLSIZE": "9", "credentials": None})
    assert {"maxPoolSize": 9, "w": "majority", "journal": True} == dict(config.url_param)
    assert config.credentials is None


def test_null_is_as_good_as_nothing() -> None:
    """Options that say null are as if they were not given, in JSON and in INI text."""
    nulls = {"URLParam": {"authSource": None, "w": None}, "credentials": None, "extraParam": None}
    texts = {"URLParam.authSource": "null", "URLParam.w": "None", "credentials": ""}
    assert read(name="shop") == read(nulls, name="shop") == read(texts, name="shop")


def test_pyramid_beaker_names_a_url_of_none() -> None:
    """The url of None that pyramid_beaker gives every cache region does not count."""
    url = "mongodb://db1/shop"
    assert read(name="shop") == read(name="shop", url=None, client=None, dbConfig=None)
    assert read(url=url) == read(dbConfig={"url": url}, url=None)


def test_defaults_are_those_of_the_reference() -> None:
    """With nothing given, a configuration is the default one of the reference."""
    config = read()
    assert "sessionDB" == config.database
    assert (("127.0.0.1", 27017),) == config.servers
    assert config.credentials is None
    assert ("sessions", False, False) == (
        config.collection,
        config.collection_given,
        config.stringify,
    )
    assert 14 * 24 * 3600 == config.expire_after_seconds
    assert StoreOptions() == config.store
    expected = {
        "appName": "beaker_mongo_soajs",
        "connectTimeoutMS": 20000,
        "maxPoolSize": 5,
        "serverSelectionTimeoutMS": 1000,
        "socketTimeoutMS": 0,
    }
    assert expected == dict(config.keywords)


@pytest.mark.parametrize(
    "config", [README_EXAMPLE, EXAMPLES_CONFIG, FULL_REFERENCE, DEFAULTS], ids=str
)
def test_configurations_of_the_reference_load(config: dict[str, Any]) -> None:
    """The reference's own configurations load unchanged, and each line of them is explained."""
    report = read(dbConfig=config).explain().splitlines()
    named = {line.partition(" = ")[0] for line in report[1:]}
    empty = {"store", "extraParam.server"}
    assert set(dotted(config)) - empty == named
    assert len(named) == len(report) - 1


def test_report_of_the_full_reference() -> None:
    """The report names what applies, what has no effect and why, and what goes before what."""
    report = read(dbConfig=FULL_REFERENCE).explain().splitlines()
    assert "URLParam.maxPoolSize = 5: applied as maxPoolSize = 5" in report
    assert "URLParam.connectTimeoutMS = 0: applied as connectTimeoutMS = 0 (never)" in report
    assert "extraParam.db.authSource = null: as if it were not given" in report
    assert (
        "extraParam.server.ssl = false: no effect, because it is for one server, and this is a"
        " replica set"
    ) in report


def test_report_names_what_goes_before() -> None:
    """An option that another one goes before is reported as without effect."""
    config = read({"URLParam.w": 1, "extraParam.db.w": 2})
    assert (
        "URLParam.w = 1: no effect, because extraParam.db.w goes before it"
        in config.explain().splitlines()
    )
    assert 2 == config.keywords["w"]


def test_report_lists_defaults_on_request() -> None:
    """The report lists the defaults only when it is asked to."""
    line = "URLParam.maxPoolSize = 5: applied as maxPoolSize = 5 (default)"
    assert line not in read().explain().splitlines()
    assert line in read().explain(defaults=True).splitlines()
    given = read({"URLParam.maxPoolSize": 6}).explain(defaults=True)
    assert "maxPoolSize = 5" not in given


def test_default_of_bufferentries_yields_to_a_given_timeout() -> None:
    """A serverSelectionTimeoutMS of one's own goes before bufferMaxEntries, wherever that is."""
    for other in ({}, {"URLParam.bufferMaxEntries": 0}, {"extraParam.db.bufferMaxEntries": 0}):
        config = read({"URLParam.serverSelectionTimeoutMS": 9000, **other})
        assert 9000 == config.keywords["serverSelectionTimeoutMS"]


def with_secret(options: Any, secret: str) -> Any:
    """Put a secret in the place of each placeholder in a value."""
    if isinstance(options, dict):
        return {name: with_secret(value, secret) for name, value in options.items()}
    if isinstance(options, list):
        return [with_secret(value, secret) for value in options]
    return options.replace("SECRET", secret) if isinstance(options, str) else options


def assert_hidden(secret: str, *texts: str) -> None:
    """Assert that texts show no secret, neither as it is nor encoded for a URL."""
    for text in texts:
        assert secret not in text
        assert quote_plus(secret) not in text


@pytest.mark.parametrize("secret", ["p@ss", "s3cret"])
@pytest.mark.parametrize(
    "options",
    [
        {"credentials": {"username": "ann", "password": "SECRET"}},
        {"credentials": {"username": "SECRET", "password": "x"}},
        {"extraParam.server": {"sslKey": "-----BEGIN SECRET", "sslCert": "x", "sslPass": "SECRET"}},
        {"extraParam.server": {"sslKey": "SECRET", "sslCert": "-----BEGIN SECRET"}},
        {"store.signingKey": "SECRET"},
        {
            "URLParam.authMechanism": "MONGODB-AWS",
            "URLParam.authMechanismProperties": {"AWS_SESSION_TOKEN": "SECRET"},
        },
    ],
    ids=str,
)
def test_secrets_are_shown_nowhere(options: dict[str, Any], secret: str) -> None:
    """Neither the repr of a configuration nor its report shows a secret."""
    show_nothing(read(with_secret(options, secret)), secret)


@pytest.mark.parametrize("secret", ["p@ss", "s3cret"])
def test_secrets_of_a_url_are_shown_nowhere(secret: str) -> None:
    """Neither the repr nor the report of a configuration shows the secrets of its URL."""
    url = (
        f"mongodb://ann:{quote_plus(secret)}@db1/shop?tlsCertificateKeyFilePassword="
        f"{quote_plus(secret)}&tlsCertificateKeyFile=x.pem"
    )
    config = read(url=url)
    show_nothing(config, secret)
    assert config.credentials is not None
    assert secret == config.credentials.password


def show_nothing(config: DbConfig, secret: str) -> None:
    """Assert that nothing which shows a configuration shows a secret."""
    assert_hidden(
        secret,
        repr(config),
        str(config),
        config.explain(defaults=True),
        repr(config.connection_key),
        repr(config.url_param),
        repr(config.extra_param),
        repr(config.store),
        repr(config.credentials),
    )


@pytest.mark.parametrize("secret", ["p@ss:/w%rd é", "s3cret"])
@pytest.mark.parametrize(
    "options",
    [
        {"servers": "ann:SECRET@db1"},
        {"servers": [{"host": "ann:SECRET@db1"}]},
        {"url": "mongodb://ann:SECRET@db1:x/shop"},
        {"url": "mongodb://ann:SECRET/x@db1/shop"},
        {"url": "postgres://ann:SECRET@db1/shop"},
        {"url": "ann:SECRET@db1/shop"},
        {"url": "mongodb://db1/shop?tlsCertificateKeyFilePassword=SECRET"},
        {"url": "mongodb://b:x@db1/shop", "credentials": {"username": "b", "password": "SECRET"}},
        {"credentials": "ann:SECRET"},
        {"credentials": '{"username": "ann", "password": "SECRET"'},
        {"credentials": {"password": "SECRET"}},
        {"credentials": {"username": 5, "password": "SECRET"}},
        {"credentials": {"username": "ann", "password": ["SECRET"]}},
        {"credentials.pasword": "SECRET"},
        {"dbConfig": '{"credentials": {"password": "SECRET" }'},
        {"dbConfig": ["SECRET"]},
        {"extraParam.server.sslPass": ["SECRET"]},
        {"extraParam.server.sslPass": "SECRET"},
        {"extraParam.replSet.sslPass": "SECRET"},
        {"extraParam.server.sslKey": ["SECRET"]},
        {"store.signingKey": ["SECRET"]},
        {"URLParam.password": "SECRET"},
        {"URLParam.authMechanismProperties": ["SECRET"]},
    ],
    ids=str,
)
def test_errors_show_no_secret(options: dict[str, Any], secret: str) -> None:
    """An error about a secret, or beside one, does not show it, nor does what caused it."""
    with pytest.raises(ConfigError) as caught:
        read(with_secret(options, secret), name="shop")
    assert_hidden(secret, repr(caught.value.value))
    error: BaseException | None = caught.value
    while error is not None:
        assert_hidden(secret, str(error), repr(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize(
    ("options", "option", "code", "words"),
    [
        ({"name": ""}, "name", 190, "empty"),
        ({"name": None}, "name", 190, "must be text"),
        ({"name": 5}, "name", 190, "must be text"),
        ({"name": "a b"}, "name", None, "no space"),
        ({"name": "a.b"}, "name", None, "holds"),
        ({"name": "a" * 64}, "name", None, "63"),
        ({"name": "a" * 60, "prefix": "long"}, "name", None, "63"),
        ({"prefix": 1}, "prefix", None, "must be text"),
        ({"servers": "db1:port"}, "servers", 190, "port"),
        ({"servers": {"host": "db1"}}, "servers", 190, "list"),
        ({"servers": []}, "servers", 190, "one server or more"),
        ({"servers": ""}, "servers", 190, "one server or more"),
        ({"servers": None}, "servers", 190, "list"),
        ({"servers": [{"host": "db1", "port": 0}]}, "servers", 190, "1 to 65535"),
        ({"servers": [{"host": "db1:27017"}]}, "servers", 190, "host holds no port"),
        ({"servers": [{"host": ""}]}, "servers", 190, "host"),
        ({"servers": [{"hots": "db1"}]}, "servers", 190, "names host and port"),
        ({"servers": ["mongodb://db1"]}, "servers", 190, "url"),
        ({"collection": ""}, "collection", 191, "required"),
        ({"collection": None}, "collection", 191, "must be text"),
        ({"collection": "system.users"}, "collection", None, "system."),
        ({"collection": "a$b"}, "collection", None, "$"),
        ({"collection": "a..b"}, "collection", None, "dot"),
        ({"collection": "c" * 251}, "collection", None, "255"),
        ({"stringify": "maybe"}, "stringify", None, "true or false"),
        ({"stringify": 1}, "stringify", None, "true or false"),
        ({"expireAfter": 0}, "expireAfter", None, "1 to"),
        ({"expireAfter": "two weeks"}, "expireAfter", None, "whole number"),
        ({"expireAfter": float("inf")}, "expireAfter", None, "whole number"),
        ({"expireAfter": True}, "expireAfter", None, "whole number"),
        ({"URLParam": 5}, "URLParam", None, "object"),
        ({"URLParam": "maxPoolSize=5"}, "URLParam", None, "JSON"),
        ({"URLParam.maxPoolSize": "five"}, "URLParam.maxPoolSize", None, "whole number"),
        ({"URLParam.maxPoolSize": -1}, "URLParam.maxPoolSize", None, "0 or more"),
        ({"URLParam.maxPoolSize": 5.5}, "URLParam.maxPoolSize", None, "whole number"),
        ({"URLParam.w": 0}, "URLParam.w", None, "relies on the server's answers"),
        ({"URLParam.w": {"dc": 1}}, "URLParam.w", None, "getLastErrorModes"),
        ({"URLParam.readPreference": "slave"}, "URLParam.readPreference", None, "one of primary"),
        ({"URLParam.readPreferenceTags": "ny"}, "URLParam.readPreferenceTags", None, "tag set"),
        ({"URLParam.authMechanism": "MONGODB-CR"}, "URLParam.authMechanism", None, "SCRAM"),
        ({"URLParam.heartbeatFrequencyMS": 10}, "URLParam.heartbeatFrequencyMS", None, "500"),
        ({"URLParam.event_listeners": "x"}, "URLParam.event_listeners", None, "Python object"),
        ({"URLParam.compressors": "lzma"}, "URLParam.compressors", None, "snappy"),
        ({"extraParam.db.readConcern": {"levle": 1}}, "extraParam.db.readConcern", None, "level"),
        ({"extraParam.server.sslCA": []}, "extraParam.server.sslCA", None, "one certificate"),
        ({"extraParam.server.sslCert": b"\xff\xfe"}, "extraParam.server.sslCert", None, "DER"),
        ({"extraParam.server.sslCert": "MII\nabc"}, "extraParam.server.sslCert", None, "BEGIN"),
        ({"store.touchAfter": -1}, "store.touchAfter", None, "0 or more"),
        ({"store.lockLease": 0}, "store.lockLease", None, "above 0"),
        ({"store.autoRemove": "never"}, "store.autoRemove", None, "native"),
        ({"store.transformId": "md5"}, "store.transformId", None, "sha256"),
        ({"store.signingKey": ""}, "store.signingKey", None, "secret"),
        ({"store.signingKey": "null"}, "store.signingKey", None, "secret"),
        ({"store.indexes": "session.user, $x"}, "store.indexes", None, "$"),
        ({"store.indexes": "session.a", "stringify": True}, "store.indexes", None, "stringify"),
        ({"dbConfig": "{"}, "dbConfig", None, "JSON"),
        ({"dbConfig": '{"name": "a", "name": "b"}'}, "dbConfig", None, "once"),
        ({"dbConfig": '{"expireAfter": NaN}'}, "dbConfig", None, "NaN"),
        ({"dbConfig": "no/such/file.json"}, "dbConfig", None, "No such file"),
        ({"dbConfig": 5}, "dbConfig", None, "object"),
        ({"dbConfig": {"dbConfig": {}}}, "dbConfig", None, "outer"),
        ({"url": 5}, "url", None, "connection string"),
        ({"url": "mongodb://db1"}, "name", 190, "url names none"),
        ({"url": "mongodb+srv://a.example.com,b/shop"}, "url", None, "one host"),
        ({"url": "mongodb+srv://a.example.com:1/shop"}, "url", None, "no port"),
        ({"url": "mongodb://db1/a.b"}, "url", None, "no dot"),
        ({"url": "mongodb://db1/shop?w"}, "url", None, "name=value"),
        ({"url": "mongodb://db1/shop?w=1&w=2"}, "url", None, "2 times"),
        ({"url": "mongodb://db1/shop?wat=1"}, "URLParam.wat", None, "no option"),
        ({"url": "mongodb://db1/shop", "servers": "db2"}, "servers", None, "both"),
        ({"url": "mongodb://db1/shop?w=1", "URLParam.w": 2}, "URLParam.w", None, "different"),
        ({"client": "mongodb://db1"}, "client", None, "MongoClient"),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_value_is_an_error(
    options: dict[str, Any], option: str, code: int | None, words: str
) -> None:
    """A value that does not fit is an error that names the option and says what would."""
    with pytest.raises(ConfigError) as caught:
        read({**({} if "url" in options else {"name": "shop"}), **options})
    assert (option, code) == (caught.value.option, caught.value.code)
    assert words in str(caught.value)


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
        ({"URLParam.readPreferenceTags": "dc:ny"}, "the primary reads"),
        ({"URLParam.readPreferenceTags": "dc:ny", "URLParam.readPreference": "primary"}, "primary"),
        ({"URLParam.maxStalenessSeconds": 90}, "the primary reads"),
        ({"URLParam.fsync": True, "URLParam.journal": True}, "exclude each other"),
        ({"URLParam.minPoolSize": 6}, "above URLParam.maxPoolSize, which is 5"),
        ({"URLParam.directConnection": True, "servers": "a,b"}, "takes one server"),
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
            "two services",
        ),
        ({"credentials.username": "ann"}, "credentials.password is missing"),
        ({"credentials.password": "secret"}, "without credentials.username"),
    ],
    ids=str,
)  # fmt: skip
def test_contradiction_is_an_error(options: dict[str, Any], words: str) -> None:
    """Options that contradict each other are an error that says what to do."""
    with pytest.raises(ConfigError) as caught:
        read({"name": "shop", **options})
    assert words in str(caught.value)
    assert caught.value.hint


def test_stronger_protection_in_extraparam_wins() -> None:
    """TLS that extraParam turns on stays on, whatever URLParam says."""
    config = read({"URLParam.ssl": False, "extraParam.server.ssl": True})
    assert config.keywords["tls"] is True


def test_protection_that_is_in_force_anyway_is_no_error() -> None:
    """An option of another group is no error where the same protection applies."""
    tls = {"ssl": True, "sslCA": "ca.pem"}
    config = read({"extraParam": {"server": tls, "replSet": tls, "mongos": tls}})
    assert ("ca.pem",) == config.keywords["tlsCAFile"]


def test_checks_without_tls_have_no_effect() -> None:
    """Turning off a check of certificates changes nothing where there is no TLS."""
    config = read({"extraParam.server.sslValidate": False})
    assert "extraParam.server.sslValidate = false: no effect, because TLS is off" in (
        config.explain().splitlines()
    )


def test_service_name_without_gssapi_has_no_effect() -> None:
    """The option gssapiServiceName is reported as without effect unless GSSAPI authenticates."""
    report = read({"URLParam.gssapiServiceName": "imap"}).explain()
    assert "no effect, because only the authMechanism GSSAPI uses it" in report


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
    """Servers are read from every form, IPv6 addresses included."""
    assert tuple(expected) == read(servers=servers).servers


def test_url_is_taken_apart() -> None:
    """A URL brings servers, credentials, database and options."""
    config = read(
        url="mongodb://ann:p%40ss@db1,[::1]:5/shop?w=2&readPreference=nearest"
        "&readPreferenceTags=dc:ny&readPreferenceTags=&ssl=true&appName=a%20b"
    )
    assert "shop" == config.database
    assert (("db1", 27017), ("::1", 5)) == config.servers
    assert config.credentials is not None
    assert ("ann", "p@ss") == (config.credentials.username, config.credentials.password)
    assert (2, "a b") == (config.url_param["w"], config.url_param["appName"])
    assert ({"dc": "ny"}, {}) == config.url_param["readPreferenceTags"]
    assert config.keywords["tls"] is True
    assert 5 == config.keywords["maxPoolSize"]


def test_name_goes_before_the_database_of_the_url() -> None:
    """A name that is given goes before the URL's, which still authenticates; so does a prefix."""
    config = read(url="mongodb://ann:x@db1/users", name="shop", prefix="dev_")
    assert "dev_shop" == config.database
    assert "mongodb://db1:27017/users" == config.host
    assert "dev_users" == read(url="mongodb://db1/users", prefix="dev_").database


def test_database_authenticates_as_in_the_reference() -> None:
    """Without authSource, the database of the sessions authenticates."""
    credentials = {"username": "ann", "password": "x"}
    assert "mongodb://127.0.0.1:27017/shop" == read(name="shop", credentials=credentials).host
    assert "mongodb://127.0.0.1:27017/" == read(name="shop").host


def test_url_takes_credentials_from_elsewhere() -> None:
    """Credentials may stand outside of the URL, where nothing needs to be escaped."""
    config = read(url="mongodb://db1/shop", credentials={"username": "ann", "password": SECRET})
    assert config.credentials is not None
    assert SECRET == config.credentials.password


def test_dns_url_is_read_without_looking_it_up() -> None:
    """A mongodb+srv URL counts as a replica set, and reading it needs no network."""
    config = read(
        {"url": "mongodb+srv://ann:x@cluster.invalid/shop", "extraParam.replSet.poolSize": 3}
    )
    assert "mongodb+srv://cluster.invalid/shop" == config.host
    assert 3 == config.keywords["maxPoolSize"]


def test_socket_is_named_by_a_url() -> None:
    """A Unix domain socket is named by a URL and has no port."""
    config = read(url="mongodb://%2Frun%2Fmongodb-27017.sock/shop")
    assert (("/run/mongodb-27017.sock", None),) == config.servers
    assert "mongodb://%2Frun%2Fmongodb-27017.sock/" == config.host


def test_client_is_used_as_it_is() -> None:
    """A client of the caller's brings its database, unless a name is given."""
    with Client("mongodb://127.0.0.1/shop", connect=False) as client:
        config = read(client=client)
        assert client is config.client
        assert "shop" == config.database
        assert "web" == read(client=client, name="web").database
        assert config == read(url=client)
        assert config.explain().startswith("shop.sessions on the client given")


def test_client_tolerates_no_other_settings() -> None:
    """Settings that a client brings itself are an error beside one."""
    with Client("mongodb://127.0.0.1/shop", connect=False) as client:
        for options in (
            {"servers": "db1"},
            {"url": "mongodb://db1/shop"},
            {"credentials": {"username": "ann", "password": "x"}},
            {"URLParam.w": 1},
            {"extraParam.db.w": 1},
        ):
            with pytest.raises(ConfigError, match="are both given"):
                read({"client": client, **options})


def test_client_without_a_database_needs_a_name() -> None:
    """A client that names no database needs a name beside it."""
    with Client(connect=False) as client, pytest.raises(ConfigError) as caught:
        read(client=client)
    assert 190 == caught.value.code


def test_asynchronous_client_is_an_error() -> None:
    """An AsyncMongoClient is no MongoClient."""
    with pytest.raises(ConfigError, match=r"pymongo\.MongoClient"):
        read(client=AsyncMongoClient(connect=False))


def test_two_clients_are_two_configurations() -> None:
    """Clients for one address are equal to PyMongo, and yet two configurations."""
    with Client(connect=False) as one, Client(connect=False) as other:
        assert one == other
        assert read(client=one, name="a") != read(client=other, name="a")
        assert (
            read(client=one, name="a").connection_key != read(client=other, name="a").connection_key
        )


@pytest.mark.parametrize(
    ("options", "shares"),
    [
        ({"name": "other"}, True),
        ({"collection": "other"}, True),
        ({"stringify": True, "expireAfter": 5, "store.pickle": True}, True),
        ({"URLParam.maxPoolSize": 5}, True),
        ({"extraParam.server.socketOptions.noDelay": True}, True),
        ({"servers": "127.0.0.1"}, True),
        ({"url": "mongodb://127.0.0.1/core_session"}, True),
        ({"URLParam.maxPoolSize": 6}, False),
        ({"servers": "localhost"}, False),
        ({"credentials": {"username": "ann", "password": "x"}}, False),
        ({"URLParam.ssl": True}, False),
    ],
    ids=str,
)
def test_configurations_share_a_client(options: dict[str, Any], shares: bool) -> None:
    """Two configurations share a client exactly when they would make the same one."""
    base = {"name": "core_session"}
    other = options if "url" in options else {**base, **options}
    assert shares == (read(base).connection_key == read(other).connection_key)


def test_password_tells_clients_apart() -> None:
    """Two passwords never share a client."""
    ann = {"credentials.username": "ann", "name": "shop"}
    one, other = (read(ann, **{"credentials.password": text}) for text in ("x", "y"))
    assert one.connection_key != other.connection_key


JSON_KINDS: dict[str, st.SearchStrategy[Any]] = {
    coerce.BOOLEAN.name: st.booleans(),
    coerce.COUNT.name: st.integers(0, 2**31),
    coerce.MILLISECONDS.name: st.integers(0, 2**31),
    coerce.SECONDS.name: st.integers(0, 1000) | st.floats(0, 1000),
    coerce.TEXT.name: st.from_regex(r"[a-zA-Z$][a-zA-Z0-9_.:/@% é-]{0,20}[a-z]", fullmatch=True),
    kinds.WRITE_CONCERN.name: st.integers(1, 7) | st.sampled_from(["majority", "two"]),
    kinds.TAG_SETS.name: st.lists(
        st.dictionaries(st.sampled_from(["dc", "rack"]), st.sampled_from(["ny", "1", "é"])),
        min_size=1,
    ),
    kinds.READ_CONCERN_LEVEL.name: st.sampled_from(kinds.READ_CONCERN_LEVELS),
    kinds.READ_CONCERN.name: st.fixed_dictionaries(
        {"level": st.sampled_from(kinds.READ_CONCERN_LEVELS)}
    ),
    kinds.READ_PREFERENCE.name: st.sampled_from(kinds.READ_PREFERENCES),
    kinds.PEM.name: st.just("/etc/ssl/client.pem"),
    kinds.PEM_LIST.name: st.just(["/etc/ssl/ca.pem", "/etc/ssl/more.pem"]),
    kinds.PASSPHRASE.name: st.just(SECRET),
    kinds.SIGNING_KEY.name: st.just(SECRET),
    kinds.INDEX_FIELDS.name: st.just(["session.user"]),
}


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a configuration with some options of the table, nested as in a dbConfig."""
    rows: list[Option] = [
        row
        for row in ROWS
        if row.kind.name in JSON_KINDS
        and not isinstance(row.effect, Refused)
        and row.name not in ("name", "prefix", "collection")
    ]
    config: dict[str, Any] = {"name": draw(st.sampled_from(["shop", "core_session"]))}
    for row in draw(st.lists(st.sampled_from(rows), unique=True, max_size=12)):
        place = config
        for segment in row.path[:-1]:
            place = place.setdefault(segment, {})
        place[row.path[-1]] = draw(JSON_KINDS[row.kind.name])
    return config


def outcome(options: dict[str, Any]) -> object:
    """Read a configuration, or name the option that an error is about."""
    try:
        config = DbConfig.from_options(options)
    except ConfigError as error:
        return error.option
    assert isinstance(hash(config), int)
    return config


@settings(max_examples=500)
@given(configurations())
def test_forms_are_equal(config: dict[str, Any]) -> None:
    """Python values, JSON text and dotted INI text give the same configuration, or error."""
    expected = outcome(config)
    assert expected == outcome({"dbConfig": json.dumps(config)})
    assert expected == outcome(through_ini(config))


@settings(max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from([row.name for row in ROWS if not isinstance(row.effect, Setting)])
        | st.sampled_from(["name", "servers", "URLParam", "extraParam", "credentials", "store"])
        | st.text(max_size=8),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.binary(max_size=5)
        | st.lists(st.text(max_size=5) | st.integers(), max_size=3)
        | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        max_size=6,
    )
)
def test_garbage_is_a_config_error(options: dict[str, Any]) -> None:
    """Whatever is given, the answer is a configuration or a ConfigError."""
    assert outcome(options) is not NotImplemented
