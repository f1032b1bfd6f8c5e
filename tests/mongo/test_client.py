"""Clients: one for each process and configuration."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dns.resolver
import pytest
from dns.rdata import from_text
from pymongo import MongoClient, version_tuple
from pymongo.errors import (
    ConfigurationError,
    InvalidOperation,
    NetworkTimeout,
    ServerSelectionTimeoutError,
)

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.mongo import client as module
from beaker_mongo_soajs.mongo.client import (
    check_client,
    clients_generation,
    close_clients,
    get_client,
)
from beaker_mongo_soajs.testing import MongoServer
from beaker_mongo_soajs.testing.process import free_port
from tests.conftest import Options, RunPython
from tests.mongo.certificates import Certificates
from tests.waiting import wait_for_indexes, wait_until

THREADS = 64
LOGIN = {"credentials": {"username": "ann", "password": "secret"}}


def read(**options: Any) -> DbConfig:
    """Read a configuration."""
    return DbConfig.from_options({"name": "shop", **options})


def nowhere(**options: Any) -> DbConfig:
    """Read a configuration whose server does not exist."""
    return read(servers=f"127.0.0.1:{free_port()}", **options)


@pytest.mark.parametrize(("mechanism", "extra"), [("GSSAPI", "gssapi"), ("MONGODB-AWS", "aws")])
def test_missing_module_of_a_mechanism(
    mechanism: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mechanism whose module is missing is an error of the check, and not of the first login."""
    config = read(**LOGIN, **{"URLParam.authMechanism": mechanism})
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"pymongo\[{extra}\]") as caught:
        check_client(config)
    assert "URLParam.authMechanism" == caught.value.option
    monkeypatch.setattr(module, "find_spec", lambda name: name)
    check_client(config)


