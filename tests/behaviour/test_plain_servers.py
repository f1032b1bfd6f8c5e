"""Servers without MongoDB's later features: no pipelines in updates, no collations, no $expr.

``PLAIN_SERVER=1`` runs any other test against such a server.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from beaker.cache import Cache
from pymongo.errors import OperationFailure

from beaker_mongo_soajs import DbConfig, Locks, LockTimeout, MongoSession, SessionStore
from beaker_mongo_soajs.mongo.admin_collection import AdminCollection
from beaker_mongo_soajs.mongo.client import close_client
from beaker_mongo_soajs.testing import MongoServer
from tests.behaviour.scenarios import LOGOUT, Change, Site
from tests.conftest import Client, Db, Options
from tests.plain_server import PlainServer
from tests.waiting import wait_for_indexes, wait_until

ODD_KEYS = {"a.b": 1, "": 2, "$set": 3, "a.$b": 4}


@pytest.fixture(scope="module")
def plain(mongo_server: MongoServer) -> Iterator[PlainServer]:
    """Start a plain server."""
    with PlainServer(mongo_server.port) as plain:
        yield plain


@pytest.fixture
def options(plain: PlainServer, database_name: str) -> Iterator[Options]:
    """Return options for the plain server; nothing but a collation may be refused."""
    plain.refused.clear()
    yield {"url": plain.url, "name": database_name}
    wait_for_indexes()
    assert set(plain.refused) <= {"Feature not supported: collation"}


@pytest.mark.parametrize("form", [{}, {"stringify": True}], ids=["native", "text"])
def test_life_of_a_session(kind_options: Options, form: Options) -> None:
    """A session begins, changes and ends, whatever its keys are called."""
    site = Site(kind_options | form | {"store.expressCookie": True})
    cookie = site.begin_session(user="ann")
    site.serve(cookie, Change({"n": 1}))
    for key, value in ODD_KEYS.items():
        site.serve(cookie, Change({key: value}))
        site.serve(cookie, Change({key: -value}))
    expected = {"user": "ann", "n": 1} | {key: -value for key, value in ODD_KEYS.items()}
    assert expected == site.read(cookie)
    site.serve(cookie, LOGOUT)
    assert {} == site.read(cookie)


def test_first_requests_overlap(mongo_server: MongoServer, database: Db) -> None:
    """Each of several first commands is sent again without a collation."""
    with PlainServer(mongo_server.port) as server:
        config = DbConfig.from_options({"url": server.url, "name": database.name})
        collections = [AdminCollection(config) for _ in range(4)]
        # All are ready to send a collation before the server has refused one.
        bound = [collection._binding.get() for collection in collections]
        assert all(each.exact for each in bound)
        assert collections[0].find_one("id") is None
        assert [] == list(collections[1].find({}))
        assert 0 == collections[2].delete({"_id": "id"})
        database.sessions.insert_one({"_id": "id"})
        assert 1 == len(list(collections[3].scan({})))
        close_client(config)


@pytest.mark.parametrize("form", [{}, {"stringify": True}], ids=["native", "text"])
def test_late_save(options: Options, form: Options) -> None:
    """A save with an old session id takes effect under the new one."""
    options = options | form
    store = SessionStore(options)
    store.set("old", {"user": "ann"})
    late, session = (MongoSession({"cookie": "beaker.session.id=old"}, **options) for _ in range(2))
    session.regenerate_id()
    session.save()
    late["n"] = 1
    late.save()
    found = store.get(session.id)
    assert found is not None
    assert ("ann", 1) == (found["user"], found["n"])
    assert store.get("old") is None


def test_login_and_lock(options: Options) -> None:
    """A session changes its id, and is locked."""
    session = MongoSession({}, **options)
    session["user"] = "ann"
    session.save()
    session.regenerate_id()
    with session.locked(timeout=5):
        session["n"] = 1
    again = MongoSession({}, id=session.id, use_cookies=False, **options)
    assert ("ann", 1) == (again["user"], again["n"])


@pytest.mark.parametrize("user", ["ann", None, ["ann"], {"name": "ann"}, 5], ids=str)
def test_search(options: Options, user: object) -> None:
    """Sessions are found and destroyed by what they hold."""
    store = SessionStore(options | {"store.indexes": "session.user"})
    others = ["bob", ["ann", "bob"], [["ann"]], [{"name": "ann"}], [5], [None], {"other": 1}]
    for number, other in enumerate(others):
        store.set(f"other {number}", {"user": other})
    store.set("without", {"n": 1})
    store.set("id", {"user": user})
    assert ["id"] == [session_id for session_id, _ in store.find(user=user)]
    assert 1 == store.destroy_where(user=user)
    assert len(others) + 1 == store.length() == len(list(store.all())) == len(list(store.ids()))
    assert len(others) + 1 == store.clear()


def test_locks(options: Options) -> None:
    """Locks are exclusive or shared, extended while they are held, and released."""
    locks = Locks(DbConfig.from_options(options | {"store.lockLease": 0.6}))
    with locks.lease("name") as lease:
        assert lease.extend()
        with pytest.raises(LockTimeout):
            locks.lease("name").acquire(timeout_seconds=1)
    readers = [locks.lease("name", shared=True) for _ in range(2)]
    assert all(reader.acquire(wait=False) and reader.extend() for reader in readers)
    assert not locks.lease("name").acquire(wait=False)
    assert all(reader.release() for reader in readers)
    with locks.lease("name"):
        pass


def test_caches(options: Options) -> None:
    """Values are created, expire, are created again, and are cleared."""
    cache = Cache("things", type="ext:mongodb_soajs", expire=2, **options)
    assert 1 == cache.get("key", createfunc=lambda: 1)
    assert 1 == cache.get("key", createfunc=lambda: 2)
    wait_until(lambda: "key" not in cache)
    assert 2 == cache.get("key", createfunc=lambda: 2)
    assert [b"key"] == cache.namespace.keys()
    cache.clear()
    assert "key" not in cache


def test_expired_documents(options: Options, database: Db) -> None:
    """With autoRemove interval, no TTL index is needed."""
    store = SessionStore(options | {"store": {"autoRemove": "interval"}}, timeout=0.05)
    store.set("old", {})
    wait_until(lambda: store.get("old") is None)
    SessionStore(options | {"store": {"autoRemove": "interval"}}).set("new", {})
    wait_until(lambda: ["new"] == database.sessions.distinct("_id"))


@pytest.mark.parametrize(
    "command",
    [
        {"update": "c", "updates": [{"q": {}, "u": [{"$set": {"a": 1}}]}]},
        {"findAndModify": "c", "query": {}, "update": [{"$set": {"a": 1}}]},
        {"find": "c", "filter": {"$and": [{"$expr": {"$eq": ["$a", 1]}}]}},
        {"find": "c", "filter": {}, "collation": {"locale": "simple"}},
        {"aggregate": "c", "pipeline": [{"$currentOp": {}}], "cursor": {}},
        {"collStats": "c"},
    ],
    ids=range(6),
)
def test_what_is_refused(plain: PlainServer, command: dict[str, Any]) -> None:
    """The server of these tests refuses what DocumentDB and Cosmos DB do not support."""
    with (
        Client(plain.url) as client,
        pytest.raises(OperationFailure, match="not supported"),
    ):
        client.test.command(command)
