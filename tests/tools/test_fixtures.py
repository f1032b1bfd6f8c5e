"""The fixture ``commands``: a fault in it would hide faults of the package."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from tests.conftest import Client
from tests.recorder import Commands


@pytest.fixture
def application(mongo_url: str, commands: Commands) -> Iterator[Client]:
    """Make a client as an application does, after the fixture ``commands``."""
    with Client(mongo_url, retryReads=False, retryWrites=False) as client:
        yield client


class TestCommands:
    """The fixture ``commands``."""

    def test_commands_of_applications(
        self, application: Client, commands: Commands, database_name: str
    ) -> None:
        """Names and contents of commands are recorded in their order."""
        things = application[database_name].things
        things.insert_one({"_id": 1})
        things.find_one(1)
        assert ["insert", "find"] == commands.names
        assert {"_id": 1} == commands.started[1].command["filter"]

    def test_client_of_the_tests(
        self, application: Client, commands: Commands, database: Database[dict[str, Any]]
    ) -> None:
        """Commands of the tests' own client are not recorded."""
        database.things.find_one()
        application[database.name].things.find_one()
        assert ["find"] == commands.names

    def test_other_databases_and_handshakes(
        self, application: Client, commands: Commands, database_name: str
    ) -> None:
        """Handshakes and commands to other databases are not recorded."""
        application.admin.command("ping")
        application[database_name].command("hello")
        assert [] == commands.names

    def test_clear_and_pause(
        self, application: Client, commands: Commands, database_name: str
    ) -> None:
        """Commands before ``clear`` and while ``recording`` is off are not listed."""
        things = application[database_name].things
        things.find_one()
        commands.clear()
        commands.recording = False
        things.find_one()
        commands.recording = True
        things.count_documents({})
        assert ["aggregate"] == commands.names
