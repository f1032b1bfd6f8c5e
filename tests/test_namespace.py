"""Sessions through Beaker's SessionMiddleware, and the container API behind it."""

import base64
import datetime
import json
import logging
import pickle
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from beaker.session import Session
from hypothesis import given, settings
from pymongo.database import Database

from beaker_mongo_soajs import ConfigError, MongoNamespaceManager, SerializationError
from beaker_mongo_soajs.changes import is_same
from beaker_mongo_soajs.namespace import MongoContainer
from tests.application import Site
from tests.conftest import RunPython
from tests.recorder import Commands
from tests.values import SESSIONS

Options = dict[str, Any]
Db = Database[dict[str, Any]]

_DAY = datetime.timedelta(days=1)


@pytest.fixture
def options(mongo_url: str, database_name: str) -> Options:
    """Return the session options of this test's database."""
    return {"url": mongo_url, "name": database_name}


@pytest.fixture(params=[False, True], ids=["native", "text"])
def stringify(request: pytest.FixtureRequest) -> bool:
    """Return each value of ``stringify``."""
    value: bool = request.param
    return value


def _document(database: Db) -> dict[str, Any]:
    documents = list(database.sessions.find())
    assert len(documents) == 1
    return documents[0]


class TestSessions:
    """A visitor's session."""

    def test_is_kept(self, options: Options, *, stringify: bool) -> None:
        """What one request saved, the next one reads."""
        visitor = Site(options | {"stringify": stringify}).visitor()
        visitor.save(user="ann", cart=[{"sku": "a", "price": 1.5}], seen=(1, 2))
        assert visitor.read() == {
            "user": "ann",
            "cart": [{"sku": "a", "price": 1.5}],
            "seen": (1, 2),
        }

    def test_is_kept_over_a_restart(self, options: Options, run_python: RunPython) -> None:
        """A cookie from before a restart still works: another process reads the session."""
        visitor = Site(options).visitor()
        visitor.save(user="ann")
        said = run_python(f"""
            from tests.application import Site
            print(Site({options!r}).visitor({visitor.cookie!r}).read())
        """)
        assert said.stdout.strip() == "{'user': 'ann'}"

    def test_signed_cookie_is_kept_over_a_restart(
        self, options: Options, run_python: RunPython
    ) -> None:
        """With a secret, the signed cookie of one process is good in another."""
        options = options | {"secret": "s3cret"}
        visitor = Site(options).visitor()
        visitor.save(user="ann")
        assert visitor.cookie is not None
        said = run_python(f"""
            from tests.application import Site
            print(Site({options!r}).visitor({visitor.cookie!r}).read())
        """)
        assert said.stdout.strip() == "{'user': 'ann'}"

    def test_new_visitor_costs_nothing(self, options: Options, commands: Commands) -> None:
        """A visitor whose session is only looked at leaves no document, and costs no command."""
        assert Site(options).visitor().read() == {}
        assert commands.names == []

    def test_costs_of_each_kind_of_request(
        self, options: Options, commands: Commands, *, stringify: bool
    ) -> None:
        """A request costs a command to read and one to write; the first one makes the index."""
        visitor = Site(options | {"stringify": stringify}).visitor()
        visitor.save(n=1)
        assert commands.names == ["createIndexes", "insert"]
        commands.clear()
        visitor.read()
        assert commands.names == ["find", "update"]
        commands.clear()
        visitor.save(n=2)
        assert commands.names == ["find", "update"]
        commands.clear()
        visitor.request(lambda session: session.delete())
        assert commands.names == ["find", "delete"]

    def test_is_deleted(self, options: Options, database: Db, *, stringify: bool) -> None:
        """A deleted session leaves no document behind."""
        visitor = Site(options | {"stringify": stringify}).visitor()
        visitor.save(user="ann")
        visitor.request(lambda session: session.delete())
        assert database.sessions.count_documents({}) == 0
        assert visitor.cookie is None

    @settings(max_examples=200)
    @given(session=SESSIONS)
    def test_fidelity_through_all_layers(
        self, mongo_url: str, mongo_client: Any, session: dict[Any, Any]
    ) -> None:
        """What goes into a session comes out of the database equal and of the same type."""
        for stringify in (False, True):
            site = Site({"url": mongo_url, "name": "test_fidelity", "stringify": stringify})
            visitor = site.visitor()
            visitor.save_items(session)
            read = visitor.request(lambda stored: {key: stored[key] for key in session})
            assert is_same(session, read)
        mongo_client.drop_database("test_fidelity")


