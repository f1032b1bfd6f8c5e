"""DbConfig: the values that are read from a configuration."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from beaker_mongo_soajs.config import DbConfig, migrate_from
from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.config.store_options import StoreOptions
from beaker_mongo_soajs.exceptions import ConfigError
from tests.config.reference_configs import EXAMPLE
from tests.config.test_given_options import through_ini
from tests.conftest import Client, Options
from tests.passwords import PASSWORD


def read(options: Options | None = None, **more: Any) -> DbConfig:
    """Read a configuration."""
    return DbConfig.from_options({**(options or {}), **more})


def test_values_are_read() -> None:
    """Each option is an attribute with a value of the proper type."""
    config = read(through_ini(EXAMPLE))
    assert ("core_session", "dev_", "dev_core_session") == (
        config.name,
        config.prefix,
        config.database,
    )
    assert (("db1", 27017), ("db2", 27018)) == config.servers
    assert config.credentials is not None
    assert ("ann", PASSWORD) == (config.credentials.username, config.credentials.password)
    assert {"maxPoolSize": 7, "w": "majority", "journal": True} == dict(config.url_param)
    assert 0 == config.extra_param["db"]["bufferMaxEntries"]
    assert config.extra_param["mongos"]["socketOptions"]["noDelay"] is True
    assert ("web", True, True) == (config.collection, config.collection_given, config.stringify)
    assert (60000, 60.0) == (config.expire_after_ms, config.expire_after_seconds)
    assert StoreOptions(touch_after=60, pickle=True) == config.store


def test_groups_cannot_be_changed() -> None:
    """The groups of a configuration are read-only."""
    with pytest.raises(TypeError):
        read(EXAMPLE).url_param["maxPoolSize"] = 8  # type: ignore[index]  # it is immutable


def test_configuration_survives_pickling() -> None:
    """A configuration can be sent to another process."""
    config = read(EXAMPLE)
    assert config == pickle.loads(pickle.dumps(config))


def test_defaults_are_those_of_the_reference() -> None:
    """Without options, a configuration has the defaults of the reference."""
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


def test_defaults_of_a_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default, a migration loads no pickles; a module that it needs is looked for."""
    old = {"type": "ext:redis", "url": "redis://db1"}
    monkeypatch.setattr(migrate_from, "find_spec", lambda name: object())
    config = read({"store.migrateFrom": old})
    assert MigrateFrom("ext:redis", "redis://db1") == config.store.migrate_from
    monkeypatch.setattr(migrate_from, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs the module redis"):
        read({"store.migrateFrom": old})


def test_server_selection_timeout_overrides_buffer_entries() -> None:
    """A given serverSelectionTimeoutMS overrides bufferMaxEntries, in either group."""
    for other in ({}, {"URLParam.bufferMaxEntries": 0}, {"extraParam.db.bufferMaxEntries": 0}):
        config = read({"URLParam.serverSelectionTimeoutMS": 9000, **other})
        assert 9000 == config.keywords["serverSelectionTimeoutMS"]


def test_url_is_parsed() -> None:
    """A URL supplies servers, credentials, database and options."""
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


def test_name_overrides_the_database_of_the_url() -> None:
    """A given name overrides the URL's database, which still authenticates; a prefix is added."""
    config = read(url="mongodb://ann:x@db1/users", name="shop", prefix="dev_")
    assert "dev_shop" == config.database
    assert "mongodb://db1:27017/users" == config.host
    assert "dev_users" == read(url="mongodb://db1/users", prefix="dev_").database


def test_database_authenticates_as_in_the_reference() -> None:
    """Without authSource, users authenticate against the database of the sessions."""
    credentials = {"username": "ann", "password": "x"}
    assert "mongodb://127.0.0.1:27017/shop" == read(name="shop", credentials=credentials).host
    assert "mongodb://127.0.0.1:27017/" == read(name="shop").host


def test_url_accepts_separate_credentials() -> None:
    """Credentials may be given apart from the URL, and then need no escaping."""
    config = read(url="mongodb://db1/shop", credentials={"username": "ann", "password": PASSWORD})
    assert config.credentials is not None
    assert PASSWORD == config.credentials.password


def test_dns_url_is_read_without_looking_it_up() -> None:
    """A mongodb+srv URL means a replica set, and reading it needs no network."""
    config = read(
        {"url": "mongodb+srv://ann:x@cluster.invalid/shop", "extraParam.replSet.poolSize": 3}
    )
    assert "mongodb+srv://cluster.invalid/shop" == config.host
    assert 3 == config.keywords["maxPoolSize"]
    assert read(url="mongodb+srv://cluster.invalid/shop?loadBalanced=true").keywords["loadBalanced"]


def test_url_names_a_socket() -> None:
    """A URL may name a Unix domain socket, which has no port."""
    config = read(url="mongodb://%2Frun%2Fmongodb-27017.sock/shop")
    assert (("/run/mongodb-27017.sock", None),) == config.servers
    assert "mongodb://%2Frun%2Fmongodb-27017.sock/" == config.host


def test_client_is_used_as_it_is() -> None:
    """The caller's own client is used with its default database, unless a name is given."""
    with Client("mongodb://127.0.0.1/shop", connect=False) as client:
        config = read(client=client)
        assert client is config.client
        assert "shop" == config.database
        assert "web" == read(client=client, name="web").database
        assert config == read(url=client)
        assert config.explain().startswith("shop.sessions on the client given")


def test_client_without_answers_is_an_error() -> None:
    """A client whose write concern is w: 0 is refused."""
    with Client("mongodb://127.0.0.1/shop", w=0, connect=False) as client:
        with pytest.raises(ConfigError, match="relies on the server's answers") as caught:
            read(client=client)
        assert "client" == caught.value.option


def test_client_excludes_other_settings() -> None:
    """Settings that a client already has are an error beside it."""
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
    """A client without a default database needs a name."""
    with Client(connect=False) as client, pytest.raises(ConfigError) as caught:
        read(client=client)
    assert 190 == caught.value.code


def test_asynchronous_client_is_an_error() -> None:
    """An AsyncMongoClient is refused."""
    with pytest.raises(ConfigError, match=r"pymongo\.MongoClient"):
        read(client=AsyncMongoClient(connect=False))


def test_two_clients_are_two_configurations() -> None:
    """Two clients for one address, which PyMongo compares as equal, are two configurations."""
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
        ({"stringify": True, "expireAfter": 60000, "store.pickle": True}, True),
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
def test_configurations_share_a_client(options: Options, shares: bool) -> None:
    """Two configurations share a client exactly if they would create the same one."""
    base = {"name": "core_session"}
    other = options if "url" in options else {**base, **options}
    assert shares == (read(base).connection_key == read(other).connection_key)


def test_different_passwords_do_not_share_a_client() -> None:
    """Configurations with different passwords never share a client."""
    ann = {"credentials.username": "ann", "name": "shop"}
    one, other = (read(ann, **{"credentials.password": text}) for text in ("x", "y"))
    assert one.connection_key != other.connection_key
