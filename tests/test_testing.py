"""Throw-away servers: ``beaker_mongo_soajs.testing``."""

import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from beaker_mongo_soajs.testing import (
    MongodNotFound,
    MongoServer,
    PortInUse,
    ReplicaSet,
    ServerError,
    find_mongod,
    mongodb_url,
)
from beaker_mongo_soajs.testing.process import free_port
from tests.conftest import Client, RunPython, StartPython
from tests.waiting import wait_until

_SERVING = """
    import json, sys
    from beaker_mongo_soajs.testing import MongoServer
    server = MongoServer().start()
    print(json.dumps([server.pid, str(server.folder)]), flush=True)
"""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process whose parent has not asked for its end yet still has an id.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def _program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _taken_port() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary folders made in a folder of the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def server(temporary: Path) -> Iterator[MongoServer]:
    """Start a server for this test alone."""
    with MongoServer(for_tests=True) as server:
        yield server


class TestFindMongod:
    """The function ``find_mongod``."""

    @pytest.fixture(autouse=True)
    def _nothing_there(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("MONGOD", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.setattr("sys.path", [str(tmp_path / "site")])
        monkeypatch.delitem(sys.modules, "fiftyone", raising=False)
        (tmp_path / "bin").mkdir()
        (tmp_path / "site/fiftyone/db/bin").mkdir(parents=True)

    def _packaged(self, tmp_path: Path) -> Path:
        return _program(tmp_path / "site/fiftyone/db/bin/mongod", "")

    def test_the_environment_comes_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The program that MONGOD names is taken before all others."""
        _program(tmp_path / "bin/mongod", "")
        named = _program(tmp_path / "my-mongod", "")
        monkeypatch.setenv("MONGOD", str(named))
        assert named == find_mongod()

    def test_the_path_comes_second(self, tmp_path: Path) -> None:
        """A program on PATH is taken before that of the package."""
        self._packaged(tmp_path)
        assert _program(tmp_path / "bin/mongod", "") == find_mongod()

    def test_the_package_comes_last(self, tmp_path: Path) -> None:
        """Without any other program, that of the package is taken."""
        assert self._packaged(tmp_path) == find_mongod()

    def test_the_package_is_not_imported(self, tmp_path: Path) -> None:
        """The package is looked into without running its code."""
        binary = self._packaged(tmp_path)
        (tmp_path / "site/fiftyone/__init__.py").write_text("raise SystemExit('imported')")
        assert binary == find_mongod()

    @pytest.mark.parametrize("name", ["absent", "."])
    def test_a_wrong_path_in_the_environment_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """A MONGOD that names no file is refused, though another program is there."""
        _program(tmp_path / "bin/mongod", "")
        monkeypatch.setenv("MONGOD", str(tmp_path / name))
        with pytest.raises(MongodNotFound, match=r"^MONGOD names .* no file"):
            find_mongod()

    def test_a_program_that_may_not_run_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file without the right to execute it is named, with the remedy."""
        named = _program(tmp_path / "my-mongod", "")
        named.chmod(0o644)
        monkeypatch.setenv("MONGOD", str(named))
        with pytest.raises(MongodNotFound, match=r"not executable: chmod \+x"):
            find_mongod()

    def test_without_any_program_every_remedy_is_named(self) -> None:
        """Where there is nothing, one sentence says what can be done."""
        with pytest.raises(MongodNotFound) as failure:
            find_mongod()
        message = str(failure.value)
        assert "\n" not in message
        for remedy in ("beaker_mongo_soajs[server]", "PATH", "MONGOD", "MONGODB_URL"):
            assert remedy in message


class TestMongoServer:
    """The class ``MongoServer``."""

    def test_it_takes_commands(self, server: MongoServer) -> None:
        """A started server answers at its URL, with the version and port that it names."""
        with Client(server.url) as client:
            assert client.server_info()["version"] == server.version
            assert [("127.0.0.1", server.port)] == list(client.nodes)
            assert server.pid == client.admin.command("serverStatus")["pid"]

    def test_it_listens_on_the_loopback_address_alone(self, server: MongoServer) -> None:
        """No other address of the machine leads to the server, and no socket file either."""
        with Client(server.url) as client:
            options = client.admin.command("getCmdLineOpts")["parsed"]["net"]
        assert "127.0.0.1" == options["bindIp"]
        assert not Path(f"/tmp/mongodb-{server.port}.sock").exists()

    def test_its_data_are_private_and_vanish(self, temporary: Path) -> None:
        """Nobody else can read the folder, which is gone with the server."""
        with MongoServer() as server:
            assert 0o700 == stat.S_IMODE(server.folder.stat().st_mode)
            assert [server.folder] == list(temporary.iterdir())
        assert [] == list(temporary.iterdir())
        assert not server.running

    def test_its_data_can_be_kept(self, temporary: Path) -> None:
        """With ``keep_data`` the folder stays behind."""
        with MongoServer(keep_data=True) as server:
            folder = server.folder
        assert (folder / "mongod.log").exists()
        assert (folder / "data/WiredTiger").exists()

    def test_a_data_folder_of_ones_own_outlives_it(self, temporary: Path) -> None:
        """Another server on the same ``dbpath`` finds what the first one stored."""
        dbpath = temporary / "mine"
        with MongoServer(dbpath=dbpath) as server, Client(server.url) as client:
            client.shop.things.insert_one({"_id": 1})
        assert [dbpath] == list(temporary.iterdir())
        with MongoServer(dbpath=dbpath) as server, Client(server.url) as client:
            assert {"_id": 1} == client.shop.things.find_one()

    def test_it_keeps_port_and_data_over_a_restart(self, server: MongoServer) -> None:
        """A client that was connected before goes on after ``restart``."""
        port, pid = server.port, server.pid
        with Client(server.url) as client:
            client.shop.things.insert_one({"_id": 1})
            server.restart()
            assert {"_id": 1} == client.shop.things.find_one()
        assert port == server.port
        assert pid != server.pid

    def test_it_can_be_killed_and_started_again(self, server: MongoServer) -> None:
        """What was journaled before a crash is there after it."""
        with Client(server.url, w=1, journal=True) as client:
            client.shop.things.insert_one({"_id": 1})
            server.kill()
            assert not server.running
            server.start()
            assert {"_id": 1} == client.shop.things.find_one()

    def test_it_can_be_paused(self, server: MongoServer) -> None:
        """A paused server answers nothing until it goes on."""
        server.pause()
        with (
            Client(server.url, serverSelectionTimeoutMS=200) as client,
            pytest.raises(ServerSelectionTimeoutError),
        ):
            client.admin.command("ping")
        assert server.running
        server.resume()
        with Client(server.url) as client:
            assert 1 == client.admin.command("ping")["ok"]

    def test_a_paused_server_can_be_stopped(self, server: MongoServer) -> None:
        """A server that is paused ends as soon as any other."""
        server.pause()
        server.stop()
        assert not server.running

    def test_a_server_that_ignores_the_request_is_killed(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``stop`` ends by force what does not end when asked."""
        monkeypatch.setattr("beaker_mongo_soajs.testing.server._STOP_SECONDS", 0.2)
        deaf = _program(
            temporary / "deaf", "trap '' TERM\necho waiting for connections\nwhile :; do :; done"
        )
        server = MongoServer(binary=deaf).start()
        pid = server.pid
        server.stop()
        assert not _alive(pid)
        server.close()

    def test_a_stopped_server_says_so(self, server: MongoServer) -> None:
        """What needs a process says clearly that there is none."""
        server.stop()
        for action in (server.kill, server.pause, server.resume, lambda: server.pid):
            with pytest.raises(ServerError, match="does not run"):
                action()
        assert "not running" in repr(server)

    def test_a_closed_server_can_be_closed_again(self, server: MongoServer) -> None:
        """``close`` and ``stop`` do nothing where nothing runs."""
        server.close()
        server.close()
        server.stop()
        with pytest.raises(ServerError, match="has no folder"):
            _ = server.folder

    def test_a_running_server_cannot_be_started(self, server: MongoServer) -> None:
        """A second ``start`` is refused, and the first one's server goes on."""
        pid = server.pid
        with pytest.raises(ServerError, match="runs already"):
            server.start()
        assert pid == server.pid

    def test_what_was_wrong_stands_in_the_error(self, temporary: Path) -> None:
        """A server that ends at once is an error with the end of its log; nothing stays behind."""
        with pytest.raises(ServerError, match=r"(?is)ended with 2; .*unrecognised.*nonsense"):
            MongoServer(args=["--nonsense"]).start()
        assert [] == list(temporary.iterdir())

    def test_a_program_that_cannot_run_is_an_error(self, temporary: Path) -> None:
        """A file that is no program is named."""
        broken = temporary / "broken"
        broken.write_bytes(b"\0")
        broken.chmod(0o755)
        with pytest.raises(ServerError, match="broken does not run"):
            MongoServer(binary=broken).start()
        with pytest.raises(ServerError, match="broken --version does not run"):
            _ = MongoServer(binary=broken).version
        assert [broken] == list(temporary.iterdir())

    def test_a_program_of_another_kind_is_an_error(self, tmp_path: Path) -> None:
        """A program that names no version is quoted."""
        other = _program(tmp_path / "other", "echo I am a teapot")
        with pytest.raises(ServerError, match="I am a teapot"):
            _ = MongoServer(binary=other).version

    def test_a_server_that_is_never_ready_is_an_error(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Waiting has an end, and the process that was waited for is gone after it."""
        monkeypatch.setattr("beaker_mongo_soajs.testing.process._START_SECONDS", 0.3)
        slow = _program(temporary / "slow", 'echo "$$" >&2\nexec sleep 60')
        with pytest.raises(ServerError, match=r"not ready after 0\.3 s") as failure:
            MongoServer(binary=slow).start()
        assert not _alive(int(str(failure.value).splitlines()[-1]))
        assert [slow] == list(temporary.iterdir())

    def test_a_taken_port_is_an_error(self, temporary: Path) -> None:
        """A port that was asked for and is taken is refused, not replaced."""
        with _taken_port() as taken, pytest.raises(PortInUse, match="cannot listen"):
            MongoServer(port=taken.getsockname()[1]).start()
        assert [] == list(temporary.iterdir())

    def test_a_port_that_is_taken_in_between_is_replaced(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where a free port was asked for, a lost race for it leads to the next one."""
        with _taken_port() as taken:
            port = taken.getsockname()[1]
            ports = iter([port, port])
            monkeypatch.setattr(
                "beaker_mongo_soajs.testing.server.free_port",
                lambda: next(ports, None) or free_port(),
            )
            with MongoServer() as server, Client(server.url) as client:
                assert port != server.port
                assert server.pid == client.admin.command("serverStatus")["pid"]

    def test_variables_are_handed_on(self, tmp_path: Path) -> None:
        """The program sees the variables of ``env`` beside those of this process."""
        asked = _program(tmp_path / "asked", 'echo "db version v$NUMBER"; test -n "$PATH"')
        assert "1.2.3" == MongoServer(binary=asked, env={"NUMBER": "1.2.3"}).version

    def test_expired_documents_go_within_seconds(self, server: MongoServer) -> None:
        """With ``for_tests`` a TTL index takes effect while a test waits."""
        with Client(server.url) as client:
            status = client.admin.command("getParameter", 1, ttlMonitorSleepSecs=1)
        assert 1 == status["ttlMonitorSleepSecs"]

    def test_fail_points_are_for_tests_alone(self) -> None:
        """Without ``for_tests`` the server takes no test commands."""
        with MongoServer() as server, Client(server.url) as client:
            answer = client.admin.command("getParameter", 1, enableTestCommands=1)
        assert not answer["enableTestCommands"]


class TestOwnership:
    """A server ends with the process that started it."""

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
    def test_it_ends_with_its_owner(
        self, start_python: StartPython, how: signal.Signals | None
    ) -> None:
        """Server and folder are gone after their owner is killed, ended, or just forgets them."""
        owner = start_python(_SERVING + "    sys.stdin.read()")
        assert owner.stdout is not None
        pid, folder = json.loads(owner.stdout.readline())
        assert _alive(pid)
        if how is None:
            owner.communicate()
        else:
            owner.send_signal(how)
        wait_until(lambda: not _alive(pid) and not Path(folder).exists())

    def test_a_paused_server_ends_with_its_owner(self, start_python: StartPython) -> None:
        """A server that is frozen when its owner is killed goes as well."""
        owner = start_python(_SERVING + "    server.pause(); sys.stdin.read()")
        assert owner.stdout is not None
        pid, folder = json.loads(owner.stdout.readline())
        owner.kill()
        wait_until(lambda: not _alive(pid) and not Path(folder).exists())

    def test_a_forked_child_leaves_the_server_alone(self, run_python: RunPython) -> None:
        """The server goes on when a child of its owner closes its copy and ends."""
        answer = run_python(
            """
            import os
            from beaker_mongo_soajs.testing import MongoServer
            with MongoServer() as server:
                child = os.fork()
                if child == 0:
                    server.close()
                    os._exit(0)
                os.waitpid(child, 0)
                print(server.running, server.folder.exists())
            """
        )
        assert "True True\n" == answer.stdout

    def test_a_forked_child_does_not_keep_the_server_alive(self, start_python: StartPython) -> None:
        """The server ends with its owner though a child that the owner forked lives on."""
        owner = start_python(
            """
            import json, os, sys
            from beaker_mongo_soajs.testing import MongoServer
            server = MongoServer().start()
            child = os.fork()
            if child == 0:
                sys.stdin.read()
                os._exit(0)
            print(json.dumps([server.pid, child]), flush=True)
            os.waitpid(child, 0)
            """
        )
        assert owner.stdout is not None
        server_pid, child_pid = json.loads(owner.stdout.readline())
        owner.kill()
        wait_until(lambda: not _alive(server_pid))
        assert _alive(child_pid)

    def test_an_interrupt_of_the_terminal_leaves_the_order_to_the_owner(
        self, server: MongoServer
    ) -> None:
        """The server is in a session of its own, where Ctrl-C for its owner does not reach it."""
        assert server.pid == os.getsid(server.pid)


class TestReplicaSet:
    """The class ``ReplicaSet``."""

    def test_it_replicates_and_fails_over(self, temporary: Path) -> None:
        """A write to a majority survives the death of the primary, and tags lead to a member."""
        tags = [{"room": "north"}, {"room": "south"}]
        with ReplicaSet(3, tags=tags, for_tests=True) as replica_set:
            with Client(replica_set.url, w="majority") as client:
                client.shop.things.insert_one({"_id": 1})
                config = client.admin.command("replSetGetConfig")["config"]
                old = replica_set.primary
                old.kill()
                new = replica_set.primary
                assert {"_id": 1} == client.shop.things.find_one()
            assert [*tags, {}] == [member["tags"] for member in config["members"]]
            assert old is not new
            assert 3 == len(replica_set.members)
        assert [] == list(temporary.iterdir())

    def test_a_set_of_one_is_a_set(self) -> None:
        """One member is enough for what needs a replica set."""
        with ReplicaSet(1) as replica_set, Client(replica_set.url) as client:
            with client.start_session() as session, session.start_transaction():
                client.shop.things.insert_one({"_id": 1}, session=session)
            assert replica_set.members == [replica_set.primary]

    def test_more_tags_than_members_are_an_error(self) -> None:
        """Tags for a member that does not exist are refused."""
        with pytest.raises(ValueError, match="tags for 2 members, but there are 1"):
            ReplicaSet(1, tags=[{}, {}])

    def test_a_member_that_does_not_start_ends_the_others(self, temporary: Path) -> None:
        """An error on the way leaves no process and no folder behind."""
        replica_set = ReplicaSet(2)
        replica_set.members[1] = MongoServer(args=["--nonsense"])
        with pytest.raises(ServerError):
            replica_set.start()
        assert not replica_set.members[0].running
        assert [] == list(temporary.iterdir())


class TestMongodbUrl:
    """The function ``mongodb_url``."""

    def test_a_server_that_is_there_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The URL in MONGODB_URL is lent, and nothing is started."""
        monkeypatch.setenv("MONGODB_URL", "mongodb://elsewhere/")
        with mongodb_url() as url:
            assert "mongodb://elsewhere/" == url

    def test_otherwise_a_server_is_started(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without MONGODB_URL a server is there for as long as it is needed."""
        monkeypatch.delenv("MONGODB_URL", raising=False)
        with mongodb_url() as url, Client(url) as client:
            assert 1 == client.admin.command("ping")["ok"]
        assert [] == list(temporary.iterdir())
