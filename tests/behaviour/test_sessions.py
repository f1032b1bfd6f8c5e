"""Sessions in Beaker's SessionMiddleware, and their documents."""

import base64
import datetime
import json
from typing import Any

import pytest
from beaker.session import Session
from hypothesis import HealthCheck, example, given, settings

from beaker_mongo_soajs import SerializationError, SessionStore, StoreUnavailable
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.sessions.changes import is_same
from tests.application import KEYS, Site, only_document
from tests.conftest import Db, FailPoint, Options, RunPython
from tests.effort import times
from tests.recorder import Commands
from tests.sessions.values import SESSIONS

_DAY = datetime.timedelta(days=1)


BEAKER_KEYS = {"_accessed_time", "_creation_time", "_domain", "_path"}


def as_code(options: Options) -> str:
    """Return options as Python code, in which a class is an imported name."""
    values = {
        name: value.__name__ if isinstance(value, type) else repr(value)
        for name, value in options.items()
    }
    return f"{{{', '.join(f'{name!r}: {value}' for name, value in values.items())}}}"


class TestSessions:
    """A visitor's session."""

    def test_is_kept(self, kind_options: Options, *, stringify: bool) -> None:
        """The next request reads what a request saved."""
        visitor = Site(kind_options | {"stringify": stringify}).visitor()
        visitor.save(user="ann", cart=[{"sku": "a", "price": 1.5}], seen=(1, 2))
        assert visitor.read() == {
            "user": "ann",
            "cart": [{"sku": "a", "price": 1.5}],
            "seen": (1, 2),
        }

    def test_is_kept_over_a_restart(
        self, kind_options: Options, database: Db, run_python: RunPython
    ) -> None:
        """After a restart, another process reads and changes the sessions of old cookies."""
        forms: list[Options] = [{}, {"secret": "s3cret"}]
        forms += [
            {"data_serializer": "json", "stringify": stringify} for stringify in (True, False)
        ]
        visits = []
        for form in forms:
            visitor = Site(kind_options | form).visitor()
            visitor.save(user="ann", seen=(1, 2))
            visits.append(f"({as_code(kind_options | form)}, {visitor.cookie!r})")
        assert 2 == database.sessions.count_documents({"dataSerializer": "json"})
        said = run_python(f"""
            from beaker_mongo_soajs import MongoSession
            from tests.application import Site
            for options, cookie in [{", ".join(visits)}]:
                visitor = Site(options).visitor(cookie)
                visitor.save(n=1)
                print(visitor.read())
        """)
        read = "{'user': 'ann', 'seen': %s, 'n': 1}\n"
        assert (read % "(1, 2)") * 2 + (read % "[1, 2]") * 2 == said.stdout

    def test_new_visitor_costs_no_command(self, kind_options: Options, commands: Commands) -> None:
        """Reading the empty session of a new visitor costs no command and stores no document."""
        assert Site(kind_options).visitor().read() == {}
        assert commands.names == []

    def test_costs_of_each_kind_of_request(
        self, options: Options, commands: Commands, *, stringify: bool
    ) -> None:
        """A request costs one command to read and one to write."""
        visitor = Site(options | {"stringify": stringify}).visitor()
        visitor.save(n=1)
        assert commands.names == ["insert"]
        commands.clear()
        visitor.read()
        assert commands.names == ["find"]
        commands.clear()
        visitor.save(n=2)
        assert commands.names == ["find", "update"]
        commands.clear()
        visitor.request(lambda session: session.delete())
        assert commands.names == ["find", "delete"]

    def test_is_deleted(self, kind_options: Options, database: Db, *, stringify: bool) -> None:
        """Deleting a session removes its document."""
        visitor = Site(kind_options | {"stringify": stringify}).visitor()
        visitor.save(user="ann")
        visitor.request(lambda session: session.delete())
        assert database.sessions.count_documents({}) == 0
        assert visitor.cookie is None

    @settings(max_examples=times(80), suppress_health_check=[HealthCheck.function_scoped_fixture])
    @example(session={"a": {"_accessed_time": None}})
    @given(session=SESSIONS.filter(lambda session: not BEAKER_KEYS & session.keys()))
    def test_fidelity_through_all_layers(
        self, kind_options: Options, session: dict[Any, Any]
    ) -> None:
        """Values come back from the database equal and of the same type."""
        for stringify in (False, True):
            visitor = Site(kind_options | {"stringify": stringify}).visitor()
            visitor.save_items(session)
            read = visitor.request(lambda stored: {key: stored[key] for key in session})
            assert is_same(session, read)


