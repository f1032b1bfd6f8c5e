"""Indexes: made beside the requests, which wait for none of them."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from beaker_mongo_soajs import SessionStore, StoreRefused, close_clients
from beaker_mongo_soajs.mongo import indexes as module
from beaker_mongo_soajs.testing import ReplicaSet
from tests.conftest import Client, Db, FailPoint, Options
from tests.recorder import Commands
from tests.waiting import wait_for_indexes, wait_until

MARGIN_SECONDS = 0.1


def index_names(database: Db, collection: str = "sessions") -> set[str]:
    """Return the names of the indexes of a collection."""
    return set(database[collection].index_information())


def sent(commands: Commands) -> list[str]:
    """Return the commands that were sent for indexes."""
    return [event.command_name for event in commands.for_indexes]


@contextmanager
def hanging_builds(client: Client) -> Iterator[None]:
    """Let every index build begin and not end."""
    name = "hangAfterStartingIndexBuild"
    client.admin.command("configureFailPoint", name, mode="alwaysOn")
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", name, mode="off")


class TestBesideRequests:
    """The first requests of a new worker."""

    def test_indexes_that_exist(self, options: Options, commands: Commands) -> None:
        """If all indexes exist, a new process looks once and makes none."""
        SessionStore(options).set("a", {})
        wait_for_indexes()
        commands.clear()
        other = SessionStore(options)
        other.set("b", {})
        wait_for_indexes()
        other.set("c", {})
        wait_for_indexes()
        assert ["listIndexes"] == sent(commands)

    def test_a_long_build_holds_up_no_request(
        self, options: Options, database: Db, mongo_client: Client, fail_point: FailPoint
    ) -> None:
        """While an index is built, requests are answered at once, also with one connection."""
        del fail_point  # needs test commands as well
        for size in (5, 1):
            database.sessions.drop()
            database.sessions.insert_one({"_id": "old", "session": {"n": 1}})
            store = SessionStore(options | {"URLParam.maxPoolSize": size})
            with hanging_builds(mongo_client):
                assert {"n": 1} == store.get("old")
                wait_until(self._is_building)
                start = time.monotonic()
                for number in range(20):
                    store.set(f"new {number}", {"n": number})
                    assert {"n": number} == store.get(f"new {number}")
                assert time.monotonic() - start < 2
                # Another worker finds the build under way, and waits for it as little.
                SessionStore(options | {"URLParam.maxPoolSize": size + 1}).set("other", {})
                assert any("-indexes" in thread.name for thread in threading.enumerate())
            wait_for_indexes()
            assert "expires_1" in index_names(database)
            close_clients()

    @staticmethod
    def _is_building() -> bool:
        return any("-indexes" in thread.name for thread in threading.enumerate())

    def test_a_client_with_one_connection(
        self, mongo_url: str, options: Options, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The only connection of an application's client is left to the requests."""
        with Client(mongo_url, maxPoolSize=1) as client:
            SessionStore({"client": client, "name": options["name"]}).set("a", {})
            wait_for_indexes()
        assert {"_id_"} == index_names(database)
        assert "maxPoolSize" in caplog.text

    def test_an_index_under_another_name(
        self, options: Options, database: Db, commands: Commands, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A TTL index that does its work under another name is left alone, without a warning."""
        database.sessions.create_index("expires", expireAfterSeconds=0, name="mine")
        SessionStore(options | {"store.indexes": "session.user"}).set("a", {})
        wait_for_indexes()
        assert {"_id_", "mine", "session.user_1"} == index_names(database)
        assert [] == [record for record in caplog.records if record.levelno >= logging.WARNING]
        (create,) = [event for event in commands.for_indexes if "create" in event.command_name]
        assert ["session.user_1"] == [index["name"] for index in create.command["indexes"]]

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_an_error_that_nobody_foresaw(
        self, options: Options, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After an error of any kind, the next request does not try again at once."""
        attempts: list[object] = []

        def fail(collection: object) -> None:
            attempts.append(collection)
            raise ZeroDivisionError

        monkeypatch.setattr(module, "existing_indexes", fail)
        store = SessionStore(options)
        for session_id in ("a", "b"):
            store.set(session_id, {})
            wait_for_indexes()
        assert 1 == len(attempts)

    def test_no_indexes(self, options: Options, database: Db, commands: Commands) -> None:
        """With store.createIndexes false, no index is looked for and none is made."""
        store = SessionStore(options | {"store.createIndexes": False, "store.indexes": "session.a"})
        store.set("a", {})
        wait_for_indexes()
        assert ([], {"_id_"}) == (sent(commands), index_names(database))

    def test_retries(
        self,
        options: Options,
        database: Db,
        commands: Commands,
        fail_point: FailPoint,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A failed attempt is repeated after pauses that double; one warning names the cause."""
        now = [1000.0]
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
        store = SessionStore(options)
        caplog.set_level(logging.INFO, module.__name__)

        def warnings() -> list[str]:
            return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]

        tried = []
        with fail_point("createIndexes", error_code=96):
            for second in range(16):
                now[0] = 1000.0 + second
                commands.clear()
                store.set("a", {})
                wait_for_indexes()
                if "createIndexes" in sent(commands):
                    tried.append(second)
        assert [0, 1, 3, 7, 15] == tried
        assert 1 == len(warnings())
        for part in ("expires_1", store.config.database, "96", "later ones try again"):
            assert part in warnings()[0]
        now[0] += 16
        wait_until(lambda: store.touch("a") and "expires_1" in index_names(database))
        wait_for_indexes()
        assert "All indexes" in caplog.text

    @pytest.mark.parametrize(("field", "seconds"), [("expires", 5), ("other", None)])
    def test_one_that_cannot_be_made(
        self,
        options: Options,
        database: Db,
        caplog: pytest.LogCaptureFixture,
        field: str,
        seconds: int | None,
    ) -> None:
        """An index that cannot be made keeps no other from being made; the log has the remedy."""
        settings: Options = {} if seconds is None else {"expireAfterSeconds": seconds}
        database.sessions.create_index(field, name="expires_1", **settings)
        before = database.sessions.index_information()["expires_1"]
        SessionStore(options | {"store.indexes": "session.user"}).set("a", {})
        wait_for_indexes()
        made = {"_id_", "expires_1", "session.user_1"}
        assert made == index_names(database)
        assert before == database.sessions.index_information()["expires_1"]
        assert "dropIndex" in caplog.text


class TestReplicaSet:
    """Replica sets with a member that is down."""

    @pytest.fixture(scope="class")
    @staticmethod
    def replica_set() -> Iterator[ReplicaSet]:
        """Start a replica set of three."""
        with ReplicaSet(3, for_tests=True) as replica_set:
            yield replica_set

    def test_a_member_that_is_down(self, replica_set: ReplicaSet) -> None:
        """With a member down, first requests take as long as ever; later the index is there."""
        with Client(replica_set.url) as client:
            primary = replica_set.primary
            client.shop.sessions.create_index("expires", name="expires_1", expireAfterSeconds=0)
            # On an empty collection an index is built without the other members.
            client.shop.others.insert_one({"_id": "old"})
            (down, *_) = [member for member in replica_set.members if member is not primary]
            down.kill()
            try:
                usual = self._first_request(replica_set, "sessions")
                without = self._first_request(replica_set, "others")
                assert without < usual + MARGIN_SECONDS
                assert {"_id_"} == self._ready(client, "others")
            finally:
                down.start()
            wait_until(lambda: "expires_1" in self._ready(client, "others"), 60)
            wait_for_indexes()
        close_clients()

    def _first_request(self, replica_set: ReplicaSet, collection: str) -> float:
        """Return the seconds that the first request of a worker takes, the best of three."""
        taken = []
        for number in range(3):
            close_clients()
            store = SessionStore(
                {"url": replica_set.url, "name": "shop", "collection": collection}
                | {"URLParam.maxPoolSize": 10 + number}
            )
            start = time.monotonic()
            store.set("id", {"n": 1})
            taken.append(time.monotonic() - start)
        return min(taken)

    @staticmethod
    def _ready(client: Client, collection: str) -> set[str]:
        """Return the names of the indexes that are built."""
        stages: list[dict[str, Any]] = [{"$indexStats": {}}]
        found = client.shop[collection].aggregate(stages)
        return {index["name"] for index in found if "building" not in index}

    def test_a_direct_connection_to_a_secondary(self, replica_set: ReplicaSet) -> None:
        """A client of a secondary alone reads, although it can make no index there."""
        primary = replica_set.primary
        (secondary, *_) = [member for member in replica_set.members if member is not primary]
        with Client(replica_set.url, w=3) as client:
            client.away.sessions.insert_one({"_id": "a", "session": {"n": 1}})
        store = SessionStore({"url": secondary.url, "name": "away"})
        assert {"n": 1} == store.get("a")
        wait_for_indexes()
        assert {"n": 1} == store.get("a")
        close_clients()


def test_a_unique_index_on_another_field(
    options: Options, database: Db, commands: Commands
) -> None:
    """A unique index that an earlier store left is an error at once, which names the index."""
    database.sessions.create_index("sid", unique=True)
    database.sessions.insert_one({"_id": "old"})
    store = SessionStore(options | {"store.createIndexes": False})
    with pytest.raises(StoreRefused, match=r"unique index sid_1 on .*\.sessions") as caught:
        store.record().save("new", {"n": 1})
    assert "dropIndex('sid_1')" in str(caught.value.hint)
    assert ["insert"] == commands.names