def test_threads_that_arrive_together_share_one_client(
    mongo_server: MongoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that ask at the same time get one client, and all can use it."""
    made: list[object] = []

    class Counting(MongoClient[Any]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            made.append(self)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(module, "MongoClient", Counting)
    config = read(servers=f"127.0.0.1:{mongo_server.port}")
    together = threading.Barrier(THREADS)

    def ask() -> MongoClient[Any]:
        together.wait()
        client = get_client(config)
        client.admin.command("ping")
        return client

    with ThreadPoolExecutor(THREADS) as threads:
        clients = [future.result() for future in [threads.submit(ask) for _ in range(THREADS)]]
    assert 1 == len(made)
    assert {id(made[0])} == set(map(id, clients))


def test_configurations_that_can_share_a_client_do() -> None:
    """Configurations that connect alike share a client."""
    one = get_client(read(collection="a"))
    assert one is get_client(read(collection="b", stringify=True))
    assert one is not get_client(read(**{"URLParam.maxPoolSize": 9}))


def test_nothing_connects_before_first_use() -> None:
    """Making a client starts no thread."""
    before = set(threading.enumerate())
    get_client(nowhere())
    assert set(threading.enumerate()) <= before


def test_caller_s_client_is_answered_as_it_is(mongo_url: str) -> None:
    """An application's own client is used, and stays open when it is checked or others close."""
    with MongoClient[Any](mongo_url) as client:
        config = DbConfig.from_options({"client": client, "name": "shop"})
        assert client is get_client(config)
        check_client(config)
        assert 1.0 == client.admin.command("ping")["ok"]
        close_clients()
        assert client is get_client(config)
        assert 1.0 == client.admin.command("ping")["ok"]


def test_closing_leaves_neither_thread_nor_socket(mongo_server: MongoServer) -> None:
    """Closed clients leave no thread, and later requests make a new client."""
    before = set(threading.enumerate())
    generation = clients_generation()
    config = read(servers=f"127.0.0.1:{mongo_server.port}")
    client = get_client(config)
    client.admin.command("ping")
    # Threads of earlier tests may end at any moment: only those that started here count.
    started = set(threading.enumerate()) - before
    assert started
    close_clients()
    assert generation != clients_generation()
    wait_until(lambda: not started & set(threading.enumerate()))
    with pytest.raises(InvalidOperation):
        client.admin.command("ping")
    get_client(config).admin.command("ping")


def test_a_store_closes_the_client_of_its_configuration(options: Options) -> None:
    """A store that is closed closes its own client, no other one, and can be used again."""
    other = get_client(DbConfig.from_options(options | {"URLParam.maxPoolSize": 8}))
    with SessionStore(options) as store:
        store.set("id", {"n": 1})
        client = get_client(store.config)
    with pytest.raises(InvalidOperation):
        client.admin.command("ping")
    other.admin.command("ping")
    assert {"n": 1} == store.get("id")
    assert client is not get_client(store.config)
    store.close()
    store.close()


def test_a_store_leaves_the_client_of_an_application_open(
    mongo_url: str, database_name: str
) -> None:
    """An application's own client is not closed."""
    with MongoClient[Any](mongo_url) as client:
        with SessionStore({"client": client, "name": database_name}) as store:
            store.set("id", {"n": 1})
        close_clients()
        assert {"n": 1} == store.get("id")
        wait_for_indexes()


def test_failed_attempt_is_tried_again(tmp_path: Path) -> None:
    """A client that cannot be made is an error for each caller, and made when it is possible."""
    path = tmp_path / "ca.pem"
    config = read(**{"extraParam.server.sslCA": str(path)})
    for _ in range(2):
        with pytest.raises(ConfigError, match="cannot be read"):
            get_client(config)
    path.write_text(Certificates(tmp_path).authority_pem)
    assert get_client(config) is get_client(config)


def test_failed_attempt_fails_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a client cannot be made, the threads that wait for it get the error, too."""
    config = read(**{"extraParam.server.sslCA": str(tmp_path / "ca.pem")})
    make, somebody_waits = module._make_client, threading.Event()

    class Watched(Future[MongoClient[Any]]):
        def result(self, timeout: float | None = None) -> MongoClient[Any]:
            somebody_waits.set()
            return super().result(timeout)

    def make_late(config: DbConfig) -> MongoClient[Any]:
        assert somebody_waits.wait(30)
        return make(config)

    monkeypatch.setattr(module, "Future", Watched)
    monkeypatch.setattr(module, "_make_client", make_late)
    with ThreadPoolExecutor(2) as threads:
        attempts = [threads.submit(get_client, config) for _ in range(2)]
        errors = [attempt.exception(30) for attempt in attempts]
    assert [ConfigError] * 2 == [type(error) for error in errors]


def test_check_leaves_nothing_behind() -> None:
    """A check keeps no client, and starts no thread."""
    before = set(threading.enumerate())
    config = read(**{"URLParam.readPreference": "nearest"})
    check_client(config)
    assert set(threading.enumerate()) <= before
    assert {} == module._clients.get(os.getpid(), {})


def test_check_finds_what_only_pymongo_knows() -> None:
    """An option that PyMongo refuses is a ConfigError with PyMongo's error as its cause."""
    with pytest.raises(ConfigError, match="PyMongo refuses the configuration") as caught:
        check_client(read(**{"URLParam.appName": "x" * 200}))
    assert isinstance(caught.value.__cause__, ValueError)


def test_idle_options_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An option without effect is logged at INFO when a client is made for it, once."""
    caplog.set_level(logging.INFO, module.__name__)
    module._logged.clear()
    config = read(**{"extraParam.server.monitoring": False, "URLParam.maxPoolSize": 6})
    for _ in range(2):
        get_client(config)
        close_clients()
    line = (
        "extraParam.server.monitoring = false: no effect, because PyMongo always monitors its"
        " servers"
    )
    assert [(module.__name__, logging.INFO, line)] == caplog.record_tuples


@pytest.mark.parametrize(
    "options", [{}, {"URLParam.bufferMaxEntries": 0}, {"extraParam.db.bufferMaxEntries": 0}]
)
@pytest.mark.slow
def test_without_a_server_an_operation_fails_within_two_seconds(options: dict[str, int]) -> None:
    """With bufferMaxEntries 0, as by default, an operation fails at once without a server."""
    client = get_client(nowhere(**options))
    start = time.monotonic()
    with pytest.raises(ServerSelectionTimeoutError):
        client.shop.sessions.find_one()
    assert time.monotonic() - start < 2


@pytest.mark.slow
def test_with_other_bufferentries_an_operation_waits_for_its_server() -> None:
    """With bufferMaxEntries -1, an operation waits until its server is there."""
    port = free_port()
    config = read(servers=f"127.0.0.1:{port}", **{"extraParam.db.bufferMaxEntries": -1})
    with ThreadPoolExecutor(1) as threads:
        client = get_client(config)
        answer = threads.submit(client.admin.command, "ping")
        with pytest.raises(TimeoutError):
            answer.result(2)
        with MongoServer(port=port):
            assert 1 == answer.result(60)["ok"]
            close_clients()


def test_zero_timeouts_mean_never(mongo_server: MongoServer) -> None:
    """A command that takes longer than a timeout fails, and one without a timeout does not."""
    servers = f"127.0.0.1:{mongo_server.port}"
    slow = {"$where": "sleep(600) || true"}

    def find(timeout_ms: int) -> object:
        name = "extraParam.server.socketOptions.socketTimeoutMS"
        collection = get_client(read(servers=servers, **{name: timeout_ms})).shop.slow
        collection.replace_one({"_id": 1}, {"_id": 1}, upsert=True)
        return collection.find_one(slow)

    with pytest.raises(NetworkTimeout):
        find(200)
    assert {"_id": 1} == find(0)


FORK = """
    import os, sys, warnings
    warnings.simplefilter("error")
    from beaker_mongo_soajs.mongo.client import close_clients, get_client
    from beaker_mongo_soajs.config import DbConfig

    config = DbConfig.from_options({{"url": os.environ["URL"], "name": "shop"}})
    parents = get_client(config)
    {fork}
    if not child:
        mine = get_client(config)
        assert mine is not parents
        assert mine is get_client(config)
        mine.admin.command("ping")
        close_clients()
        os._exit(0)
    assert 0 == os.waitpid(child, 0)[1]
    assert parents is get_client(config)
    parents.admin.command("ping")
    print("done")
"""


@pytest.mark.parametrize(
    "fork",
    ["child = os.fork()", "import ctypes; child = ctypes.PyDLL(None).fork()"],
    ids=["with Python's hooks", "without"],
)
def test_child_of_an_unconnected_parent(fork: str, mongo_url: str, run_python: RunPython) -> None:
    """A parent that has made, but not used, its client may fork.

    A fork without Python's hooks is tried from here only: it may not happen beside other threads,
    such as those of a connected client.
    """
    done = run_python(FORK.format(fork=fork), {"URL": mongo_url})
    assert ("done", "") == (done.stdout.strip(), done.stderr)


def test_a_process_id_that_is_used_again(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child with the process id of an ancestor neither uses nor closes the ancestor's client."""
    monkeypatch.setattr(module, "_clients", {})
    monkeypatch.setattr(module, "_inherited", [])
    config = DbConfig.from_options(options)
    inherited = weakref.ref(get_client(config))
    module._park_inherited()
    with get_client(config) as client:
        gc.collect()
        kept = inherited()
        assert kept is not None
        assert kept is not client
        kept.close()


def test_gevent_may_patch_late(mongo_url: str, run_python: RunPython) -> None:
    """Greenlets share one client, even if gevent patches after the import of the package."""
    code = """
        import os
        from beaker_mongo_soajs.mongo.client import close_clients, get_client
        from beaker_mongo_soajs.config import DbConfig
        config = DbConfig.from_options({"url": os.environ["URL"], "name": "shop"})
        import gevent.monkey
        gevent.monkey.patch_all()
        import gevent

        def ask():
            client = get_client(config)
            client.admin.command("ping")
            return id(client)

        greenlets = [gevent.spawn(ask) for _ in range(30)]
        gevent.joinall(greenlets, timeout=20, raise_error=True)
        print(len({greenlet.value for greenlet in greenlets}))
        close_clients()
    """
    assert "1" == run_python(code, {"URL": mongo_url}).stdout.strip()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, mongo_server: MongoServer) -> list[str]:
    """Answer DNS queries with three hosts that are all the tested server; record the names."""
    asked: list[str] = []

    def resolve(name: str, kind: str, **_: Any) -> Any:
        asked.append(name)
        if kind == "TXT":
            raise dns.resolver.NoAnswer
        texts = [f"0 0 {mongo_server.port} db{number}.cluster.test." for number in (1, 2, 3)]
        return [from_text("IN", "SRV", text) for text in texts]

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    return asked


