"""Sessions are moved from an old backend when their visitors return."""

import datetime
import decimal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from beaker.session import Session

from beaker_mongo_soajs import (
    ConfigError,
    MongoSession,
    SerializationError,
    SessionStore,
    StoreUnavailable,
)
from beaker_mongo_soajs.metrics import on_event
from beaker_mongo_soajs.sources.database import BeakerTable
from tests.application import COOKIE, KEYS, Site, live_documents, only_document
from tests.conftest import Db, Options
from tests.effort import times
from tests.migration.conftest import MakeSite
from tests.migration.old import Old

VALUES: dict[str, Any] = {
    "user": "ann",
    "cart": [1, 2.5, {"a": None}],
    "since": datetime.datetime(2024, 5, 6, 7, 8, 9),
    "price": decimal.Decimal("12.30"),
    "tags": ("x", b"y"),
}
JSON = {"data_serializer": "json"}
AWAY = {
    "ext:redis": "redis://127.0.0.1:1",
    "ext:memcached": "127.0.0.1:1",
    "ext:database": "sqlite:////nowhere/at/all.db",
    "ext:mongodb": "mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=50",
}
ODD_IDS = (
    *("x" * 256, "\u00e9" * 200, "\u2603" * 256, "../../../../etc/passwd", "..", ".", "/", "a/"),
    *("a b", "%00", "*", "$ne", "session", "' OR 1=1 --", "a\\b"),
)
PLAIN: dict[str, Any] = {"user": "ann", "cart": [1, 2]}


class TestMoved:
    """A visitor with a session in the old backend."""

    def test_values(self, old: Old, make_each_site: MakeSite, database: Db) -> None:
        """The visitor stays logged in, with all values; the session is here and not there."""
        cookie = old.cookie(VALUES)
        assert 1 == old.number()
        visitor = make_each_site(old).visitor(cookie)
        assert VALUES == visitor.read()
        assert cookie == visitor.cookie
        [document] = database.sessions.find()
        assert cookie == document["_id"]
        assert "ann" == document["session"]["user"]
        assert 0 == old.number()

    def test_saved_afterwards(self, old: Old, make_site: MakeSite) -> None:
        """A session that was moved is saved and read like any other."""
        visitor = make_site(old).visitor(old.cookie(VALUES))
        visitor.save(more=1)
        assert VALUES | {"more": 1} == visitor.read()

    def test_json(self, old: Old, make_site: MakeSite) -> None:
        """Sessions that Beaker stored as JSON are moved without trust in pickles."""
        site = make_site(old, {"trustPickles": False}, **JSON)
        assert PLAIN == site.visitor(old.cookie(PLAIN, **JSON)).read()

    def test_encrypted(self, old: Old, make_each_site: MakeSite, database: Db) -> None:
        """Encrypted sessions stay as they are, and are moved without trust in pickles."""
        cookie = old.cookie(VALUES, **KEYS)
        visitor = make_each_site(old, {"trustPickles": False}, **KEYS).visitor(cookie)
        assert VALUES == visitor.read()
        assert isinstance(only_document(database)["session"], str)
        visitor.save(more=1)
        assert VALUES | {"more": 1} == visitor.read()

    def test_under_a_new_key(self, table: Old, make_each_site: MakeSite, database: Db) -> None:
        """Plain sessions are encrypted on their way, if the new application has a key."""
        visitor = make_each_site(table, **KEYS).visitor(table.cookie(VALUES))
        assert VALUES == visitor.read()
        assert isinstance(only_document(database)["session"], str)

    def test_decrypted(self, old: Old, make_each_site: MakeSite, database: Db) -> None:
        """With the old key, encrypted sessions are stored without it."""
        cookie = old.cookie(VALUES, **KEYS)
        source = {"encryptKey": KEYS["encrypt_key"], "validateKey": KEYS["validate_key"]}
        visitor = make_each_site(old, {"trustPickles": False, **source}).visitor(cookie)
        assert VALUES == visitor.read()
        assert "ann" == only_document(database)["session"]["user"]

    def test_kept(self, old: Old, make_site: MakeSite) -> None:
        """With ``keep``, the session stays in the old backend as well."""
        visitor = make_site(old, {"keep": True}).visitor(old.cookie(VALUES))
        assert VALUES == visitor.read()
        assert 1 == old.number()

    def test_unknown(self, old: Old, make_site: MakeSite) -> None:
        """An id that neither of them has is that of a new session."""
        old.cookie(PLAIN)
        visitor = make_site(old).visitor("0" * 32)
        assert {} == visitor.read()
        assert 1 == old.number()

    def test_odd_ids(self, old: Old, options: Options) -> None:
        """Ids that a visitor made up are not found, and are no error."""
        cookie = old.cookie(PLAIN)
        store = SessionStore(options | {"store.migrateFrom": old.source})
        for session_id in (*ODD_IDS, cookie[:2] + "x" * 254):
            assert store.get(session_id) is None
        assert 1 == old.number()

    def test_times(self, table: Old, make_site: MakeSite, database: Db) -> None:
        """A session that was moved lives on from its last use, and not from its move."""
        cookie = table.cookie(PLAIN)
        before = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        make_site(table, timeout=1000).visitor(cookie).read()
        expires = only_document(database)["expires"]
        assert 900 < (expires - before).total_seconds() < 1300

    def test_past_its_timeout(self, table: Old, make_each_site: MakeSite, database: Db) -> None:
        """A session past its timeout is not moved."""
        cookie = table.cookie(PLAIN | {"_accessed_time": time.time() - 10_000})
        assert {} == make_each_site(table, timeout=1000).visitor(cookie).read()
        assert [] == live_documents(database)


