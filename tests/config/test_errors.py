"""Errors of a configuration: each names the option and the remedy, and none shows a secret."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import pytest

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import ConfigError
from tests.conftest import Options


def read(options: Options | None = None, **more: Any) -> DbConfig:
    """Read a configuration."""
    return DbConfig.from_options({**(options or {}), **more})


@pytest.mark.parametrize(
    ("options", "option", "code", "words"),
    [
        ({"name": ""}, "name", 190, "empty"),
        ({"name": None}, "name", 190, "must be text"),
        ({"name": 5}, "name", 190, "must be text"),
        ({"name": "a b"}, "name", None, "spaces"),
        ({"name": "a.b"}, "name", None, "contains '.'"),
        ({"name": "a" * 64}, "name", None, "63"),
        ({"name": "a" * 60, "prefix": "long"}, "name", None, "63"),
        ({"prefix": 1}, "prefix", None, "must be text"),
        ({"servers": "db1:port"}, "servers", 190, "port"),
        ({"servers": {"host": "db1"}}, "servers", 190, "list"),
        ({"servers": []}, "servers", 190, "one server or more"),
        ({"servers": ""}, "servers", 190, "one server or more"),
        ({"servers": None}, "servers", 190, "list"),
        ({"servers": [{"host": "db1", "port": 0}]}, "servers", 190, "1 to 65535"),
        ({"servers": [{"host": "db1:27017"}]}, "servers", 190, "is not part of the host"),
        ({"servers": [{"host": ""}]}, "servers", 190, "host"),
        ({"servers": [{"hots": "db1"}]}, "servers", 190, "no other names than host and port"),
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
        ({"url": "mongodb://db1/shop?w=51"}, "URLParam.w", None, "1 to 50"),
        ({"URLParam.readPreference": "slave"}, "URLParam.readPreference", None, "one of primary"),
        ({"URLParam.readPreferenceTags": "ny"}, "URLParam.readPreferenceTags", None, "tag set"),
        ({"URLParam.authMechanism": "MONGODB-CR"}, "URLParam.authMechanism", None, "SCRAM"),
        ({"URLParam.event_listeners": "x"}, "URLParam.event_listeners", None, "Python object"),
        ({"URLParam.compressors": "lzma"}, "URLParam.compressors", None, "snappy"),
        ({"extraParam.db.readConcern": {"levle": 1}}, "extraParam.db.readConcern", None, "level"),
        ({"extraParam.server.sslCA": []}, "extraParam.server.sslCA", None, "one certificate"),
        ({"extraParam.server.sslCA": [""]}, "extraParam.server.sslCA", None, "PEM text"),
        ({"extraParam.server.sslCert": "x" * 4097}, "extraParam.server.sslCert", None, "BEGIN"),
        ({"extraParam.server.sslCert": b"\xff\xfe"}, "extraParam.server.sslCert", None, "DER"),
        ({"extraParam.server.sslCert": "MII\nabc"}, "extraParam.server.sslCert", None, "BEGIN"),
        ({"URLParam.readPreferenceTags": "dc:a,dc:b"}, "URLParam.readPreferenceTags", None, "tag"),
        ({"URLParam.readPreferenceTags": 5}, "URLParam.readPreferenceTags", None, "tag set"),
        ({"URLParam.readPreferenceTags": {"": "ny"}}, "URLParam.readPreferenceTags", None, "tag"),
        ({"URLParam.readPreferenceTags": {"dc": None}}, "URLParam.readPreferenceTags", None, "tag"),
        ({"URLParam.compressors": [5]}, "URLParam.compressors", None, "list of texts"),
        ({"URLParam.authMechanismProperties": "a"}, "URLParam.authMechanismProperties", None, ":"),
        ({"URLParam.authMechanismProperties": ":a"}, "URLParam.authMechanismProperties", None, ":"),
        ({"URLParam.authMechanismProperties": 5}, "URLParam.authMechanismProperties", None, ":"),
        ({"extraParam.db.readConcern": "all"}, "extraParam.db.readConcern", None, "majority"),
        ({"extraParam.server.sslCert": 5}, "extraParam.server.sslCert", None, "PEM"),
        ({"extraParam.server.sslPass": b"\xff"}, "extraParam.server.sslPass", None, "UTF-8"),
        ({"store.touchAfter": "soon"}, "store.touchAfter", None, "number"),
        ({"store.touchAfter": True}, "store.touchAfter", None, "number"),
        ({"store.touchAfter": float("nan")}, "store.touchAfter", None, "number"),
        ({"store.indexes": "session..a"}, "store.indexes", None, "field names"),
        ({"store.userKey": 5}, "store.userKey", None, "the key of a session"),
        ({"store.userKey": "a..b"}, "store.userKey", None, "the key of a session"),
        ({"store.userKey": "a.$b"}, "store.userKey", None, "the key of a session"),
        ({"store.indexes": ["a", "a"]}, "store.indexes", None, "once"),
        ({5: "shop"}, None, None, "name of an option has the type int; it must be text"),
        ({"store.touchAfter": -1}, "store.touchAfter", None, "0 or more"),
        ({"store.lockLease": 0}, "store.lockLease", None, "above 0"),
        ({"store.autoRemove": "never"}, "store.autoRemove", None, "native"),
        ({"store.transformId": "md5"}, "store.transformId", None, "sha256"),
        ({"store.signingKey": ""}, "store.signingKey", None, "secret"),
        ({"store.signingKey": "x" * 15}, "store.signingKey", None, "16 bytes"),
        ({"store.signingKey": []}, "store.signingKey", None, "token_urlsafe"),
        ({"store.signingKey": ["x" * 16, "short"]}, "store.signingKey", None, "token_urlsafe"),
        ({"store.indexes": "session.user, $x"}, "store.indexes", None, "$"),
        ({"store.indexes": "session.a", "stringify": True}, "store.indexes", None, "stringify"),
        ({"dbConfig": "{"}, "dbConfig", None, "JSON"),
        ({"dbConfig": '{"name": "a", "name": "b"}'}, "dbConfig", None, "once"),
        ({"dbConfig": '{"expireAfter": NaN}'}, "dbConfig", None, "NaN"),
        ({"dbConfig": "no/such/file.json"}, "dbConfig", None, "No such file"),
        ({"dbConfig": 5}, "dbConfig", None, "object"),
        ({"dbConfig": "'{}x"}, "dbConfig", None, "not valid"),
        ({"dbConfig": {"dbConfig": {}}}, "dbConfig", None, "outer"),
        ({"url": 5}, "url", None, "connection string"),
        ({"url": "mongodb://db1"}, "name", 190, "url names none"),
        ({"url": "mongodb+srv://a.example.com,b/shop"}, "url", None, "one host"),
        ({"url": "mongodb+srv://a.example.com:1/shop"}, "url", None, "no port"),
        ({"url": "mongodb://db1/a.b"}, "url", None, "not contain a dot"),
        ({"url": "mongodb://db1/shop?w"}, "url", None, "name=value"),
        ({"url": "mongodb://db1/shop?w=1&w=2"}, "url", None, "url gives w 2 times"),
        ({"url": "mongodb://db1/shop?wat=1"}, "URLParam.wat", None, "no option"),
        ({"url": "mongodb://db1/shop", "servers": "db2"}, "servers", None, "both"),
        ({"url": "mongodb://db1/shop?w=1", "URLParam.w": 2}, "URLParam.w", None, "different"),
        ({"client": "mongodb://db1"}, "client", None, "MongoClient"),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_value_is_an_error(
    options: Options, option: str | None, code: int | None, words: str
) -> None:
    """An invalid value is an error that names the option and the accepted values."""
    with pytest.raises(ConfigError) as caught:
        read({**({} if "url" in options else {"name": "shop"}), **options})
    assert (option, code) == (caught.value.option, caught.value.code)
    assert words in str(caught.value)


def with_secret(options: Any, secret: str) -> Any:
    """Replace each placeholder in a value by a secret."""
    if isinstance(options, dict):
        return {
            with_secret(name, secret): with_secret(value, secret) for name, value in options.items()
        }
    if isinstance(options, list):
        return [with_secret(value, secret) for value in options]
    return options.replace("SECRET", secret) if isinstance(options, str) else options


def assert_hidden(secret: str, *texts: str) -> None:
    """Assert that no text contains a secret, or most of one, plain or encoded for a URL."""
    for text in texts:
        assert secret[2:] not in text
        assert quote_plus(secret)[4:] not in text


@pytest.mark.parametrize("secret", ["p@q7Xz", "x7Qk9z"])
@pytest.mark.parametrize(
    "options",
    [
        {"credentials": {"username": "ann", "password": "SECRET"}},
        {"credentials": {"username": "SECRET", "password": "x"}},
        {"extraParam.server": {"sslKey": "-----BEGIN SECRET", "sslCert": "x", "sslPass": "SECRET"}},
        {"extraParam.server": {"sslKey": "SECRET", "sslCert": "-----BEGIN SECRET"}},
        {"store.signingKey": "SECRETSECRETSECRET"},
        {
            "URLParam.authMechanism": "MONGODB-AWS",
            "URLParam.authMechanismProperties": {"AWS_SESSION_TOKEN": "SECRET"},
        },
    ],
    ids=str,
)
def test_secrets_are_shown_nowhere(options: Options, secret: str) -> None:
    """Neither the repr of a configuration nor its report shows a secret."""
    show_nothing(read(with_secret(options, secret)), secret)


@pytest.mark.parametrize("secret", ["p@q7Xz", "x7Qk9z"])
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
    """Assert that no representation of a configuration shows a secret."""
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


@pytest.mark.parametrize("secret", ["p@q7Xz:/w%rd é", "x7Qk9z"])
@pytest.mark.parametrize("option", ["name", "collection", "prefix"])
def test_connection_string_in_a_name_shows_no_secret(option: str, secret: str) -> None:
    """A connection string as the name of something is an error, which leads to url."""
    url = f"mongodb://ann:{secret}@db1/shop"
    with pytest.raises(ConfigError, match="Set the option url") as caught:
        read({option: url})
    error = caught.value
    assert_hidden(secret, str(error), repr(error.value), DbConfig.explain_options({option: url}))


@pytest.mark.parametrize("secret", ["p@q7Xz:/w%rd é", "x7Qk9z"])
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
        {"dbConfig": '\ufeff{"credentials": {"password": "SECRET" }'},
        {"dbConfig": """'{"credentials": {"password": "SECRET" }'"""},
        {"dbConfig": "'credentials.password=SECRET'"},
        {"dbConfig": "mongodb://ann:SECRET@db1/shop"},
        {"dbConfig": ["credentials", {"password": "SECRET"}]},
        {"servers": [{"host": "db1", "port": 27017, "password": "SECRET"}]},
        {"servers": ["ann:SECRET"]},
        {"servers": "ann:SECRET"},
        {"servers": "db1, ann:SECRET"},
        {"servers": '[{"host": "db1", "password": "SECRET" }'},
        {"url": "mongodb://ann:SECRET"},
        {"url": "mongodb://ann:SECRET/shop"},
        {"url": "ann:SECRET"},
        {"url": "mongodb://ann:SECRET@db1/shop?SECRET"},
        {"url": "mongodb://ann:SECRET@db1/shop?password=SECRET"},
        {"url": ["mongodb://ann:SECRET@db1/shop"]},
        {"client": "mongodb://ann:SECRET@db1/shop"},
        {"database": "mongodb://ann:SECRET@db1/shop"},
        {"mongodb://ann:SECRET@db1/shop": "x"},
        {"URLParam": "credentials=SECRET"},
        {"URLParam.w": "mongodb://ann:SECRET@db1/shop", "collection": ""},
        {"URLParam.readPreference": "mongodb://ann:SECRET@db1/shop"},
        {"store.signingKey": {"key": "SECRET"}},
        {"store": {"signingkey": "SECRET", "touchAfter": "soon"}},
    ],
    ids=str,
)
def test_errors_show_no_secret(options: Options, secret: str) -> None:
    """Neither an error about a secret nor the cause of that error shows the secret."""
    options = with_secret(options, secret)
    with pytest.raises(ConfigError) as caught:
        read(options, name="shop")
    assert_hidden(secret, repr(caught.value.value), DbConfig.explain_options(options))
    error: BaseException | None = caught.value
    while error is not None:
        assert_hidden(secret, str(error), repr(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