class TestDocuments:
    """What stands in the collection."""

    def test_native_form(self, options: Options, database: Db) -> None:
        """With stringify false, a Mongo shell shows and finds the session's keys as fields."""
        visitor = Site(options).visitor()
        visitor.save(user="ann")
        document = _document(database)
        assert set(document) == {"_id", "session", "expires"}
        assert document["_id"] == visitor.cookie
        assert document["session"]["user"] == "ann"
        assert set(document["session"]) == {
            "_creation_time",
            "_accessed_time",
            "_domain",
            "_path",
            "user",
        }
        assert database.sessions.count_documents({"session.user": "ann"}) == 1

    def test_text_form(self, options: Options, database: Db) -> None:
        """With stringify true, the session is a readable JSON text."""
        Site(options | {"stringify": True}).visitor().save(user="Ånn")
        text = _document(database)["session"]
        assert '"user":"Ånn"' in text
        assert json.loads(text)["user"] == "Ånn"

    def test_encrypted(self, options: Options, database: Db) -> None:
        """With encrypt_key, the document holds ciphertext only, and the session is read back."""
        keys = {"encrypt_key": "0123456789", "validate_key": "abc"}
        visitor = Site(options | keys).visitor()
        visitor.save(user="the-user-name")
        assert visitor.read() == {"user": "the-user-name"}
        text = _document(database)["session"]
        assert isinstance(text, str)
        assert "the-user-name" not in text
        assert b"the-user-name" not in base64.b64decode(text[24:])

    def test_encrypted_session_is_deleted(self, options: Options, database: Db) -> None:
        """The ciphertext of a deleted session does not stay."""
        keys = {"encrypt_key": "0123456789", "validate_key": "abc"}
        visitor = Site(options | keys).visitor()
        visitor.save(user="ann")
        visitor.request(lambda session: session.delete())
        assert database.sessions.count_documents({}) == 0

    def test_json_serializer(
        self, options: Options, database: Db, run_python: RunPython, *, stringify: bool
    ) -> None:
        """With data_serializer json the document says so, and a fresh process reads it."""
        options = options | {"data_serializer": "json", "stringify": stringify}
        visitor = Site(options).visitor()
        visitor.save(user="ann", seen=(1, 2))
        assert _document(database)["dataSerializer"] == "json"
        said = run_python(f"""
            from tests.application import Site
            visitor = Site({options!r}).visitor({visitor.cookie!r})
            visitor.save(n=1)
            print(visitor.read())
        """)
        assert said.stdout.strip() == "{'user': 'ann', 'seen': [1, 2], 'n': 1}"

    def test_unmarked_document_is_read_as_json_by_option(
        self, options: Options, database: Db
    ) -> None:
        """store.dataSerializer says what Beaker expects of a document that does not say."""
        options = options | {"data_serializer": "json", "store.dataSerializer": "json"}
        visitor = Site(options).visitor()
        visitor.save(user="ann")
        database.sessions.update_one({}, {"$unset": {"dataSerializer": ""}})
        assert visitor.read() == {"user": "ann"}

    def test_timeout_decides_on_expiry(self, options: Options, database: Db) -> None:
        """A session expires its timeout and Beaker's two minutes after it was last used."""
        Site(options | {"timeout": 600}).visitor().save(user="ann")
        left = _document(database)["expires"] - datetime.datetime.now(datetime.UTC).replace(
            tzinfo=None
        )
        assert abs(left - datetime.timedelta(seconds=720)) < datetime.timedelta(seconds=30)

    def test_expire_after_decides_without_timeout(self, options: Options, database: Db) -> None:
        """A session without a timeout expires expireAfter milliseconds after it was last used."""
        Site(options | {"expireAfter": 86_400_000}).visitor().save(user="ann")
        left = _document(database)["expires"] - datetime.datetime.now(datetime.UTC).replace(
            tzinfo=None
        )
        assert abs(left - _DAY) < datetime.timedelta(seconds=30)

    def test_express_cookie(self, options: Options, database: Db, *, stringify: bool) -> None:
        """With store.expressCookie the document has express-session's cookie, the session not."""
        site = Site(options | {"store.expressCookie": True, "stringify": stringify})
        visitor = site.visitor()
        visitor.save(user="ann")
        visitor.save(n=1)
        assert visitor.read() == {"user": "ann", "n": 1}
        session = _document(database)["session"]
        cookie = (json.loads(session) if stringify else session)["cookie"]
        assert cookie == {
            "originalMaxAge": 1_209_600_000, "expires": None, "httpOnly": True, "path": "/",
        }  # fmt: skip
        with pytest.raises(SerializationError, match="belongs to express-session"):
            visitor.save(cookie=1)

    def test_document_of_connect_mongo_is_read_and_kept(
        self, options: Options, database: Db, *, stringify: bool
    ) -> None:
        """A session that a Node application made is read; a save leaves what it did not change."""
        cookie = {"originalMaxAge": None, "expires": None, "httpOnly": True, "path": "/"}
        session = {"cookie": cookie, "user": "ann", "views": 2}
        expires = datetime.datetime.now(datetime.UTC) + _DAY
        database.sessions.insert_one({
            "_id": "aGk4-nodeNODEnodeNODEnodeNODE123", "expires": expires, "lastModified": expires,
            "session": json.dumps(session) if stringify else session,
        })  # fmt: skip
        visitor = Site(options).visitor("aGk4-nodeNODEnodeNODEnodeNODE123")
        assert visitor.read() == session
        visitor.save(views=3)
        document = _document(database)
        assert document["lastModified"] == expires.replace(
            tzinfo=None, microsecond=expires.microsecond // 1000 * 1000
        )
        stored = json.loads(document["session"]) if stringify else document["session"]
        assert (stored["cookie"], stored["user"], stored["views"]) == (cookie, "ann", 3)