class Reversed:
    """A custom serializer."""

    def dumps(self, session: dict[str, Any]) -> bytes:
        """Serialize a session."""
        return json.dumps(session).encode()[::-1]

    def loads(self, data: bytes) -> Any:
        """Deserialize a session."""
        return json.loads(data[::-1])


class TestDocuments:
    """The documents in the collection."""

    def test_native_form(self, kind_options: Options, database: Db) -> None:
        """With stringify false, the session's keys are fields, which a query can find."""
        visitor = Site(kind_options).visitor()
        visitor.save(user="ann")
        document = only_document(database)
        assert set(document) == {"_id", "session", "expires"}
        assert document["_id"] == visitor.cookie
        assert document["session"]["user"] == "ann"
        assert set(document["session"]) == {"_creation_time", "_accessed_time", "user"}
        assert database.sessions.count_documents({"session.user": "ann"}) == 1

    def test_text_form(self, kind_options: Options, database: Db) -> None:
        """With stringify true, the session is a readable JSON text."""
        Site(kind_options | {"stringify": True}).visitor().save(user="Ånn")
        text = only_document(database)["session"]
        assert '"user":"Ånn"' in text
        assert json.loads(text)["user"] == "Ånn"

    def test_encrypted(self, kind_options: Options, database: Db) -> None:
        """With encrypt_key, the document holds ciphertext only, and the session is read back."""
        visitor = Site(kind_options | KEYS).visitor()
        visitor.save(user="the-user-name")
        assert visitor.read() == {"user": "the-user-name"}
        text = only_document(database)["session"]
        assert isinstance(text, str)
        assert "the-user-name" not in text
        assert b"the-user-name" not in base64.b64decode(text[24:])

    def test_unmarked_document_is_read_as_json_by_option(
        self, kind_options: Options, database: Db
    ) -> None:
        """store.dataSerializer is the serializer of documents that name none."""
        options = kind_options | {"data_serializer": "json", "store.dataSerializer": "json"}
        visitor = Site(options).visitor()
        visitor.save(user="ann")
        database.sessions.update_one({}, {"$unset": {"dataSerializer": ""}})
        assert visitor.read() == {"user": "ann"}

    def test_serializer_can_be_switched(self, kind_options: Options) -> None:
        """Sessions are kept when data_serializer changes from one to the other and back."""
        visitor = Site(kind_options).visitor()
        visitor.save(user="ann")
        for serializer in ("json", "pickle", "json"):
            visitor = Site(kind_options | {"data_serializer": serializer}).visitor(visitor.cookie)
            assert visitor.read()["user"] == "ann"
            visitor.save(last=serializer)

    def test_custom_serializer(self, options: Options, database: Db, kind: type[Session]) -> None:
        """A session is stored as the text that a serializer of the application makes."""
        made: dict[str, Any] = {"type": "ext:mongodb_soajs", "data_serializer": Reversed()}
        session = kind({}, use_cookies=False, **made, **options)
        session["user"] = "ann"
        session.save()
        text = base64.b64decode(only_document(database)["session"])
        assert "ann" == json.loads(text[::-1])["user"]
        again = kind({}, id=session.id, use_cookies=False, **made, **options)
        again["n"] = 1
        again.save()
        found = kind({}, id=session.id, use_cookies=False, **made, **options)
        assert ("ann", 1) == (found["user"], found["n"])
        found.delete()
        found.save()
        assert 0 == database.sessions.count_documents({})

    def test_custom_serializer_of_plain_sessions(
        self, options: Options, database: Db, kind: type[Session]
    ) -> None:
        """A session from before a serializer was set is read, and keeps its storage form."""
        SessionStore(options).set("id", {"user": "ann"})
        made: dict[str, Any] = {"type": "ext:mongodb_soajs", "data_serializer": Reversed()}
        session = kind({}, id="id", use_cookies=False, **made, **options)
        session["n"] = 1
        session.save()
        stored = only_document(database)["session"]
        assert ("ann", 1) == (stored["user"], stored["n"])

    def test_lost_serializer(self, options: Options, kind: type[Session]) -> None:
        """Without the serializer that made a session, the session is an error and is kept."""
        made: dict[str, Any] = {"type": "ext:mongodb_soajs", "data_serializer": Reversed()}
        session = kind({}, use_cookies=False, **made, **options)
        session["user"] = "ann"
        session.save()
        with pytest.raises(SerializationError, match="encrypt_key"):
            kind({}, id=session.id, use_cookies=False, type="ext:mongodb_soajs",
                 invalidate_corrupt=False, **options)  # fmt: skip
        again = kind({}, id=session.id, use_cookies=False, **made, **options)
        assert "ann" == again["user"]

    def test_saves_in_an_error_handler(self, options: Options, kind: type[Session]) -> None:
        """A session can be saved while the application handles an error."""
        session = kind({}, use_cookies=False, type="ext:mongodb_soajs", **KEYS, **options)
        # Only the pickle in the ciphertext can hold it.
        session["object"] = Reversed()
        try:
            int("x")
        except ValueError:
            session.save()
        again = kind({}, id=session.id, use_cookies=False, type="ext:mongodb_soajs",
                        **KEYS, **options)  # fmt: skip
        assert isinstance(again["object"], Reversed)

    def test_outage_while_an_object_is_saved(
        self, options: Options, kind: type[Session], fail_point: FailPoint
    ) -> None:
        """An outage is that error also for a session which only ciphertext can hold."""
        session = kind({}, use_cookies=False, type="ext:mongodb_soajs", **KEYS, **options)
        session["object"] = Reversed()
        with fail_point("insert", error_code=8000), pytest.raises(StoreUnavailable):
            session.save()

    def test_serializer_after_a_save(self, options: Options, kind: type[Session]) -> None:
        """An application can use the serializer of a session, which a save leaves as it was."""
        session = kind({}, use_cookies=False, type="ext:mongodb_soajs", **options)
        session["n"] = 1
        session.save()
        serializer: Any = session.serializer
        assert {"n": 2} == serializer.loads(serializer.dumps({"n": 2}))

    def test_value_that_a_serializer_cannot_hold(self, options: Options, database: Db) -> None:
        """If Beaker's Session cannot serialize what is stored, that is an error that names it.

        Beaker would take its TypeError for a sign that there is no session.
        """
        SessionStore(options).set("id", {"user": {"ann"}})
        before = only_document(database)
        made: Options = {"type": "ext:mongodb_soajs", "data_serializer": Reversed()}
        with pytest.raises(SerializationError, match="TypeError"):
            Session({}, id="id", use_cookies=False, invalidate_corrupt=False, **made, **options)
        assert before == only_document(database)

    def test_text_of_other_applications_is_kept(self, kind_options: Options, database: Db) -> None:
        """A read or a change of another key keeps unusual data that Node wrote as JSON text."""
        like = '{"__type__":"dict","value":[["a",1]]}'
        text = f'{{"odd":"\\ud800x","big":12345678901234567890,"like":{like}}}'
        database.sessions.insert_one({"_id": "node", "session": text})
        visitor = Site(kind_options).visitor("node")
        visitor.read()
        visitor.save(n=1)
        stored = json.loads(only_document(database)["session"])
        assert {key: stored[key] for key in ("odd", "big", "like")} == json.loads(text)
        assert stored["n"] == 1

    def test_nested_time_is_data(
        self, options: Options, database: Db, kind: type[Session], *, stringify: bool
    ) -> None:
        """A nested key named _accessed_time is data, and its change is saved."""
        session = {"_path": "/shop", "_creation_time": 1.5, "inner": {"_accessed_time": 1.5}}
        value = json.dumps(session) if stringify else session
        database.sessions.insert_one({"_id": "fp", "session": value})
        made = kind({}, id="fp", use_cookies=False, type="ext:mongodb_soajs", **options)
        del made["_accessed_time"]
        made["inner"]["_accessed_time"] = 2.5
        made.save()
        stored = only_document(database)["session"]
        assert (json.loads(stored) if stringify else stored) == {
            **session,
            "inner": {"_accessed_time": 2.5},
        }

    @pytest.mark.parametrize(
        ("more", "lifetime"),
        [
            ({"timeout": 600}, datetime.timedelta(seconds=600 + 120)),
            ({"expireAfter": 86_400_000, "store.touchAfter": 0}, _DAY),
        ],
        ids=["timeout", "expireAfter"],
    )
    def test_expiry(
        self, kind_options: Options, database: Db, more: Options, lifetime: datetime.timedelta
    ) -> None:
        """A session expires after its timeout plus Beaker's two minutes, or after expireAfter."""
        Site(kind_options | more).visitor().save(user="ann")
        left = only_document(database)["expires"] - utc_now()
        assert abs(left - lifetime) < datetime.timedelta(seconds=30)

    def test_express_cookie(self, kind_options: Options, database: Db, *, stringify: bool) -> None:
        """With store.expressCookie, the document has a cookie that the session does not show."""
        site = Site(kind_options | {"store.expressCookie": True, "stringify": stringify})
        visitor = site.visitor()
        visitor.save(user="ann")
        visitor.save(n=1)
        assert visitor.read() == {"user": "ann", "n": 1}
        session = only_document(database)["session"]
        cookie = (json.loads(session) if stringify else session)["cookie"]
        expected = {
            "originalMaxAge": None, "expires": None, "secure": False, "path": "/",
            "sameSite": "lax", "httpOnly": "session_class" in kind_options,
        }  # fmt: skip
        if not stringify:
            expected |= {"partitioned": None, "priority": None, "domain": None}
        assert expected == cookie
        with pytest.raises(SerializationError, match="is reserved for express-session"):
            visitor.save(cookie=1)

    def test_document_of_connect_mongo_is_read_and_kept(
        self, kind_options: Options, database: Db, *, stringify: bool
    ) -> None:
        """A session from Node can be read, and a save keeps everything that it did not change."""
        cookie = {"originalMaxAge": None, "expires": None, "httpOnly": True, "path": "/"}
        session = {"cookie": cookie, "user": "ann", "views": 2}
        expires = datetime.datetime.now(datetime.UTC) + _DAY
        database.sessions.insert_one({
            "_id": "aGk4-nodeNODEnodeNODEnodeNODE123", "expires": expires, "lastModified": expires,
            "session": json.dumps(session) if stringify else session,
        })  # fmt: skip
        visitor = Site(kind_options).visitor("aGk4-nodeNODEnodeNODEnodeNODE123")
        assert visitor.read() == session
        visitor.save(views=3)
        document = only_document(database)
        assert document["lastModified"] == expires.replace(
            tzinfo=None, microsecond=expires.microsecond // 1000 * 1000
        )
        stored = json.loads(document["session"]) if stringify else document["session"]
        assert (stored["cookie"], stored["user"], stored["views"]) == (cookie, "ann", 3)
