"""Beaker's container API for sessions and caches."""

import base64
import datetime
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from beaker.cache import Cache
from beaker.session import Session
from beaker.util import JsonSerializer
from pymongo import MongoClient

from beaker_mongo_soajs import (
    ConfigError,
    DbConfig,
    MongoNamespaceManager,
    MongoSession,
    SerializationError,
    SessionStore,
    StoreUnavailable,
)
from beaker_mongo_soajs.backend import identity_cache, registry
from beaker_mongo_soajs.backend.payload import unpack
from beaker_mongo_soajs.namespace import MongoContainer, SessionNamespaceManager
from tests.application import only_document
from tests.conftest import Db, FailPoint, Options
from tests.waiting import wait_for_indexes

_DAY = datetime.timedelta(days=1)


class TestNamespaceManager:
    """Beaker's container API."""

    def test_timeout_and_client(self, options: Options) -> None:
        """A namespace has a timeout and a client, as in Beaker's own backends."""
        namespace = SessionNamespaceManager("id", timeout=720, **options)
        assert namespace.timeout == 720
        assert namespace.client.admin.command("ping")["ok"] == 1.0

    @pytest.mark.parametrize("serializer", ["json", "pickle"])
    def test_session_is_a_key_of_its_namespace(self, options: Options, serializer: str) -> None:
        """A session's namespace has one key, with the payload that the session's own Session makes.

        It can be tested, deleted and removed.
        """
        made: Options = {"type": "ext:mongodb_soajs", "data_serializer": serializer, **options}
        session = Session({}, use_cookies=False, **made)
        session["user"] = "ann"
        session.save()
        namespace = SessionNamespaceManager(session.id, **options)
        assert "session" in namespace
        assert serializer == (unpack(namespace["session"]) or [None, None])[1]
        assert namespace.keys() == ["session"]
        del namespace["session"]
        assert "session" not in namespace
        assert namespace.keys() == []
        with pytest.raises(KeyError):
            del namespace["session"]
        session["again"] = 1
        namespace.remove()

    def test_two_saves_of_one_session_object(self, options: Options, *, stringify: bool) -> None:
        """A session object can be saved twice; each save writes the changes since the last one."""
        options = options | {"stringify": stringify}
        session = Session({}, use_cookies=False, type="ext:mongodb_soajs", **options)
        session["a"] = 1
        session.save()
        session["b"] = 2
        del session["a"]
        session.save()
        again = Session({}, id=session.id, use_cookies=False, type="ext:mongodb_soajs", **options)
        assert (again.get("a"), again["b"]) == (None, 2)

    def test_failed_load(self, options: Options, fail_point: FailPoint, *, stringify: bool) -> None:
        """After a failed load, a save does not remove keys that an earlier load found."""
        options = options | {"stringify": stringify}
        SessionStore(options).set("id", {"user": "ann"})
        namespace = SessionNamespaceManager("id", **options)
        assert namespace["session"]
        with fail_point("find", error_code=8000), pytest.raises(StoreUnavailable):
            namespace["session"]
        namespace["session"] = base64.b64encode(pickle.dumps({"n": 1}, 2)).decode()
        assert {"user": "ann", "n": 1} == SessionStore(options).get("id")

    def test_touch_after_must_be_below_the_session_timeout(self, options: Options) -> None:
        """store.touchAfter must be shorter than the session timeout."""
        with pytest.raises(ConfigError, match="touchAfter"):
            SessionNamespaceManager("id", timeout=600 + 120, store={"touchAfter": 600}, **options)
        SessionNamespaceManager("id", timeout=600 + 120, store={"touchAfter": 599}, **options)

    def test_clients_of_equal_seeds_are_separate(self, mongo_url: str, database_name: str) -> None:
        """Two clients given by the application get separate stores, even if they are equal."""
        with MongoClient[Any](mongo_url) as one, MongoClient[Any](mongo_url) as other:
            spaces = [
                MongoNamespaceManager("a", client=c, name=database_name) for c in (one, other)
            ]
            assert spaces[0].client is one
            assert spaces[1].client is other

    def test_session_below_other_frames(self, options: Options, database: Db) -> None:
        """A namespace finds its Session also through constructors of subclasses."""

        class Deep(MongoNamespaceManager):
            def __init__(self, *args: Any, levels: int = 5, **more: Any) -> None:
                if levels:
                    Deep.__init__(self, *args, levels=levels - 1, **more)
                else:
                    super().__init__(*args, **more)

        session = Session({}, use_cookies=False, namespace_class=Deep, **options)
        session["n"] = 1
        session.save()
        assert 1 == only_document(database)["session"]["n"]

    def test_session_with_a_text_of_its_own(self, options: Options, database: Db) -> None:
        """A Session that makes its own text is given that text again."""

        class Shouting(Session):
            def _encrypt_data(self, session_data: Any = None) -> str:
                return "".join(reversed(super()._encrypt_data(session_data)))

            def _decrypt_data(self, session_data: str) -> Any:
                return super()._decrypt_data("".join(reversed(session_data)))

        made: Options = {"use_cookies": False, "type": "ext:mongodb_soajs", **options}
        made |= {"data_serializer": JsonSerializer()}
        session = Shouting({}, **made)
        session["n"] = 1
        session.save()
        assert isinstance(only_document(database)["session"], str)
        assert 1 == Shouting({}, id=session.id, **made)["n"]

    def test_memory_of_options(self, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
        """Options made anew for each request take up no more memory, and are never confused."""
        monkeypatch.setattr(registry, "_MOST_OPTIONS", 16)
        monkeypatch.setattr(identity_cache, "_MOST_ENTRIES", 16)
        for cache in (registry._by_options, registry._by_identity._entries):
            cache.clear()
        for number in range(40):
            stores = registry.find_stores(600, options | {"store": {"touchAfter": number % 2}})
            assert number % 2 == stores.config.store.touch_after
        assert len(registry._by_options) <= 16
        assert len(registry._by_identity._entries) <= 16

    def test_equal_options_are_read_once(
        self, options: Options, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Options made anew for each request are compared, and not read again."""
        read: list[Options] = []

        def from_options(given: Options, usage: Any) -> DbConfig:
            read.append(given)
            return DbConfig.from_options(given, usage)

        monkeypatch.setattr(registry, "DbConfig", SimpleNamespace(from_options=from_options))
        for number in (7, 8) * 3:
            registry.find_stores(600, options | {"store.touchAfter": float(number)})
        assert 2 == len(read)

    def test_stores_are_shared_by_equal_options(self, mongo_url: str, database_name: str) -> None:
        """Namespaces share stores if, and only if, their options are equal."""
        one = MongoNamespaceManager("a", url=mongo_url, name=database_name)
        same = MongoNamespaceManager("b", name=database_name, url=mongo_url)
        other = MongoNamespaceManager(
            "a", url=mongo_url, name=database_name, store={"pickle": True}
        )
        equal = MongoNamespaceManager(
            "a", url=mongo_url, name=database_name, store={"pickle": True}
        )
        assert one._stores is same._stores
        assert one._stores is not other._stores
        assert other._stores is equal._stores


class TestLeftovers:
    """``digest_filenames``, an option of Beaker's file backend that marks its sessions."""

    @pytest.mark.parametrize("value", [False, True, None, "false", 0])
    def test_cache_stays_a_cache(self, options: Options, database: Db, value: object) -> None:
        """Left in the options of a cache, it changes nothing, and no session is deleted."""
        SessionStore(options).set("things", {"user": "ann"})
        leftover: Options = {"digest_filenames": value}
        cache = Cache("things", type="ext:mongodb_soajs", **options, **leftover)
        cache.put("session", 1)
        assert 1 == cache.get("session")
        assert 1 == database.cache.count_documents({})
        cache.clear()
        assert 0 == database.cache.count_documents({})
        assert {"user": "ann"} == SessionStore(options).get("things")

    def test_cache_that_a_session_uses(self, options: Options) -> None:
        """A cache opened while a session is loaded stays a cache."""
        leftover: Options = {"digest_filenames": False}

        class Caching(Session):
            def load(self) -> None:
                super().load()
                cache = Cache("things", type="ext:mongodb_soajs", **options, **leftover)
                cache.put("session", 1)
                cache.clear()

        session = Caching({}, use_cookies=False, type="ext:mongodb_soajs", **options)
        session["n"] = 1
        session.save()
        SessionStore(options).set("things", {"user": "ann"})
        args: Options = {"id": session.id, "use_cookies": False, "type": "ext:mongodb_soajs"}
        assert 1 == Caching({}, **args, **options)["n"]
        assert {"user": "ann"} == SessionStore(options).get("things")

    def test_mongo_session(self, options: Options) -> None:
        """Left in the options of a MongoSession, it changes nothing."""
        leftover: Options = {"digest_filenames": False}
        session = MongoSession({}, use_cookies=False, **options, **leftover)
        session["n"] = 1
        session.save()
        assert "session" in session.namespace


class TestContainer:
    """Beaker's older container API, and its caches."""

    def test_value_is_created_once(self, options: Options) -> None:
        """A container creates its value once, and then reads it."""
        created: list[int] = []

        def create() -> dict[str, Any]:
            created.append(1)
            return {"n": len(created), "set": {1, 2}}

        for _ in range(2):
            # Beaker's metaclass turns an instantiation into a Value.
            make: Any = MongoContainer
            value = make("key", {}, "things", createfunc=create, **options)
            assert value.get_value() == {"n": 1, "set": {1, 2}}

    def test_timeout_of_a_cache(self, options: Options) -> None:
        """The timeout of a session is an error for a cache, which has expire."""
        with pytest.raises(ConfigError, match="Use expire") as caught:
            Cache("things", type="ext:mongodb_soajs", timeout=60, **options)
        assert "timeout" == caught.value.option
        assert Cache("things", type="ext:mongodb_soajs", timeout=None, **options).namespace

    def test_session_is_an_ordinary_key_of_a_cache(self, options: Options, database: Db) -> None:
        """A cache can have a key named session, which is not a session."""
        namespace = MongoNamespaceManager("things", **options)
        namespace["session"] = [1]
        assert namespace["session"] == [1]
        assert database.sessions.count_documents({}) == 0
        assert database.cache.count_documents({}) == 1

    def test_clear_keeps_other_namespaces(self, options: Options) -> None:
        """Removing a namespace keeps others whose names start alike or look like patterns."""
        names = ["a", "ab", "a.b", ".*", "", "x" * 1000]
        spaces = [MongoNamespaceManager(name, **options) for name in names]
        for space in spaces:
            space[b"k"] = space.namespace
        for index, space in enumerate(spaces):
            space.remove()
            assert space.keys() == []
            assert all(other.keys() == [b"k"] for other in spaces[index + 1 :])

    def test_expired_value_is_absent(self, options: Options, database: Db) -> None:
        """An expired value is absent, and the TTL index removes it."""
        namespace = MongoNamespaceManager("things", **options)
        namespace.set_value(b"k", 1, expiretime=60)
        assert namespace[b"k"] == 1
        past = datetime.datetime.now(datetime.UTC) - _DAY
        database.cache.update_one({}, {"$set": {"expires": past}})
        assert b"k" not in namespace
        assert namespace.keys() == []
        with pytest.raises(KeyError):
            namespace[b"k"]
        wait_for_indexes()
        assert database.cache.index_information()["expires_1"]["expireAfterSeconds"] == 0

    def test_signed_values(self, options: Options, database: Db) -> None:
        """With store.signingKey, a cached value cannot be loaded under another key."""
        namespace = MongoNamespaceManager(
            "things", **options, store={"signingKey": "0123456789abcdef"}
        )
        namespace[b"k"] = 1
        namespace[b"other"] = 2
        assert namespace[b"k"] == 1
        value = database.cache.find_one({"_id.key": b"other"})
        assert value is not None
        fields = {key: value[key] for key in ("value", "signature")}
        database.cache.update_one({"_id.key": b"k"}, {"$set": fields})
        with pytest.raises(SerializationError, match="signature"):
            namespace[b"k"]
