"""The check of a set-up, against real servers and broken set-ups."""

import datetime
import itertools
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from beaker_mongo_soajs import DbConfig
from beaker_mongo_soajs.mongo import setup_check
from beaker_mongo_soajs.mongo.client import get_client
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.mongo.findings import Finding, Level
from beaker_mongo_soajs.mongo.setup_check import check_setup
from beaker_mongo_soajs.testing import MongoServer, ReplicaSet
from beaker_mongo_soajs.testing.process import free_port
from tests.conftest import Client, Db, FailPoint, Options
from tests.passwords import PASSWORD
from tests.plain_server import PlainServer
from tests.recorder import Commands
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

_BRIEF_SECONDS = 1.0


def check(wait_seconds: float = 10.0, /, **options: Any) -> list[Finding]:
    """Return the findings about options."""
    return [*check_setup(DbConfig.from_options(options), wait_seconds)]


def problems(found: list[Finding]) -> dict[str, str]:
    """Return the problems, as text with what to do, by topic."""
    return {
        each.topic: f"{each.text} {each.remedy}" for each in found if each.level is Level.PROBLEM
    }


def only_problem(topic: str, found: list[Finding]) -> str:
    """Return the text of the only problem, which has a topic and a remedy."""
    named = problems(found)
    assert [topic] == list(named), found
    # A check changes nothing anyway.
    assert "Nothing was" not in named[topic]
    return named[topic]


def login(server: MongoServer, user: str, **more: Any) -> Options:
    """Return the options of a user."""
    return {
        "name": "shop",
        "servers": f"127.0.0.1:{server.port}",
        "credentials": {"username": user, "password": PASSWORD},
    } | more