class TestEndings:
    """Sessions that end here do not come back."""

    def test_logout(self, old: Old, make_site: MakeSite) -> None:
        """A session that was ended here is not moved again, even if the old backend keeps it."""
        cookie = old.cookie(VALUES)
        site = make_site(old, {"keep": True})
        assert VALUES == site.visitor(cookie).read()

        site.visitor(cookie).request(_leave)
        assert {} == site.visitor(cookie).read()

    def test_invalidated(self, old: Old, options: Options) -> None:
        """The same holds for MongoSession's ``invalidate()``."""
        cookie = old.cookie(VALUES)
        source = old.source | {"trustPickles": True, "keep": True}
        site = Site(options | {"session_class": MongoSession, "store.migrateFrom": source})
        site.visitor(cookie).request(lambda session: session.invalidate())
        assert {} == site.visitor(cookie).read()

    def test_logout_in_the_first_request(self, table: Old, make_each_site: MakeSite) -> None:
        """The first request here may be the logout."""
        cookie = table.cookie(VALUES)
        site = make_each_site(table, {"keep": True})
        site.visitor(cookie).request(_leave)
        assert {} == site.visitor(cookie).read()

    def test_login_after_a_logout(self, table: Old, make_each_site: MakeSite) -> None:
        """The visitor can log in again, with the same browser."""
        visitor = make_each_site(table, {"keep": True}).visitor(table.cookie(VALUES))
        visitor.read()
        visitor.request(_leave)
        visitor.save(user="bob")
        assert {"user": "bob"} == visitor.read()

    def test_new_id(self, table: Old, make_each_site: MakeSite, kind: type[Session]) -> None:
        """After a change of the id, the old id is valid neither here nor by the old backend."""
        cookie = table.cookie(VALUES)
        site = make_each_site(table, {"keep": True})
        visitor = site.visitor(cookie)

        def renew(session: Any) -> None:
            dict(session)
            session.regenerate_id()
            session.save()

        visitor.request(renew)
        assert visitor.cookie != cookie
        assert VALUES == visitor.read()
        if kind is not Session:
            # Beaker's own Session leaves the old id alone.
            assert {} == site.visitor(cookie).read()

    def test_destroyed_by_id(self, table: Old, options: Options) -> None:
        """A store destroys a session that was not moved yet."""
        cookie = table.cookie(PLAIN)
        source = table.source | {"trustPickles": True, "keep": True}
        store = SessionStore(options | {"store.migrateFrom": source})
        assert 1 == store.destroy(cookie)
        assert store.get(cookie) is None
        assert 0 == store.destroy(cookie)

    def test_destroyed_by_user(self, table: Old, options: Options) -> None:
        """Sessions that were moved and then destroyed by their values do not come back."""
        cookie = table.cookie(PLAIN)
        source = table.source | {"trustPickles": True, "keep": True}
        store = SessionStore(options | {"store.migrateFrom": source})
        assert store.get(cookie)
        assert 1 == store.destroy_where(user="ann")
        assert store.get(cookie) is None
        assert 0 == store.length()
        assert 0 == store.clear()

    def test_marks_end(self, table: Old, options: Options, database: Db) -> None:
        """A mark contains nothing of the session, and has a date for the TTL index."""
        cookie = table.cookie(PLAIN)
        source = table.source | {"trustPickles": True}
        store = SessionStore(options | {"store.migrateFrom": source}, timeout=1000)
        store.get(cookie)
        store.destroy(cookie)
        [mark] = database.sessions.find()
        assert {"_id", "moved_to", "ended", "expires"} == mark.keys()
        left = mark["expires"] - datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        assert datetime.timedelta(days=1) < left < datetime.timedelta(days=2)

    def test_not_deleted(
        self,
        table: Old,
        make_each_site: MakeSite,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """If the old session cannot be deleted, the visitor is served, and can still log out."""
        cookie = table.cookie(VALUES)
        site = make_each_site(table)
        with monkeypatch.context() as patch:
            patch.setattr(BeakerTable, "_delete", _fail)
            assert VALUES == site.visitor(cookie).read()
        assert 1 == table.number()
        assert "could not be deleted in the old backend" in caplog.text
        site.visitor(cookie).request(_leave)
        assert {} == site.visitor(cookie).read()


class TestRefused:
    """What cannot be moved."""

    def test_without_trust(self, old: Old, make_site: MakeSite, options: Options) -> None:
        """A pickle is not loaded without trust; the error says why, and the session is kept."""
        cookie = old.cookie(PLAIN)
        store = SessionStore(options | {"store.migrateFrom": old.source})
        with pytest.raises(SerializationError, match="can run code in this process"):
            store.get(cookie)
        assert 1 == old.number()

    def test_unstorable(self, table: Old, options: Options) -> None:
        """A value that cannot be stored is named, and the session is kept."""
        cookie = table.cookie({"user": "ann", "lock": Unstorable()})
        source = table.source | {"trustPickles": True}
        store = SessionStore(options | {"store.migrateFrom": source})
        with pytest.raises(SerializationError, match="lock"):
            store.get(cookie)
        assert 1 == table.number()

    # python-memcached leaves sockets open if it cannot connect.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize("name", list(AWAY))
    def test_away(self, options: Options, name: str) -> None:
        """If the old backend does not answer, that is an outage, and no missing session."""
        source = {"type": name, "url": AWAY[name]}
        store = SessionStore(options | {"store.migrateFrom": source})
        with pytest.raises(StoreUnavailable, match=f"old backend {name}"):
            store.get("0" * 32)

    def test_no_driver(self, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
        """A database driver that is not installed is named."""
        monkeypatch.setitem(sys.modules, "psycopg2", None)
        source = {"type": "ext:database", "url": "postgresql+psycopg2://u:hunter2@db/app"}
        store = SessionStore(options | {"store.migrateFrom": source})
        with pytest.raises(ConfigError, match="needs the module psycopg2") as caught:
            store.get("0" * 32)
        assert "hunter2" not in str(caught.value)

    def test_here_first(self, table: Old, make_site: MakeSite) -> None:
        """What is stored here is never overwritten."""
        cookie = table.cookie({"user": "old"})
        site = make_site(table, {"keep": True})
        site.visitor(cookie).save(user="new")
        assert {"user": "new"} == site.visitor(cookie).read()

    @pytest.mark.parametrize(
        ("source", "option"),
        [
            ({"url": "sqlite://"}, "type"),
            ({"type": "ext:database"}, "url"),
            ({"type": "file"}, "dataDir"),
            ({"type": "nothing"}, "type"),
            ({"type": "ext:mongodb_soajs", "encryptKey": "k"}, "validateKey"),
            ({"type": "ext:mongodb_soajs", "validateKey": "k"}, "encryptKey"),
        ],
    )
    def test_options(self, options: Options, source: Options, option: str) -> None:
        """A mistake in the options is an error at the start that names the option."""
        with pytest.raises(ConfigError) as caught:
            SessionStore(options | {"store.migrateFrom": source})
        assert f"store.migrateFrom.{option}" == caught.value.option

    def test_no_secret_is_shown(self, options: Options) -> None:
        """The URL of the old backend may have a password, and is not shown."""
        url = "redis://:hunter2@127.0.0.1:1"
        store = SessionStore(options | {"store.migrateFrom": {"type": "ext:redis", "url": url}})
        with pytest.raises(StoreUnavailable) as caught:
            store.get("0" * 32)
        for text in (str(caught.value), repr(store.config), store.config.explain()):
            assert "hunter2" not in text


def _fail(source: object, session_id: str) -> None:
    raise OSError("the network is down")


def _leave(session: Any) -> None:
    dict(session)
    session.delete()
    session.save()


class Unstorable:
    """An object that no document can hold."""


class TestLoad:
    """A deployment that switches while it is in use."""

    def test_under_load(self, old: Old, options: Options, database: Db) -> None:
        """Eight clients with 200 sessions: nobody is logged out, and every value is equal."""
        count = times(200)
        site = old.site()
        cookies = {}
        for number in range(count):
            visitor = site.visitor()
            visitor.save(user=f"user {number}", cart=[number, {"n": number}])
            cookies[number] = visitor.cookie
        assert count == old.number()
        source = old.source | {"trustPickles": True}
        new = Site(options | {"session_class": MongoSession, "store.migrateFrom": source})
        start = threading.Barrier(8)
        moved: list[str] = []
        remove = on_event(lambda event: moved.append(event.name))

        def client(turn: int) -> None:
            start.wait()
            # Two clients ask for the same quarter of the sessions at once.
            for number in range(turn // 2, count, 4):
                expected = {"user": f"user {number}", "cart": [number, {"n": number}]}
                assert expected == _load(new, cookies[number])

        with ThreadPoolExecutor(8) as pool:
            for result in [pool.submit(client, turn) for turn in range(8)]:
                result.result()
        remove()
        assert (0, count) == (old.number(), len(live_documents(database)))
        assert count == moved.count("session.migrated")


def _load(site: Site, cookie: str | None) -> dict[str, Any]:
    """Load a session as Beaker's middleware does; return it without Beaker's own keys."""
    options: Options = {**site.wsgi.options}
    session_class = options.pop("session_class", None) or Session
    session = session_class({"cookie": f"{COOKIE}={cookie}"}, **options)
    assert cookie == session.id
    return {key: value for key, value in session.items() if not key.startswith("_")}
