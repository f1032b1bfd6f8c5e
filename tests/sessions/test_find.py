"""SessionStore.find() and destroy_where()."""

import datetime
import re
import uuid
from typing import Any

import pytest

from beaker_mongo_soajs import (
    ConfigError,
    MongoSession,
    SerializationError,
    SessionMiddleware,
    SessionStore,
)
from tests.conftest import Db, Options
from tests.plain_server import needs_mongodb
from tests.recorder import Commands
from tests.waiting import wait_until

_PAST = datetime.datetime(2020, 1, 1)


@pytest.fixture
def store(options: Options) -> SessionStore:
    """Return a store with some sessions, and an index on their users."""
    store = SessionStore(options | {"store": {"indexes": ["session.user"]}})
    sessions: dict[str, dict[str, Any]] = {
        "ann 1": {"user": "ann", "device": "phone"},
        "ann 2": {"user": "ann", "device": "desk"},
        "bob": {"user": "bob", "device": "phone"},
        "list": {"user": ["ann", "bob"]},
        "dict": {"user": {"$gt": ""}},
        "tuple": {"user": ("ann", 1)},
        "nothing": {"user": None},
        "missing": {"device": "phone"},
        "number": {"user": 1},
        "truth": {"user": True},
    }
    for id_, session in sessions.items():
        store.set(id_, session)
    return store


def _ids(store: SessionStore, **fields: object) -> list[str]:
    return sorted(id_ for id_, _ in store.find(**fields))


class TestFind:
    """Finding sessions by their values."""

    def test_by_one_key_and_by_two(self, store: SessionStore) -> None:
        """A session is found if all given keys have their values."""
        assert ["ann 1", "ann 2"] == _ids(store, user="ann")
        assert ["ann 2"] == _ids(store, user="ann", device="desk")
        assert [] == _ids(store, user="carl")
        assert [("bob", {"user": "bob", "device": "phone"})] == list(store.find(user="bob"))

    @pytest.mark.parametrize(
        ("value", "ids"),
        [
            ({"$gt": ""}, ["dict"]),
            ({"$ne": None}, []),
            ({"$regex": "."}, []),
            ("$session.user", []),
            (["ann", "bob"], ["list"]),
            (["ann"], []),
            (("ann", 1), ["tuple"]),
            (None, ["nothing"]),
            (True, ["truth"]),
            (1, ["number"]),
            ("", []),
        ],
    )
    def test_values_are_data(self, store: SessionStore, value: object, ids: list[str]) -> None:
        """A dict, a list, None and a text are compared as values, never read as a query."""
        assert ids == _ids(store, user=value)

    def test_odd_keys(self, store: SessionStore) -> None:
        """Keys that cannot be field names are found too."""
        store.set("odd", {"$where": 1, "__key__x": 2})
        assert ["odd"] == _ids(store, **{"$where": 1})
        assert ["odd"] == _ids(store, __key__x=2)
        for key in ("a..b", "", ".", "a."):
            with pytest.raises(ValueError, match="cannot be searched"):
                store.find(**{key: 1})

    def test_keys_in_dicts(self, store: SessionStore) -> None:
        """A key with dots is the path of a key in a dict, such as that of Passport."""
        store.set("ann", {"passport": {"user": "ann"}, "a": {"b": {"c": [1]}}})
        store.set("bob", {"passport": {"user": "bob"}, "user": "ann"})
        store.set("eve", {"passport": {"user": ["ann"]}, "passport.user": "ann"})
        assert ["ann"] == _ids(store, **{"passport.user": "ann"})
        assert ["ann"] == _ids(store, **{"a.b.c": [1], "passport.user": "ann"})
        assert [] == _ids(store, **{"a.b.c": 1})
        assert [] == _ids(store, **{"passport.user": {"$gt": ""}})
        assert 1 == store.destroy_where(**{"passport.user": "bob"})

    def test_expired_sessions_are_not_found(self, store: SessionStore, database: Db) -> None:
        """Expired sessions are not found."""
        database.sessions.update_one({"_id": "ann 1"}, {"$set": {"expires": _PAST}})
        assert ["ann 2"] == _ids(store, user="ann")

    def test_unreadable_documents_are_skipped(self, store: SessionStore, database: Db) -> None:
        """An unreadable document does not hide the others."""
        damaged = {"user": "ann", "x": {"__type__": "decimal", "value": "no number"}}
        database.sessions.insert_one({"_id": "damaged", "session": damaged})
        database.sessions.insert_one({"_id": 7, "session": {"user": "ann"}})
        assert ["ann 1", "ann 2"] == _ids(store, user="ann")

    def test_sessions_of_mongo_session(self, options: Options) -> None:
        """A session of MongoSession is found, and its id can be used."""
        session = MongoSession({}, **options)
        session["user"] = "ann"
        session.save()
        assert [session.id] == _ids(SessionStore(options), user="ann")

    @pytest.mark.parametrize("name", ["find", "destroy_where"])
    def test_refusals(self, store: SessionStore, options: Options, name: str) -> None:
        """No field, JSON text and values that cannot be stored raise an error at the call."""
        with pytest.raises(ValueError, match="Name a key"):
            getattr(store, name)()
        with pytest.raises(SerializationError):
            getattr(store, name)(user=re.compile("."), cart=object())
        with pytest.raises(ConfigError, match="stringify"):
            getattr(SessionStore(options | {"stringify": True}), name)(user="ann")
        pickling = SessionStore(options | {"store": {"pickle": True}})
        with pytest.raises(SerializationError):
            getattr(pickling, name)(user=object())
        assert 10 == store.length()

    @pytest.mark.parametrize("name", ["find", "destroy_where"])
    def test_an_index_answers(
        self, store: SessionStore, database: Db, commands: Commands, name: str
    ) -> None:
        """An index of store.indexes is used, and finds only the sessions of one user."""
        for number in range(200):
            store.set(f"other {number}", {"user": f"user {number}"})
        commands.clear()
        result = getattr(store, name)(user="ann")
        if name == "find":
            list(result)
        command = commands.started[0].command
        query = command["filter"] if name == "find" else command["updates"][0]["q"]
        store.set("ann 1", {"user": "ann"})
        store.set("ann 2", {"user": "ann"})
        plan = database.command(
            {"explain": {"find": "sessions", "filter": query}, "verbosity": "executionStats"}
        )
        assert "session.user_1" in repr(plan["queryPlanner"]["winningPlan"])
        # The index also finds a list that contains the value; the query excludes it.
        assert 3 == plan["executionStats"]["totalDocsExamined"]
        assert 2 == plan["executionStats"]["nReturned"]


