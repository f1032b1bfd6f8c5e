"""Old backends one by one: what they find, when it expires, and what they leave alone."""

import base64
import datetime
import hashlib
import json
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from beaker.session import Session
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from beaker_mongo_soajs import SerializationError, StoreUnavailable, close_clients
from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.sources.database import BeakerTable, DjangoTable
from beaker_mongo_soajs.sources.decryption import decrypted
from beaker_mongo_soajs.sources.entry import OldSession
from beaker_mongo_soajs.sources.files import FileSource
from beaker_mongo_soajs.sources.mongodb import read_flask
from beaker_mongo_soajs.sources.opening import SourceOfProcess, open_source
from beaker_mongo_soajs.sources.source import Source
from beaker_mongo_soajs.testing.process import free_port
from tests.conftest import Db
from tests.migration.old import Old, OldServers, open_old, program
from tests.waiting import wait_until

NOON = datetime.datetime(2026, 1, 31, 12)
MORNING = datetime.datetime(2026, 1, 31, 3)
NOON_IN_TOKYO = NOON.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=9)))


def source_of(old: Old) -> Source:
    """Return the source for an old backend."""
    options = old.source
    kind = options["type"]
    folder = f"{options['dataDir']}/container_{kind}" if "dataDir" in options else None
    return open_source(MigrateFrom(kind, url=options.get("url"), folder=folder))


@pytest.fixture
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_in_tokyo")
@pytest.mark.parametrize(
    ("stored", "of_beaker", "of_django"),
    [(NOON, MORNING, NOON), (NOON_IN_TOKYO, MORNING, MORNING), (None, None, None)],
)
def test_times(stored: Any, of_beaker: Any, of_django: Any) -> None:
    """Beaker's tables hold local times; those of Django UTC, or times with a zone."""
    row = SimpleNamespace(namespace="1", data=b"", accessed=stored)
    assert of_beaker == BeakerTable(MigrateFrom("ext:database"))._read(row).accessed
    row = SimpleNamespace(session_key="1", session_data="", expire_date=stored)
    assert of_django == DjangoTable(MigrateFrom("django"))._read(row).expires


def test_long_ids(old: Old) -> None:
    """Sessions are found by the longest ids that keys of memcached and files hold, and by dots."""
    source = source_of(old)
    source.close()
    longest = 244 if old.source["type"] == "file" else 247
    for session_id in ("a.b", "x" * 242, "x" * 243, "x" * longest):
        session = Session({}, id=session_id, **old.options)
        session["user"] = "ann"
        session.save()
        assert source.find(session_id) is not None
        source.delete(session_id)
    assert [None] * 20 == [source.find("x" * length) for length in range(240, 260)]
    source.close()


def test_no_name(tmp_path: Path) -> None:
    """An id of which no name is left is not found."""
    (tmp_path / ".cache").mkdir()
    assert FileSource(MigrateFrom("file", folder=str(tmp_path))).find(".") is None


def test_expiry_in_redis(tmp_path: Path, mongo_url: str, old_servers: OldServers) -> None:
    """A session of Redis expires when its key does, if that ever does; connections are closed."""
    old = open_old("ext:redis", tmp_path, mongo_url, old_servers)
    cookie = old.cookie({"user": "ann"})
    source = source_of(old)
    with redis.Redis.from_url(old.source["url"]) as keys:
        keys.pexpire(f"beaker_cache:{cookie}:session", 100_000)
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        [entry] = source.entries()
        assert entry.expires is not None
        assert 90 < (entry.expires - now).total_seconds() < 110
        keys.persist(f"beaker_cache:{cookie}:session")
        [entry] = source.entries()
        assert entry.expires is None
        connected = len(keys.client_list())
        source.close()
        wait_until(lambda: len(keys.client_list()) == connected - 1)


# python-memcached leaves sockets open if it cannot connect.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_memcached_is_back() -> None:
    """A server of memcached that was away is asked again at once."""
    port = free_port()
    source = open_source(MigrateFrom("ext:memcached", url=f"127.0.0.1:{port}"))
    with pytest.raises(StoreUnavailable):
        source.find("1")
    arguments = ("-p", str(port), "-l", "127.0.0.1", "-u", "nobody")
    with program("memcached", *arguments, port=port):
        assert source.find("1") is None


@pytest.mark.parametrize(
    ("kind", "key", "mine", "others", "value"),
    [
        ("ext:mongodb", "_id", "1:session", (7, "1:cache"), {"value": "v", "expiration": 0}),
        ("flask-session", "id", "session:1", (7, "1"), {"val": "v", "expiration": NOON}),
        ("flask-session", "id", "session:1", (), {"val": "v", "expiration": "noon"}),
    ],
)
def test_collections(
    mongo_url: str, database: Db, kind: str, key: str, mine: str, others: Any, value: Any
) -> None:
    """Sessions are told from other documents by their ids, and have their date of expiry."""
    collection = {"ext:mongodb": "backer_cache"}.get(kind, "sessions")
    database[collection].insert_many([{key: id_} | value for id_ in (*others, mine)])
    url = mongo_url.replace("/?", f"/{database.name}?")
    source = open_source(MigrateFrom(kind, url=url))
    source.close()
    [entry] = source.entries()
    dates = {0: datetime.datetime(1970, 1, 1), NOON: NOON}
    assert ("1", dates.get(value["expiration"])) == (entry.session_id, entry.expires)
    assert len(others) + 1 == source.count()
    source.close()


@pytest.mark.parametrize("value", [pickle.dumps({"user": "ann"}), b"[1]", None, "text", b""])
def test_no_session_of_flask(value: object) -> None:
    """What is neither MessagePack nor JSON of a session is an error."""
    with pytest.raises(SerializationError, match="neither MessagePack nor JSON"):
        read_flask(value)


def test_decrypted_garbage() -> None:
    """Ciphertext under the right key that holds no session is an error."""
    salt, nonce = "s" * 24, b"n" * 12
    key = hashlib.pbkdf2_hmac("sha1", b"key", f"more{salt}".encode(), 1, 32)
    sealed = AESGCM(key).encrypt(nonce, json.dumps({"user": "ann"}).encode(), None)
    text = salt + base64.b64encode(nonce + sealed[-16:] + sealed[:-16]).decode()
    options = MigrateFrom("file", encrypt_key="key", validate_key="more")
    with pytest.raises(SerializationError, match="neither a pickle nor JSON"):
        decrypted(OldSession(None, text), options)


def test_closed_with_the_clients(table: Old) -> None:
    """close_clients() closes old backends, too, which are opened again when they are asked."""
    table.cookie({"user": "ann"})
    source = SourceOfProcess(MigrateFrom("ext:database", url=table.source["url"]))
    for _ in range(2):
        assert 1 == source.count()
        [opened] = source._sources.values()
        assert isinstance(opened, BeakerTable)
        engine = opened._connect()
        close_clients()
        assert {} == source._sources
        assert "pool: 1" not in engine.pool.status()
