"""The check when an application starts."""

import time

import pytest

from beaker_mongo_soajs import DbConfig, StoreRefused, StoreUnavailable
from beaker_mongo_soajs.mongo.startup import wait_for_database
from beaker_mongo_soajs.testing import ReplicaSet
from tests.conftest import Client, FailPoint, Options
from tests.recorder import Commands


def test_the_primary_is_asked(replica_set_of_one: ReplicaSet) -> None:
    """The query goes to the primary, even if sessions are read from secondaries."""
    params = {"readPreference": "secondary", "serverSelectionTimeoutMS": 5000}
    options = {"url": replica_set_of_one.url, "name": "shop", "URLParam": params}
    wait_for_database(DbConfig.from_options(options), 0)


def test_a_refusal_ends_the_wait(
    options: Options, commands: Commands, fail_point: FailPoint
) -> None:
    """A server that refuses the query is not asked again."""
    start = time.monotonic()
    with fail_point("find", error_code=13), pytest.raises(StoreRefused):
        wait_for_database(DbConfig.from_options(options), 60)
    assert ["find"] == commands.names
    assert time.monotonic() - start < 30


def test_an_outage(options: Options, fail_point: FailPoint) -> None:
    """The error after the wait says that nothing was changed."""
    config = DbConfig.from_options(options)
    with (
        fail_point("find", error_code=96),
        pytest.raises(StoreUnavailable, match="Nothing was changed"),
    ):
        wait_for_database(config, 0)


def test_a_client_of_the_application_stays_open(store_url: str, database_name: str) -> None:
    """An application's own client is used for the query, and is not closed."""
    with Client(store_url) as client:
        wait_for_database(DbConfig.from_options({"client": client, "name": database_name}), 0)
        assert 1.0 == client.admin.command("ping")["ok"]