def look_up(**options: Any) -> list[str]:
    """Return the servers that a client looks up."""
    options = {f"URLParam.{name}": value for name, value in options.items()}
    url = "mongodb+srv://main.cluster.test/shop?tls=false&serverSelectionTimeoutMS=1"
    client = get_client(DbConfig.from_options({"url": url, **options}))
    with pytest.raises(ServerSelectionTimeoutError):
        # Nobody answers under these names; what counts is which they are.
        client.admin.command("ping")
    return sorted(host for host, _ in client.topology_description.server_descriptions())


def test_servers_come_from_the_dns(names: list[str]) -> None:
    """The servers of a mongodb+srv URL are looked up when the client is first used."""
    assert ["db1.cluster.test", "db2.cluster.test", "db3.cluster.test"] == look_up()
    assert "_mongodb._tcp.main.cluster.test" in names


def test_srv_max_hosts(names: list[str]) -> None:
    """With srvMaxHosts, only that number of hosts is used."""
    assert 2 == len(look_up(srvMaxHosts=2))


def test_srv_service_name(names: list[str]) -> None:
    """With srvServiceName, the record of that service is looked up."""
    look_up(srvServiceName="sessions")
    assert "_sessions._tcp.main.cluster.test" in names


@pytest.mark.skipif(version_tuple[:2] < (4, 18), reason="PyMongo 4.18 brought it")
def test_srv_allowed_hosts_suffix(names: list[str]) -> None:
    """With srvAllowedHostsSuffix, other hosts are refused."""
    assert 3 == len(look_up(srvAllowedHostsSuffix="cluster.test"))
    close_clients()
    with pytest.raises(ConfigurationError, match="Invalid SRV host"):
        look_up(srvAllowedHostsSuffix="other.test")


@pytest.mark.skipif(version_tuple[:2] < (4, 19), reason="PyMongo 4.19 brought it")
def test_srv_host_validator(names: list[str]) -> None:
    """Hosts that srv_host_validator rejects are refused."""
    with pytest.raises(ConfigurationError, match="rejected by srv_host_validator"):
        look_up(srv_host_validator=lambda host: host.startswith("db1."))
