"""A throw-away replica set."""

from pathlib import Path

import pytest

from beaker_mongo_soajs.testing import MongoServer, ReplicaSet, ServerError
from tests.conftest import Client


class TestReplicaSet:
    """The class ``ReplicaSet``."""

    def test_it_replicates_and_fails_over(self, temporary: Path) -> None:
        """A write to a majority survives a crash of the primary, and tags select a member."""
        tags = [{"room": "north"}, {"room": "south"}]
        with ReplicaSet(tags=tags, for_tests=True) as replica_set:
            with Client(replica_set.url, w="majority") as client:
                client.shop.things.insert_one({"_id": 1})
                config = client.admin.command("replSetGetConfig")["config"]
                old = replica_set.primary
                old.kill()
                new = replica_set.primary
                assert {"_id": 1} == client.shop.things.find_one()
            assert [*tags, {}] == [member["tags"] for member in config["members"]]
            assert old is not new
            # Elections take seconds, not those ten of MongoDB's default.
            assert 2000 == config["settings"]["electionTimeoutMillis"]
        assert [] == list(temporary.iterdir())

    def test_a_set_of_one_is_a_set(self) -> None:
        """A replica set can have one member."""
        with ReplicaSet(1) as replica_set, Client(replica_set.url) as client:
            with client.start_session() as session, session.start_transaction():
                client.shop.things.insert_one({"_id": 1}, session=session)
            assert replica_set.members == [replica_set.primary]

    def test_a_set_without_a_primary(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If no member becomes primary in time, an error says so, and no server is left."""
        monkeypatch.setattr("beaker_mongo_soajs.testing.replica_set._READY_SECONDS", 0.0)
        replica_set = ReplicaSet(1)
        with pytest.raises(ServerError, match="the replica set is not ready after 0 s"):
            replica_set.start()
        assert [] == list(temporary.iterdir())
        with pytest.raises(ServerError, match="the replica set has no primary after 0 s"):
            _ = replica_set.primary

    def test_more_tags_than_members_are_an_error(self) -> None:
        """More tags than members are refused, and as many are not."""
        ReplicaSet(1, tags=[{}])
        with pytest.raises(ValueError, match="tags for 2 members, but there are 1"):
            ReplicaSet(1, tags=[{}, {}])

    def test_a_member_that_does_not_start_ends_the_others(self, temporary: Path) -> None:
        """If a member does not start, no process and no folder is left."""
        replica_set = ReplicaSet(2)
        replica_set.members[1] = MongoServer(args=["--nonsense"])
        with pytest.raises(ServerError):
            replica_set.start()
        assert not replica_set.members[0].running
        assert [] == list(temporary.iterdir())
