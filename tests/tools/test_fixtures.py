"""The fixtures that the other tests stand on."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure

import beaker_mongo_soajs
from tests.conftest import Client, FailPoint, RunPython, StartPython
from tests.recorder import Commands


@pytest.fixture
def application(mongo_url: str, commands: Commands) -> Iterator[Client]:
    """Make a client as an application would, after the recording began."""
    with Client(mongo_url, retryReads=False, retryWrites=False) as client:
        yield client


class TestDatabase:
    """The fixture ``database``."""

    def test_it_is_the_one_of_that_name(
        self, database: Database[dict[str, Any]], database_name: str
    ) -> None:
        """The fixtures ``database`` and ``database_name`` speak of the same database."""
        assert database_name == database.name

    @pytest.mark.parametrize("turn", [1, 2])
    def test_it_is_fresh(self, database: Database[dict[str, Any]], turn: int) -> None:
        """What one test writes, the next one does not find."""
        database.things.insert_one({"turn": turn})
        assert [turn] == database.things.distinct("turn")


class TestCommands:
    """The fixture ``commands``."""

    def test_it_records_the_commands_of_applications(
        self, application: Client, commands: Commands, database_name: str
    ) -> None:
        """Commands come with their names and contents, in the order in which they were sent."""
        things = application[database_name].things
        things.insert_one({"_id": 1})
        things.find_one(1)
        assert ["insert", "find"] == commands.names
        assert {"_id": 1} == commands.started[1].command["filter"]

    def test_it_ignores_the_tests_own_client(
        self, application: Client, commands: Commands, database: Database[dict[str, Any]]
    ) -> None:
        """A look at the database from a test is no command of the application."""
        database.things.find_one()
        application[database.name].things.find_one()
        assert ["find"] == commands.names

    def test_it_ignores_other_databases_and_housekeeping(
        self, application: Client, commands: Commands, database_name: str
    ) -> None:
        """Handshakes and commands to other databases are left out."""
        application.admin.command("ping")
        application[database_name].command("hello")
        assert [] == commands.names

    def test_it_can_forget_and_pause(
        self, application: Client, commands: Commands, database_name: str
    ) -> None:
        """Only what is sent after ``clear`` and while ``recording`` is on stays."""
        things = application[database_name].things
        things.find_one()
        commands.clear()
        commands.recording = False
        things.find_one()
        commands.recording = True
        things.count_documents({})
        assert ["aggregate"] == commands.names


class TestFailPoint:
    """The fixture ``fail_point``."""

    def test_it_answers_with_an_error(
        self, application: Client, database_name: str, fail_point: FailPoint
    ) -> None:
        """A command fails with the code that was asked for, as often as was asked for."""
        things = application[database_name].things
        with fail_point("find", error_code=2, times=1):
            with pytest.raises(OperationFailure) as failure:
                things.find_one()
            assert things.find_one() is None
        assert 2 == failure.value.code

    def test_it_ends_with_its_context(
        self, application: Client, database_name: str, fail_point: FailPoint
    ) -> None:
        """After the context, commands succeed again."""
        things = application[database_name].things
        with fail_point("find", error_code=2), pytest.raises(OperationFailure):
            things.find_one()
        assert things.find_one() is None

    def test_it_closes_connections(
        self, application: Client, database_name: str, fail_point: FailPoint
    ) -> None:
        """A connection can be closed instead of an answer."""
        things = application[database_name].things
        with fail_point("find", close_connection=True), pytest.raises(AutoReconnect):
            things.find_one()

    def test_it_fails_only_the_client_of_a_name(
        self, mongo_url: str, database: Database[dict[str, Any]], fail_point: FailPoint
    ) -> None:
        """With an application name, other clients see no failure."""
        with (
            Client(mongo_url, appname="unlucky") as unlucky,
            fail_point("find", error_code=2, app_name="unlucky"),
        ):
            assert database.things.find_one() is None
            with pytest.raises(OperationFailure):
                unlucky[database.name].things.find_one()

    def test_it_delays_commands(
        self, mongo_url: str, database_name: str, fail_point: FailPoint
    ) -> None:
        """A command can be held up for longer than the client waits."""
        with (
            Client(mongo_url, timeoutMS=100) as impatient,
            fail_point("find", block_ms=2000),
            pytest.raises(AutoReconnect),
        ):
            impatient[database_name].things.find_one()


class TestPython:
    """The fixtures ``run_python`` and ``start_python``."""

    def test_it_imports_the_package(self, run_python: RunPython) -> None:
        """Code in a process of its own finds the package and the added variables."""
        answer = run_python(
            """
            import os
            from beaker_mongo_soajs.testing import MongoServer
            print(MongoServer.__name__, os.environ["COLOUR"])
            """,
            {"COLOUR": "green"},
        )
        assert "MongoServer green\n" == answer.stdout

    def test_it_imports_what_is_tested(self, run_python: RunPython) -> None:
        """The package there is the one here, installed or not, and the tests are there too."""
        answer = run_python(
            """
            import beaker_mongo_soajs, tests.waiting
            print(beaker_mongo_soajs.__file__)
            """
        )
        assert f"{beaker_mongo_soajs.__file__}\n" == answer.stdout

    def test_an_error_there_is_an_error_here(self, run_python: RunPython) -> None:
        """A process that fails unasked fails the test, with what it said."""
        with pytest.raises(AssertionError, match="too bad"):
            run_python("raise SystemExit('too bad')")
        assert 1 == run_python("raise SystemExit('too bad')", check=False).returncode

    def test_a_started_process_can_be_spoken_to(self, start_python: StartPython) -> None:
        """A process that goes on takes lines and gives lines."""
        process = start_python("print(input().upper(), flush=True); input()")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("hello\n")
        process.stdin.flush()
        assert "HELLO\n" == process.stdout.readline()
        assert process.poll() is None
        os.kill(process.pid, 0)