class TestDestroyWhere:
    """Logging a user out everywhere."""

    def test_everywhere(self, store: SessionStore) -> None:
        """One call deletes all sessions of a user, and no others."""
        assert 2 == store.destroy_where(user="ann")
        assert 8 == store.length()
        assert 0 == store.destroy_where(user="ann")

    def test_everywhere_else(self, store: SessionStore, options: Options) -> None:
        """The visitor's own session can be kept, with plain ids and with digests."""
        assert 1 == store.destroy_where("ann 1", user="ann")
        assert ["ann 1"] == _ids(store, user="ann")
        digesting = SessionStore(options | {"store": {"transformId": "sha256"}})
        for id_ in ("carl 1", "carl 2"):
            digesting.set(id_, {"user": "carl"})
        assert 1 == digesting.destroy_where("carl 2", user="carl")
        assert digesting.get("carl 1") is None
        assert digesting.get("carl 2") is not None

    def test_ids_that_are_digests(self, options: Options) -> None:
        """With transformId, the ids from find() and ids() work in all methods."""
        store = SessionStore(options | {"store": {"transformId": "sha256"}})
        for name in ("one", "two", "three"):
            store.set(name, {"user": "ann"})
        found = [session_id for session_id, _ in store.find(user="ann")]
        assert set(found) == set(store.ids())
        assert {"user": "ann"} == store.get(found[0])
        assert store.touch(found[0])
        assert 1 == store.destroy(found[1])
        assert 1 == store.destroy_where(found[0], user="ann")
        assert [found[0]] == list(store.ids())

    def test_digests_are_not_session_ids(self, options: Options) -> None:
        """With transformId, a digest in a cookie is an unknown id."""
        store = SessionStore(options | {"store": {"transformId": "sha256"}})
        store.set("one", {"user": "ann"})
        (digest,) = store.ids()
        assert store.get(str(digest)) is None
        assert 0 == store.destroy(str(digest))

    def test_store_of_a_session_and_of_its_middleware(self, options: Options) -> None:
        """Session and middleware have a store of their sessions, with their timeout."""
        site = {f"session.{name}": value for name, value in options.items()}
        middleware = SessionMiddleware(
            lambda *_: [], site, timeout="600", secure=True, secret="a secret of the site"
        )
        session = MongoSession({}, use_cookies=False, timeout=600, **options)
        session["user"] = "ann"
        session.save()
        for store in (middleware.store, session.store):
            assert [session.id] == [session_id for session_id, _ in store.find(user="ann")]
            assert 720 == store.timeout
        assert 1 == middleware.store.destroy_where(user="ann")

    def test_three_commands(self, store: SessionStore, commands: Commands) -> None:
        """It costs three commands, however many sessions there are."""
        commands.clear()
        store.destroy_where(user="ann")
        assert ["update", "find", "delete"] == commands.names

    def test_a_running_request_does_not_restore(
        self, store: SessionStore, options: Options
    ) -> None:
        """A running request does not restore a session that destroy_where() deletes."""
        session = MongoSession({}, use_cookies=False, id="ann 1", **options)
        store.destroy_where(user="ann")
        session["n"] = 1
        session.save()
        assert [] == _ids(store, user="ann")


