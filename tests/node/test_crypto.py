"""Sessions that connect-mongo encrypts, and ``store.nodeCrypto``."""

from typing import Any

import pytest

from beaker_mongo_soajs import SessionStore
from tests.node.conftest import KINDS, Fleet
from tests.node.express import Express, Jar
from tests.node.python_side import change, log_out, read

_SECRET = "a secret of connect-mongo"
_KRUPTEIN = {"algorithm": "aes-128-gcm", "hashing": "sha256", "encodeas": "hex"}
_WEB_CRYPTO = {"encoding": "base64url", "salt": "sält", "iterations": 1000, "ivLength": 16}
_FORMATS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "kruptein": ({"crypto": {"secret": _SECRET}}, {}),
    "kruptein with options": ({"crypto": {"secret": _SECRET, **_KRUPTEIN}}, _KRUPTEIN),
    "webCrypto": ({"webCrypto": {"secret": _SECRET}}, {"adapter": "webCrypto"}),
    "webCrypto with options": (
        {"webCrypto": {"secret": _SECRET, **_WEB_CRYPTO}},
        {"adapter": "webCrypto", **_WEB_CRYPTO},
    ),
}
_VALUES = {"user": "ann", "nested": {"list": [1, 2.5, None], "déjà": "vu 🎉"}, "count": 3}


@pytest.fixture
def store() -> str:
    """Return the only store that encrypts."""
    return "connect-mongo"


@pytest.fixture(params=list(_FORMATS))
def options(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of each format, in Express and in Python."""
    express, python = _FORMATS[request.param]
    return express, {"secret": _SECRET, **python}


@pytest.fixture
def express(fleet: Fleet, options: tuple[dict[str, Any], dict[str, Any]]) -> Express:
    """Return the Express side, which encrypts."""
    return fleet.express(**options[0])


def test_both_directions(
    express: Express, fleet: Fleet, options: tuple[dict[str, Any], dict[str, Any]], jar: Jar
) -> None:
    """Each side reads, changes and ends the encrypted sessions of the other one."""
    sides = [fleet.python(kind, store={"nodeCrypto": options[1]}) for kind in KINDS]
    express.run(jar, "Object.assign(session, { user: 'ann', n: 1 })")
    for python in sides:
        assert {"user", "n"} <= python.run(jar, read).keys()
        python.run(jar, change(**_VALUES))
    assert "ann" not in str(fleet.document())
    names = ", ".join(_VALUES)
    assert _VALUES == express.run(jar, f"const {{ {names} }} = session; return {{ {names} }}")
    express.run(jar, "delete session.n; session.user = 'bob'")
    brought = jar.value
    for python in sides:
        assert _VALUES | {"user": "bob"} == python.run(jar, read)
    python.run(jar, log_out)
    jar.value = brought
    assert None is express.run(jar, "return session.user")


def test_begun_in_python(
    express: Express, fleet: Fleet, options: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Express reads an encrypted session that Python began, and its logout counts in Python."""
    for kind in KINDS:
        python, jar = fleet.python(kind, store={"nodeCrypto": options[1]}), Jar()
        python.run(jar, change(**_VALUES))
        assert _VALUES["nested"] == express.run(jar, "return session.nested")
        express.run(jar, "await new Promise((done) => session.destroy(done))")
        assert {} == python.run(jar, read)


def test_session_store(express: Express, fleet: Fleet, options: tuple[Any, Any], jar: Jar) -> None:
    """``SessionStore`` reads and changes encrypted sessions."""
    express.run(jar, "session.user = 'ann'")
    given = {"url": fleet.url, "name": fleet.database.name, "stringify": fleet.stringify}
    session_id = fleet.document()["_id"]
    with SessionStore(given | {"store": {"nodeCrypto": options[1]}}) as sessions:
        session = sessions.get(session_id)
        assert session is not None
        assert "ann" == session["user"]
        sessions.set(session_id, {"user": "bob"})
    assert "bob" == express.run(jar, "return session.user")


@pytest.mark.parametrize("stringify", [False])
def test_another_secret(fleet: Fleet, jar: Jar) -> None:
    """Express refuses what Python encrypts with another secret."""
    python = fleet.python(store={"nodeCrypto": {"secret": "another"}})
    python.run(jar, change(user="ann"))
    express = fleet.express(crypto={"secret": _SECRET})
    assert 500 == express.run(jar, "return session.user")["status"]
