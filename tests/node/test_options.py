"""The options of connect-mongo, and those of Python that mean the same."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.express_cookie import session_id
from beaker_mongo_soajs.mongo.documents import utc_now
from tests.node.conftest import KINDS, Fleet
from tests.node.express import NAME, SECRET, Jar
from tests.node.python_side import change, log_out, read
from tests.waiting import wait_until

_LOGIN = "session.user = 'ann'"
_USER = "return session.user"


def hours_left(fleet: Fleet) -> float:
    """Return for how many hours the only session still lives, rounded."""
    left: timedelta = fleet.document()["expires"] - utc_now()
    return round(left / timedelta(hours=1), 1)


@pytest.mark.parametrize("kind", list(KINDS))
def test_transform_id(native_fleet: Fleet, jar: Jar, kind: str) -> None:
    """``transformId`` with SHA-256 is ``store.transformId``, in both directions."""
    express = native_fleet.express(transformId="sha256")
    python = native_fleet.python(kind, store={"transformId": "sha256"})
    express.run(jar, _LOGIN)
    brought = session_id(jar.header, NAME, [SECRET])
    assert brought is not None
    assert hashlib.sha256(brought.encode()).hexdigest() == native_fleet.document()["_id"]
    assert "ann" == python.run(jar, lambda session: session["user"])
    python.run(jar, change(user="bob"))
    assert "bob" == express.run(jar, _USER)
    given = {"url": native_fleet.url, "name": native_fleet.database.name}
    with SessionStore(given | {"store": {"transformId": "sha256"}}) as store:
        assert "bob" == (store.get(brought) or {})["user"]
    header = jar.value
    python.run(jar, log_out)
    jar.value = header
    assert None is express.run(jar, _USER)
    python.run(jar := Jar(), change(user="eve"))
    assert "eve" == express.run(jar, _USER)
    express.run(jar, "await new Promise((done) => session.destroy(done))")
    assert {} == python.run(jar, read)


def test_names(native_fleet: Fleet, jar: Jar) -> None:
    """``dbName`` and ``collectionName`` are ``name`` and ``collection``."""
    name = native_fleet.database.name
    express = native_fleet.express(dbName=name, collectionName="visits")
    python = native_fleet.python(name=name, collection="visits")
    express.run(jar, _LOGIN)
    python.run(jar, change(n=1))
    assert ["ann", 1] == express.run(jar, "return [session.user, session.n]")
    assert ["visits"] == native_fleet.database.list_collection_names()


def test_ttl(native_fleet: Fleet, jar: Jar) -> None:
    """``ttl`` is ``expireAfter``, the lifetime of a session without ``maxAge``."""
    express = native_fleet.express(ttl=3600)
    python = native_fleet.python(expireAfter="2h")
    express.run(jar, _LOGIN)
    assert 1.0 == hours_left(native_fleet)
    python.run(jar, read)
    assert 2.0 == hours_left(native_fleet)
    express.run(jar, _USER)
    assert 1.0 == hours_left(native_fleet)
    python.run(jar := Jar(), change(user="bob"))
    native_fleet.database.sessions.delete_many({"session.user": "ann"})
    assert 2.0 == hours_left(native_fleet)


@pytest.mark.parametrize("auto_remove", ["native", "interval", "disabled"])
@pytest.mark.parametrize("is_express_first", [True, False])
def test_auto_remove(
    native_fleet: Fleet, jar: Jar, auto_remove: str, *, is_express_first: bool
) -> None:
    """``autoRemove`` is ``store.autoRemove``; only ``native`` makes an index, the same on both."""
    store: dict[str, Any] = {"autoRemove": auto_remove}
    keys = ["_id", "expires"] if auto_remove == "native" else ["_id"]

    def indexed() -> list[str]:
        indexes = native_fleet.database.sessions.index_information().values()
        assert all(0 == index.get("expireAfterSeconds", 0) for index in indexes)
        return sorted(key for index in indexes for key, _ in index["key"])

    if is_express_first:
        native_fleet.express(autoRemove=auto_remove).run(jar, _LOGIN)
        python = native_fleet.python(store=store)
    else:
        python = native_fleet.python(store=store)
        python.run(jar, change(user="ann"))
    wait_until(lambda: keys == indexed())
    express = native_fleet.express(autoRemove=auto_remove)
    assert "ann" == python.run(jar, lambda session: session["user"])
    assert "ann" == express.run(jar, _USER)
    assert keys == indexed()
