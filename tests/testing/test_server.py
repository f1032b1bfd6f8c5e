"""One throw-away server."""

import socket
import stat
import time
from pathlib import Path

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from beaker_mongo_soajs.testing import MongoServer, PortInUse, ServerError, mongodb_url
from beaker_mongo_soajs.testing.process import free_port
from tests.conftest import Client
from tests.testing.support import alive, program


def _taken_port() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


class TestMongoServer:
    """The class ``MongoServer``."""

    def test_it_takes_commands(self, server: MongoServer) -> None:
        """A server answers at its URL and nowhere else; for tests, its TTL indexes act quickly."""
        with Client(server.url) as client:
            assert client.server_info()["version"] == server.version
            assert [("127.0.0.1", server.port)] == list(client.nodes)
            assert server.pid == client.admin.command("serverStatus")["pid"]
            with pytest.raises(ServerError, match="is running already"):
                server.start()
            options = client.admin.command("getCmdLineOpts")["parsed"]["net"]
            status = client.admin.command("getParameter", 1, ttlMonitorSleepSecs=1)
        assert "127.0.0.1" == options["bindIp"]
        assert not Path(f"/tmp/mongodb-{server.port}.sock").exists()
        assert 1 == status["ttlMonitorSleepSecs"]

    def test_its_data_are_private_and_removed(self, temporary: Path) -> None:
        """Other users cannot read the data folder, which is removed with the server."""
        server = MongoServer()
        assert 0 == server.port
        with server, Client(server.url) as client:
            # Fail points are for tests alone.
            answer = client.admin.command("getParameter", 1, enableTestCommands=1)
            assert not answer["enableTestCommands"]
            assert 0o700 == stat.S_IMODE(server.folder.stat().st_mode)
            assert [server.folder] == list(temporary.iterdir())
        assert [] == list(temporary.iterdir())
        assert not server.running

    def test_its_data_can_be_kept(self, temporary: Path) -> None:
        """With ``keep_data`` the folder is kept."""
        with MongoServer(keep_data=True) as server:
            folder = server.folder
        assert (folder / "mongod.log").exists()
        # Its content would show a crash.
        assert b"" == (folder / "data/mongod.lock").read_bytes()

    def test_a_given_data_folder_is_kept(self, temporary: Path) -> None:
        """A second server on the same ``dbpath`` has the data of the first one."""
        dbpath = temporary / "mine"
        with MongoServer(dbpath=dbpath) as server, Client(server.url) as client:
            client.shop.things.insert_one({"_id": 1})
        assert b"" == (dbpath / "mongod.lock").read_bytes()
        assert [dbpath] == list(temporary.iterdir())
        with MongoServer(dbpath=dbpath) as server, Client(server.url) as client:
            assert {"_id": 1} == client.shop.things.find_one()

    def test_it_keeps_port_and_data_over_a_restart(self, server: MongoServer) -> None:
        """A connected client works after ``restart``."""
        port, pid = server.port, server.pid
        with Client(server.url) as client:
            client.shop.things.insert_one({"_id": 1})
            server.restart()
            assert {"_id": 1} == client.shop.things.find_one()
        assert port == server.port
        assert pid != server.pid

    def test_it_can_be_killed_and_started_again(self, server: MongoServer) -> None:
        """Journaled data is kept after a crash."""
        with Client(server.url, w=1, journal=True) as client:
            client.shop.things.insert_one({"_id": 1})
            server.kill()
            assert not server.running
            server.start()
            assert {"_id": 1} == client.shop.things.find_one()

    def test_it_can_be_paused(self, server: MongoServer) -> None:
        """A paused server does not answer until it is resumed."""
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

    def test_a_server_that_ignores_the_request_is_killed(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``stop`` kills a server that ignores the request to stop."""
        monkeypatch.setattr("beaker_mongo_soajs.testing.server._STOP_SECONDS", 0.2)
        deaf = program(
            temporary / "deaf", "trap '' TERM\necho waiting for connections\nwhile :; do :; done"
        )
        server = MongoServer(binary=deaf).start()
        pid = server.pid
        server.stop()
        assert not alive(pid)
        server.close()

    def test_a_paused_server_can_be_stopped(self, server: MongoServer) -> None:
        """It stops as quickly as any other; methods that need a running server say there is none.

        ``close`` and ``stop`` do nothing then.
        """
        server.pause()
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 15
        for action in (server.kill, server.pause, server.resume, lambda: server.pid):
            with pytest.raises(ServerError, match="is not running"):
                action()
        assert "not running" in repr(server)
        server.close()
        server.close()
        server.stop()
        with pytest.raises(ServerError, match="has no folder"):
            _ = server.folder

    def test_the_error_has_the_end_of_the_log(self, temporary: Path) -> None:
        """A server that ends at once raises an error with the end of its log: 12 short lines."""
        with pytest.raises(ServerError, match=r"(?is)ended with 2; .*unrecognised.*nonsense"):
            MongoServer(args=["--nonsense"]).start()
        assert [] == list(temporary.iterdir())
        talking = program(temporary / "talking", "printf '%0999d\\n' $(seq 20); exit 1")
        with pytest.raises(ServerError, match="ended with 1; ") as failure:
            MongoServer(binary=talking).start()
        assert ["0" * 400] * 12 == str(failure.value).splitlines()[1:]

    def test_a_program_that_cannot_run_is_an_error(self, temporary: Path) -> None:
        """A file that is not a program is named in the error."""
        broken = temporary / "broken"
        broken.write_bytes(b"\0")
        broken.chmod(0o755)
        with pytest.raises(ServerError, match="broken does not run"):
            MongoServer(binary=broken).start()
        with pytest.raises(ServerError, match="broken --version does not run"):
            _ = MongoServer(binary=broken).version
        assert [broken] == list(temporary.iterdir())

    def test_a_server_that_is_never_ready_is_an_error(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The wait for a server times out, and ends its process."""
        monkeypatch.setattr("beaker_mongo_soajs.testing.process._START_SECONDS", 0.3)
        slow = program(temporary / "slow", 'echo "$$" >&2\nexec sleep 60')
        with pytest.raises(ServerError, match=r"not ready after 0\.3 s") as failure:
            MongoServer(binary=slow).start()
        assert not alive(int(str(failure.value).splitlines()[-1]))
        assert [slow] == list(temporary.iterdir())

    def test_a_taken_port_is_an_error(self, temporary: Path) -> None:
        """A given port that is in use is refused, not replaced."""
        with _taken_port() as taken, pytest.raises(PortInUse, match="cannot listen"):
            MongoServer(port=taken.getsockname()[1]).start()
        assert [] == list(temporary.iterdir())

    def test_a_port_that_is_taken_in_between_is_replaced(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If another process takes the chosen free port, the next one is used."""
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

    def test_if_every_port_is_taken_the_start_fails(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After five ports that other processes took, the last error is raised."""
        ports = iter(range(50001, 50999))
        monkeypatch.setattr("beaker_mongo_soajs.testing.server.free_port", lambda: next(ports))
        with pytest.raises(PortInUse):
            MongoServer(binary=program(temporary / "late", "exit 48")).start()
        assert 50006 == next(ports)

    def test_variables_are_passed_on(self, tmp_path: Path) -> None:
        """The program gets the variables of ``env`` in addition to those of this process."""
        asked = program(tmp_path / "asked", 'echo "db version v$NUMBER"; test -n "$PATH"')
        assert "1.2.3" == MongoServer(binary=asked, env={"NUMBER": "1.2.3"}).version


class TestMongodbUrl:
    """The function ``mongodb_url``."""

    def test_a_running_server_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With MONGODB_URL that URL is returned, and no server is started."""
        monkeypatch.setenv("MONGODB_URL", "mongodb://elsewhere/")
        with mongodb_url() as url:
            assert "mongodb://elsewhere/" == url

    @pytest.mark.parametrize("more", [{}, {"for_tests": True}], ids=str)
    def test_otherwise_a_server_is_started(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, bool]
    ) -> None:
        """Without MONGODB_URL a server is started, and ends with the context."""
        monkeypatch.delenv("MONGODB_URL", raising=False)
        with mongodb_url(**more) as url, Client(url) as client:
            answer = client.admin.command("getParameter", 1, enableTestCommands=1)
        assert bool(more) == bool(answer["enableTestCommands"])
        assert [] == list(temporary.iterdir())