class TestSecurity:
    """What a document may not do."""

    def test_planted_pickle_is_not_loaded(
        self, options: Options, database: Db, tmp_path: Path
    ) -> None:
        """A pickle planted in any field or form of a document never runs; the document stays."""
        target = tmp_path / "written"
        payload = f"cpathlib\nPath\n(V{target}\ntR.".encode()
        attack = pickle.dumps(_Writes(target), 2)
        texts = [base64.b64encode(data).decode() for data in (payload, attack)]
        tagged = {"__type__": "pickle", "value": attack}
        expires = datetime.datetime.now(datetime.UTC) + _DAY
        plants: list[dict[str, Any]] = [
            *[{"session": text} for text in texts],
            {"session": attack},
            {"session": {"user": tagged}},
            {"session": {"user": {"__type__": "set", "value": [tagged]}}},
            {"session": json.dumps({"user": {**tagged, "value": texts[1]}})},
            {"session": {"user": "ann"}, "value": attack, "data": texts[1]},
            {"session": texts[1], "dataSerializer": "pickle"},
        ]
        for number, plant in enumerate(plants):
            document = {"_id": f"planted{number}", "expires": expires, **plant}
            database.sessions.insert_one(document)
            for serializer in ("pickle", "json"):
                setup = {"invalidate_corrupt": False, "data_serializer": serializer}
                visitor = Site(options | setup).visitor(f"planted{number}")
                # zlib.error is Beaker's, of a document that is not marked as JSON.
                with suppress(SerializationError, zlib.error):
                    visitor.read()
            kept = database.sessions.find_one({"_id": f"planted{number}"})
            assert kept is not None
            if isinstance(kept["session"], dict):
                kept["session"].pop("_accessed_time", None)
            assert {key: kept[key] for key in plant} == plant
        assert not target.exists()
        pickle.loads(attack)
        assert target.exists()

    def test_transform_id_hides_the_session_id(self, options: Options, database: Db) -> None:
        """With store.transformId, the collection holds no id that could be used as a cookie."""
        site = Site(options | {"store.transformId": "sha256"})
        visitor = site.visitor()
        visitor.save(user="ann")
        document = _document(database)
        assert visitor.cookie is not None
        assert visitor.cookie not in repr(document)
        assert len(document["_id"]) == 64
        assert visitor.read() == {"user": "ann"}
        assert site.visitor(document["_id"]).read() == {}
        visitor.request(lambda session: session.delete())
        assert database.sessions.count_documents({}) == 0

    @pytest.mark.parametrize(
        "session_id", [".*", "(", "^", '{"$gt": ""}', "$where", "é" * 20, "' || '1'=='1"], ids=repr
    )
    def test_odd_ids_match_nothing_but_themselves(
        self, options: Options, database: Db, session_id: str
    ) -> None:
        """A session id is compared as a text: no pattern, operator or expression in it works."""
        Site(options).visitor().save(user="ann")
        namespace = MongoNamespaceManager(session_id, digest_filenames=False, **options)
        with pytest.raises(KeyError):
            namespace["session"]
        assert database.sessions.count_documents({}) == 1

    @pytest.mark.parametrize(
        "session_id", ["", "x" * 10_000, "a\0b", "\ud800", "a\nb", 5, None, {"$gt": ""}], ids=type
    )
    def test_impossible_ids_are_refused(self, options: Options, session_id: Any) -> None:
        """What cannot be a session id is an error, and never reaches the database."""
        namespace = MongoNamespaceManager(session_id, digest_filenames=False, **options)
        with pytest.raises(SerializationError, match="session id"):
            namespace["session"]

    def test_no_session_id_or_data_in_logs_and_reprs(
        self, options: Options, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log of a dropped save names neither the whole session id nor any data."""
        caplog.set_level(logging.DEBUG, "beaker_mongo_soajs")
        visitor = Site(options).visitor()
        visitor.save(user="the-user-name")

        def save_after_logout(session: Any) -> None:
            session["n"] = 1
            database.sessions.delete_many({})
            session.save()

        visitor.request(save_after_logout)
        assert database.sessions.count_documents({}) == 0
        assert "was dropped" in caplog.text
        assert str(visitor.cookie) not in caplog.text
        assert "the-user-name" not in caplog.text
        namespace = MongoNamespaceManager(str(visitor.cookie), digest_filenames=False, **options)
        assert str(visitor.cookie) not in repr(namespace)


class _Writes:
    """Unpickling it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (Path.touch, (self.target,))


class TestNamespaceManager:
    """Beaker's container API."""

    def test_timeout_and_client(self, options: Options) -> None:
        """As with Beaker's own backends, the namespace knows its timeout and its client."""
        namespace = MongoNamespaceManager("id", timeout=720, digest_filenames=False, **options)
        assert namespace.timeout == 720
        assert namespace.client.admin.command("ping")["ok"] == 1.0

    def test_session_is_a_key_of_its_namespace(self, options: Options) -> None:
        """A session's namespace has one key, which can be asked for, deleted and removed."""
        session = Session({}, use_cookies=False, type="ext:mongodb_soajs", **options)
        session["user"] = "ann"
        session.save()
        namespace = MongoNamespaceManager(session.id, digest_filenames=False, **options)
        assert "session" in namespace
        assert namespace.keys() == ["session"]
        del namespace["session"]
        assert "session" not in namespace
        assert namespace.keys() == []
        with pytest.raises(KeyError):
            del namespace["session"]
        session["again"] = 1
        namespace.remove()

    def test_two_saves_of_one_session_object(self, options: Options, *, stringify: bool) -> None:
        """A session object can be saved again: each save writes what changed since the last one."""
        options = options | {"stringify": stringify}
        session = Session({}, use_cookies=False, type="ext:mongodb_soajs", **options)
        session["a"] = 1
        session.save()
        session["b"] = 2
        del session["a"]
        session.save()
        again = Session({}, id=session.id, use_cookies=False, type="ext:mongodb_soajs", **options)
        assert (again.get("a"), again["b"]) == (None, 2)

    def test_touch_after_must_be_below_the_session_timeout(self, options: Options) -> None:
        """store.touchAfter as long as the session timeout is refused."""
        with pytest.raises(ConfigError, match="touchAfter"):
            MongoNamespaceManager("id", timeout=600 + 120, store={"touchAfter": 600}, **options)
        MongoNamespaceManager("id", timeout=600 + 120, store={"touchAfter": 599}, **options)

    def test_options_are_told_apart(self, mongo_url: str, database_name: str) -> None:
        """Namespaces share stores exactly when their options are equal, however they are given."""
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


class TestContainer:
    """Beaker's older container API, and its caches."""

    def test_value_is_created_once(self, options: Options) -> None:
        """A container creates its value once, and reads it afterwards."""
        created: list[int] = []

        def create() -> dict[str, Any]:
            created.append(1)
            return {"n": len(created), "set": {1, 2}}

        for _ in range(2):
            # Beaker's metaclass makes a Value of what looks like an instance.
            make: Any = MongoContainer
            value = make("key", {}, "things", createfunc=create, **options)
            assert value.get_value() == {"n": 1, "set": {1, 2}}

    def test_session_is_an_ordinary_key_of_a_cache(self, options: Options, database: Db) -> None:
        """A cache may have a key named session; it is no session."""
        namespace = MongoNamespaceManager("things", **options)
        namespace["session"] = [1]
        assert namespace["session"] == [1]
        assert database.sessions.count_documents({}) == 0
        assert database.cache.count_documents({}) == 1

    def test_clear_takes_no_neighbours_along(self, options: Options) -> None:
        """Removing a namespace leaves those whose names only start alike, or look like patterns."""
        names = ["a", "ab", "a.b", ".*", "", "x" * 1000]
        spaces = [MongoNamespaceManager(name, **options) for name in names]
        for space in spaces:
            space[b"k"] = space.namespace
        for index, space in enumerate(spaces):
            space.remove()
            assert space.keys() == []
            assert all(other.keys() == [b"k"] for other in spaces[index + 1 :])

    def test_expired_value_is_absent(self, options: Options, database: Db) -> None:
        """A value past its time reads as absent, and the TTL index removes it."""
        namespace = MongoNamespaceManager("things", **options)
        namespace.set_value(b"k", 1, expiretime=60)
        assert namespace[b"k"] == 1
        past = datetime.datetime.now(datetime.UTC) - _DAY
        database.cache.update_one({}, {"$set": {"expires": past}})
        assert b"k" not in namespace
        assert namespace.keys() == []
        with pytest.raises(KeyError):
            namespace[b"k"]
        assert database.cache.index_information()["expires_1"]["expireAfterSeconds"] == 0

    def test_signed_values(self, options: Options, database: Db) -> None:
        """With store.signingKey, a cached value is loaded only where it was stored."""
        namespace = MongoNamespaceManager("things", **options, store={"signingKey": "k1"})
        namespace[b"k"] = 1
        namespace[b"other"] = 2
        assert namespace[b"k"] == 1
        value = database.cache.find_one({"_id.key": b"other"})
        assert value is not None
        fields = {key: value[key] for key in ("value", "signature")}
        database.cache.update_one({"_id.key": b"k"}, {"$set": fields})
        with pytest.raises(SerializationError, match="signature"):
            namespace[b"k"]
