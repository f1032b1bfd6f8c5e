"""Secrets, session ids and data in the texts that objects of the package show."""

import traceback
from typing import Any

import pytest

from beaker_mongo_soajs import ConfigError, DbConfig, Locks, SessionStore, StoreRefused
from beaker_mongo_soajs.caches.store import CacheStore
from beaker_mongo_soajs.config.endpoint import Endpoint
from beaker_mongo_soajs.mongo.client import check_client, get_client
from tests.caches.support import open_cache
from tests.conftest import Db, Options

_SECRET = "x7Qk9z-secret"
_AWS = {
    "URLParam.authMechanism": "MONGODB-AWS",
    "URLParam.authMechanismProperties": {"AWS_SESSION_TOKEN": _SECRET},
    "credentials": {"username": "key id", "password": _SECRET},
}


@pytest.mark.parametrize(
    "options",
    [
        {"credentials": {"username": "ann", "password": _SECRET}},
        _AWS,
        {"url": f"mongodb://ann:{_SECRET}@127.0.0.1/shop"},
    ],
    ids=["password", "AWS", "URL"],
)
def test_client(options: Options) -> None:
    """The repr of a client and of its options shows no secret, and the client still has it."""
    client: Any = get_client(DbConfig.from_options({"name": "shop"} | options))
    assert _SECRET not in repr(client) + repr(client.options)
    credentials = client.options.pool_options._credentials
    assert _SECRET == credentials.password
    if options is _AWS:
        assert _SECRET == credentials.mechanism_properties.aws_session_token


def test_client_with_tokens() -> None:
    """The repr of a client that logs in with OIDC tokens shows none of it, and it still has it."""
    properties = {"ENVIRONMENT": "azure", "TOKEN_RESOURCE": _SECRET}
    login = {"authMechanism": "MONGODB-OIDC", "authMechanismProperties": properties}
    config = DbConfig.from_options({"name": "shop", "URLParam": login})
    client: Any = get_client(config)
    credentials = client.options.pool_options._credentials
    shown = repr(config) + repr(client) + repr(client.options) + repr(credentials)
    assert _SECRET not in shown
    assert _SECRET == credentials.mechanism_properties.token_resource


@pytest.mark.parametrize(
    "options",
    [
        _AWS | {"URLParam.authSource": "other"},
        {
            "credentials": {"username": "ann", "password": _SECRET},
            "URLParam.authMechanism": "PLAIN",
            "URLParam.authSource": "admin",
            "URLParam.readPreference": "nearest",
            "URLParam.maxStalenessSeconds": 5,
        },
        {"extraParam.server.sslKey": "-----BEGIN x", "extraParam.server.sslPass": _SECRET},
    ],
    ids=["AWS", "password", "passphrase"],
)
def test_traceback_of_a_refusal(options: Options) -> None:
    """If PyMongo refuses a configuration, neither the error nor its causes show a secret."""
    with pytest.raises(ConfigError) as caught:
        check_client(DbConfig.from_options({"name": "shop"} | options))
    assert _SECRET not in "".join(traceback.format_exception(caught.value))
    assert _SECRET not in repr(caught.value.value)


def test_refused_document(options: Options, database: Db) -> None:
    """If the server refuses a document, its text, which quotes values, is in no traceback."""
    database.sessions.create_index("session.user", unique=True)
    store = SessionStore(options)
    store.set("one", {"user": _SECRET})
    with pytest.raises(StoreRefused) as caught:
        store.set("another", {"user": _SECRET})
    assert _SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None


def test_parts_of_a_configuration() -> None:
    """The repr of each part of a configuration masks the password."""
    url = f"mongodb://ann:{_SECRET}@127.0.0.1/shop"
    config = DbConfig.from_options({"url": url})
    endpoint = Endpoint.from_values({("url",): url})
    assert url == config.url == endpoint.url
    assert _SECRET not in repr(endpoint) + repr(config) + repr(config.credentials)


def test_leases(options: Options) -> None:
    """The repr of a lease shows whether it is held, and not the name of the lock."""
    lease = Locks(DbConfig.from_options(options)).lease(f"session {_SECRET}")
    assert "not held" in repr(lease)
    with lease:
        assert " held" in repr(lease)
        assert "not held" not in repr(lease)
        assert str(lease._stored_id) not in repr(lease)
    assert "shared" in repr(Locks(options).lease("name", shared=True))


def test_cache_entries(options: Options) -> None:
    """The repr of a cache entry, and of its store, shows no value and no key."""
    cache = open_cache(options)
    cache.put(_SECRET, _SECRET)
    store = CacheStore(DbConfig.from_options(options))
    entry = store.find("things", _SECRET.encode())
    assert entry is not None
    assert _SECRET.encode() in bytes(entry.payload)
    assert _SECRET not in repr(entry) + repr(store) + repr(cache.namespace)


def test_stores(options: Options) -> None:
    """The repr of a store shows neither sessions nor secrets."""
    store = SessionStore(options | {"store": {"signingKey": _SECRET * 2}})
    store.set(_SECRET, {"n": _SECRET})
    assert _SECRET not in repr(store) + repr(vars(store))