class TestSound:
    """Set-ups that work."""

    def test_everything(self, options: Options, database: Db, commands: Commands) -> None:
        """Each topic has a finding, and nothing is written."""
        database.sessions.create_index([("expires", 1)], name="expires_1", expireAfterSeconds=0)
        database.sessions.create_index("session.user")
        found = check(**options, **{"store.indexes": "session.user"})
        assert {} == problems(found)
        assert [
            *("configuration", "connection", "version", "authentication", "rights"),
            *("replica set", "collection", "TTL index", "index", "clock"),
        ] == [each.topic for each in found]
        assert commands.names.count("update") == 1
        assert not {"insert", "createIndexes", "delete"} & set(commands.names)
        assert 0 == database.sessions.count_documents({})

    def test_before_the_first_session(self, options: Options) -> None:
        """A collection that does not exist yet is no problem."""
        found = check(**options)
        assert {} == problems(found)
        assert f"{options['name']}.sessions does not exist yet" in str(found)

    def test_oldest_version(self, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
        """The oldest version that was tested is no problem, and an older one is a warning."""
        with Client(options["url"]) as client:
            major, minor = client.server_info()["versionArray"][:2]
        for oldest, level in (((major, minor), Level.OK), ((major, minor + 1), Level.WARNING)):
            monkeypatch.setattr(setup_check, "_OLDEST_VERSION", oldest)
            (version,) = [each for each in check(**options) if each.topic == "version"]
            assert level is version.level
            assert version.text.startswith(f"MongoDB {major}.{minor}.")

    def test_server_without_rights(self, mongo_server: MongoServer, database_name: str) -> None:
        """Nothing is found about the rights of a server that does not know them."""

        class Server(PlainServer):
            def answer(self, command: Mapping[str, Any]) -> dict[str, Any] | None:
                return {"ok": 1.0} if "connectionStatus" in command else None

        with Server(mongo_server.port) as server:
            found = check(url=server.url, name=database_name)
        assert "rights" not in {each.topic for each in found}
        address = server.url.split("/")[2]
        assert f"{address} answers in" in next(
            each.text for each in found if each.topic == "connection"
        )

    def test_own_client(self, options: Options, mongo_client: Client) -> None:
        """With a client of the application, the server is that of the client."""
        found = check(client=mongo_client, name=options["name"])
        assert {} == problems(found)
        assert "the client's server answers in" in found[1].text

    def test_user(self, auth_server: MongoServer) -> None:
        """A user with the role readWrite has all rights."""
        found = check(**login(auth_server, "ann"))
        assert {} == problems(found)
        (rights,) = [each for each in found if each.topic == "rights"]
        assert "find, insert, update, remove, createIndex" == rights.text

    def test_replica_set(self, replica_set_of_one: ReplicaSet) -> None:
        """A small replica set and a weak write concern are warnings."""
        found = check(url=replica_set_of_one.url, name="shop", **{"URLParam.w": 1})
        assert {} == problems(found)
        warned = {each.topic for each in found if each.level is Level.WARNING}
        assert {"replica set", "write concern", "TTL index"} == warned


class TestBroken:
    """Set-ups that do not work; each problem is named, with what to do."""

    def test_no_server(self) -> None:
        """No server listens."""
        port = free_port()
        found = check(1.0, servers=f"127.0.0.1:{port}", name="shop")
        text = only_problem("connection", found)
        assert text.endswith(
            f"127.0.0.1:{port} (connection refused). Start mongod, or correct servers."
        )
        found = check(1.0, url=f"mongodb://127.0.0.1:{port}/shop")
        assert "Start mongod, or correct url." in only_problem("connection", found)

    def test_lost_connection(self, options: Options, fail_point: FailPoint) -> None:
        """A check that only reads does not say that something may have changed."""
        with fail_point("buildInfo", close_connection=True):
            text = only_problem("version", check(**options))
        assert "did not answer" in text
        assert "may or may not" not in text

    def test_unknown_host(self) -> None:
        """The name of the server has no address."""
        found = check(1.0, servers="db1.invalid:27017", name="shop")
        text = only_problem("connection", found)
        assert "db1.invalid:27017" in text
        assert text.endswith("Correct the host in servers.")

    def test_no_tls(self, mongo_server: MongoServer) -> None:
        """The server has no TLS."""
        place = f"127.0.0.1:{mongo_server.port}"
        found = check(1.0, servers=place, name="shop", **{"URLParam.ssl": True})
        assert "SSL handshake failed" in only_problem("connection", found)

    def test_wrong_name_of_the_replica_set(self, replica_set_of_one: ReplicaSet) -> None:
        """The server belongs to another replica set."""
        place = f"127.0.0.1:{replica_set_of_one.members[0].port}"
        found = check(1.0, servers=place, name="shop", **{"URLParam.replicaSet": "rs7"})
        text = only_problem("connection", found)
        assert "replicaSet is rs7, but the server belongs to the replica set rs0" in text

    def test_no_replica_set(self, mongo_server: MongoServer) -> None:
        """The server belongs to no replica set."""
        place = f"127.0.0.1:{mongo_server.port}"
        found = check(1.0, servers=place, name="shop", **{"URLParam.replicaSet": "rs0"})
        assert "Remove URLParam.replicaSet." in only_problem("connection", found)

    def test_wrong_password(self, auth_server: MongoServer) -> None:
        """The password is wrong."""
        wrong = {"credentials": {"username": "ann", "password": "x7Qk9z"}}
        found = check(**login(auth_server, "ann", **wrong))
        text = only_problem("authentication", found)
        assert "refused to log in the user" in text
        assert "looked up in the database shop" in text

    def test_wrong_auth_source(self, auth_server: MongoServer) -> None:
        """The user was created in another database."""
        found = check(**login(auth_server, "ann", **{"URLParam.authSource": "admin"}))
        text = only_problem("authentication", found)
        assert "looked up in the database admin" in text
        assert "URLParam.authSource" in text

    def test_no_credentials(self, auth_server: MongoServer) -> None:
        """The server requires a login, and the configuration has none."""
        found = check(servers=f"127.0.0.1:{auth_server.port}", name="shop")
        text = only_problem("authentication", found)
        assert "no credentials are configured. set credentials" in text

    def test_no_right(self, auth_server: MongoServer) -> None:
        """The user may only read."""
        found = check(**login(auth_server, "reader"))
        text = only_problem("rights", found)
        assert "must not insert, update, remove, createIndex on shop.sessions" in text
        assert "Grant the role readWrite" in text

    def test_write_concern_of_too_many(self, replica_set_of_one: ReplicaSet) -> None:
        """The write concern needs more members than there are."""
        found = check(url=replica_set_of_one.url, name="shop", **{"URLParam.w": 3})
        assert "fewer members than that" in only_problem("write concern", found)

    def test_unknown_write_concern(self, replica_set_of_one: ReplicaSet) -> None:
        """The write concern is not defined."""
        found = check(url=replica_set_of_one.url, name="shop", **{"URLParam.w": "two_rooms"})
        assert "no such write concern is defined" in only_problem("write concern", found)

    def test_wrong_ttl_index(self, options: Options, database: Db) -> None:
        """The TTL index has another time."""
        database.sessions.create_index([("expires", 1)], name="expires_1", expireAfterSeconds=3600)
        text = only_problem("TTL index", check(**options))
        assert "expires_1 on expires is another one than needed" in text
        assert "expireAfterSeconds 3600" in text
        assert "beaker-mongo index drop expires_1" in text

    def test_plain_index_on_expires(self, options: Options, database: Db) -> None:
        """The index on expires has no time."""
        database.sessions.create_index("expires", name="mine")
        text = only_problem("TTL index", check(**options))
        assert "The index mine" in text
        assert "no expireAfterSeconds" in text

    def test_missing_indexes(self, options: Options, database: Db) -> None:
        """Nobody makes the indexes."""
        database.sessions.insert_one({})
        named = problems(
            check(**options, **{"store.createIndexes": False, "store.indexes": "session.user"})
        )
        assert ["TTL index", "index"] == list(named)
        assert "session.user_1 does not exist, and store.createIndexes is false" in named["index"]
        assert all("beaker-mongo index create" in text for text in named.values())

    @pytest.mark.parametrize(
        ("created", "text"),
        [
            ({"capped": True, "size": 4096}, "is capped"),
            ({"viewOn": "other", "pipeline": []}, "is a view"),
            ({"collation": {"locale": "de"}}, "has a default collation"),
        ],
        ids=str,
    )
    def test_collections(self, options: Options, database: Db, created: Options, text: str) -> None:
        """The collection is of a kind in which sessions do not work."""
        database.create_collection("sessions", **created)
        named = problems(check(**options))
        assert text in named.pop("collection")
        # MongoDB refuses an update of a view.
        assert named.keys() <= {"write concern"}

    def test_name_in_another_case(self, options: Options, database: Db) -> None:
        """The name of the database differs from an existing one in case."""
        database.sessions.insert_one({})
        name = options["name"]
        text = only_problem("collection", check(**options | {"name": name.upper()}))
        assert f"Set name to {name}." in text

    @pytest.mark.parametrize(("minutes", "level"), [(5, Level.PROBLEM), (0.3, Level.WARNING)])
    def test_clocks(
        self, options: Options, monkeypatch: pytest.MonkeyPatch, minutes: float, level: Level
    ) -> None:
        """The clocks of this machine and of the server differ.

        An answer that takes two seconds shows the time of the server in the middle of these.
        """
        skew = datetime.timedelta(minutes=minutes, seconds=1)
        monkeypatch.setattr(setup_check, "utc_now", lambda: utc_now() - skew)
        ticks = itertools.count(step=2)
        monkeypatch.setattr(setup_check, "time", SimpleNamespace(monotonic=ticks.__next__))
        clock = check(**options)[-1]
        assert ("clock", level) == (clock.topic, clock.level)
        assert f"{minutes * 60:.0f}." in clock.text
        assert "NTP" in clock.remedy

    def test_no_primary(self) -> None:
        """The replica set has no primary."""
        with ReplicaSet(members=1, for_tests=True) as replica_set:
            with Client(replica_set.members[0].url) as client:
                client.admin.command("replSetStepDown", 600, force=True)
                wait_until(lambda: client.admin.command("hello")["secondary"])
            found = check(_BRIEF_SECONDS, url=replica_set.url, name="shop")
        assert "rs0 has no primary" in only_problem("replica set", found)


@pytest.mark.parametrize(
    ("hello", "w", "expected"),
    [
        ({"msg": "isdbgrid"}, "majority", ["✓ a sharded cluster", "✓ w is majority"]),
        ({"hosts": [3, 4, 5]}, 2, ["✓ rs0, 3 members, one is primary", "✓ w is 2"]),
        ({"hosts": [3, 4]}, 1, ["! rs0 has 2 of the three members", "! w is 1: a failover"]),
    ],
    ids=["sharded", "three", "two"],
)
def test_members(hello: dict[str, Any], w: object, expected: list[str]) -> None:
    """Three members, or a router, and a write concern of more than one of them are fine."""
    config = DbConfig.from_options({"name": "shop"})
    checking = setup_check._Check(config, get_client(config), _BRIEF_SECONDS)
    checking._hello = {"setName": "rs0"} | hello
    found = [f"{each.level.value} {each.text}" for each in checking._describe_members(w)]
    assert expected == [text[: len(part)] for text, part in zip(found, expected, strict=True)]


def test_findings_have_no_secrets(auth_server: MongoServer) -> None:
    """No finding shows a password or the name of the user."""
    shown = json.dumps([str(each) for each in check(**login(auth_server, "reader"))])
    assert PASSWORD not in shown
    assert "reader" not in shown