class TestUsers:
    """find_user() and destroy_user(), by the key that store.userKey names."""

    @pytest.mark.parametrize(
        ("key", "session"),
        [
            ("user", {"user": "ann"}),
            ("_user_id", {"_user_id": "ann"}),
            pytest.param("passport.user", {"passport": {"user": "ann"}}, marks=needs_mongodb),
            pytest.param("auth.userid", {"auth.userid": "ann"}, marks=needs_mongodb),
        ],
    )
    def test_keys(self, options: Options, key: str, session: dict[str, Any]) -> None:
        """The user is found under a key, under a path of keys, and under a key with a dot."""
        store = SessionStore(options | {"store.userKey": key})
        store.set("one", session)
        store.set("two", session)
        store.set("bob", {"user": "bob", "auth": "ann", "passport": ["ann"]})
        assert ["one", "two"] == sorted(id_ for id_, _ in store.find_user("ann"))
        assert [] == list(store.find_user("carl"))
        assert 1 == store.destroy_user("ann", "two")
        assert ["two"] == [id_ for id_, _ in store.find_user("ann")]
        assert 1 == store.destroy_user("ann")
        assert ["bob"] == list(store.ids())

    @needs_mongodb
    @pytest.mark.parametrize("value", [7, True, uuid.UUID(int=7), ("ann", 1), ["ann"], {"$gt": ""}])
    def test_values_are_data_in_paths_too(self, options: Options, value: object) -> None:
        """Values of all types are compared as data, also below another key."""
        for key, session in (("a.b", {"a": {"b": value}}), ("a.b", {"a.b": value})):
            store = SessionStore(options | {"store.userKey": key})
            store.set("one", session)
            store.set("other", {"a": {"b": "x"}, "a.b": "x"})
            assert ["one"] == [id_ for id_, _ in store.find_user(value)]
            store.clear()

    def test_index(self, options: Options, database: Db) -> None:
        """A configured userKey is indexed; the default is not, and text cannot be."""
        for more, fields in (
            ({}, ()),
            ({"store.userKey": "a.b"}, ("session.a.b",)),
            ({"store.userKey": "a", "store.indexes": "session.a, x"}, ("session.a", "x")),
            ({"store.userKey": "a", "stringify": True}, ()),
        ):
            assert fields == SessionStore(options | more).config.index_fields
        SessionStore(options | {"store.userKey": "a.b"}).length()
        wait_until(lambda: "session.a.b_1" in database.sessions.index_information())

    def test_text_cannot_be_searched(self, options: Options) -> None:
        """With stringify, both are a ConfigError."""
        store = SessionStore(options | {"stringify": True, "store.userKey": "a.b"})
        for call in (store.find_user, store.destroy_user):
            with pytest.raises(ConfigError, match="stringify"):
                call("ann")

    @pytest.mark.parametrize("key", ["$where", "a..b", "a.$b", 7])
    def test_invalid_keys(self, options: Options, key: object) -> None:
        """A key that no session can have is a ConfigError."""
        with pytest.raises(ConfigError, match="key of a session"):
            SessionStore(options | {"store.userKey": key})
