"""Attacks on sessions: each succeeds with Beaker's own ``ext:mongodb``, and fails here.

What succeeds there proves the attack; the same lines then have to fail with MongoSession.
"""

import base64
import datetime
import hashlib
import hmac
import pickle
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymongo
import pytest
from beaker.crypto import CRYPTO_MODULES, noencryption
from beaker.session import SessionObject
from bson.binary import Binary
from pymongo import MongoClient
from pymongo.database import Database

from beaker_mongo_soajs import ConfigError, MongoSession, SerializationError, SessionStore
from tests.application import Site, Visitor, only_document
from tests.recorder import Commands

Options = dict[str, Any]
Db = Database[dict[str, Any]]

# Beaker warns of each session that it takes for corrupt, and names its id.
pytestmark = pytest.mark.filterwarnings("ignore:Invalidating corrupt session")

_DAY = datetime.timedelta(days=1)
_SECRET = "a secret of the site"
_KEYS = {"encrypt_key": "a key", "validate_key": "another", "crypto_type": "cryptography"}


@pytest.fixture
def beakers(mongo_url: str, database_name: str) -> Iterator[Options]:
    """Return options for Beaker's own backend, in the same database."""
    with MongoClient[dict[str, Any]](_with_database(mongo_url, database_name)) as client:
        yield {"type": "ext:mongodb", "url": client}


@pytest.fixture
def ours(options: Options) -> Options:
    """Return options for MongoSession."""
    return options | {"session_class": MongoSession}


def _with_database(url: str, name: str) -> str:
    host, slash, rest = url.removeprefix("mongodb://").partition("/")
    query = rest.partition("?")[2]
    assert slash
    return f"mongodb://{host}/{name}?{query}"


def _login(visitor: Visitor) -> None:
    """Log in as most applications do: without a thought for the id."""
    visitor.save(user="ann")


def _regenerate(session: SessionObject) -> None:
    session.regenerate_id()
    session["user"] = "ann"
    session.save()


def _invalidate(session: SessionObject) -> None:
    session.invalidate()
    session.save()


def _delete(session: SessionObject) -> None:
    session.delete()


class TestFixation:
    """The attacker gives the victim an id, and waits for the victim to log in."""

    def _attack(self, options: Options, id_: str) -> object:
        site = Site(options)
        victim = site.visitor(id_)
        _login(victim)
        return site.visitor(id_).read().get("user")

    def test_a_chosen_id(self, beakers: Options, ours: Options) -> None:
        """A chosen id is adopted by Beaker; here the login gets an id of its own."""
        assert "ann" == self._attack(beakers, "chosen")
        assert self._attack(ours, "chosen") is None

    def test_an_id_of_the_attackers_own_with_a_secret(
        self, beakers: Options, ours: Options
    ) -> None:
        """A signature stops no attacker who has the site sign: any id that it once gave out."""

        def attack(options: Options) -> object:
            # The attacker's own session, ended long ago or never saved: its cookie stays signed.
            site = Site(options | {"secret": _SECRET})
            attacker = site.visitor()
            attacker.save(n=1)
            id_ = attacker.cookie
            assert id_ is not None
            attacker.request(_delete)
            return self._attack(options | {"secret": _SECRET}, id_)

        assert "ann" == attack(beakers)
        assert attack(ours) is None

    def test_an_id_with_a_secret_that_leaked(self, beakers: Options, ours: Options) -> None:
        """Who can sign can choose the id with Beaker; here a good signature makes no session."""
        signature = hmac.new(_SECRET.encode(), b"chosen", hashlib.sha1).hexdigest()
        signed = f"{signature}chosen"
        assert "ann" == self._attack(beakers | {"secret": _SECRET}, signed)
        assert self._attack(ours | {"secret": _SECRET}, signed) is None

    def test_a_live_session_of_the_attackers(self, beakers: Options, ours: Options) -> None:
        """A session that the attacker keeps alive is out of it after the victim's new id."""

        def attack(options: Options) -> object:
            site = Site(options)
            attacker = site.visitor()
            attacker.save(n=1)
            id_ = attacker.cookie
            victim = site.visitor(id_)
            _login(victim)
            victim.request(_regenerate)
            return site.visitor(id_).read().get("user")

        assert "ann" == attack(beakers)
        assert attack(ours) is None


class TestReplay:
    """The attacker has an id from before, and comes back with it after the session has ended."""

    def _attack(self, options: Options, end: Any) -> object:
        site = Site(options)
        victim = site.visitor()
        _login(victim)
        stolen = victim.cookie
        victim.request(end)
        return site.visitor(stolen).read().get("user")

    @pytest.mark.parametrize("end", [_invalidate, _regenerate])
    def test_of_an_id(self, beakers: Options, ours: Options, end: Any) -> None:
        """The id from before stays logged in with Beaker; here it is dead."""
        assert "ann" == self._attack(beakers, end)
        assert self._attack(ours, end) is None

    def test_after_a_logout(self, beakers: Options, ours: Options, database: Db) -> None:
        """A logout leaves Beaker a live document under the old id; here it leaves nothing."""
        assert self._attack(beakers, _delete) is None
        assert 1 == database.backer_cache.count_documents({})
        assert self._attack(ours, _delete) is None
        assert 0 == database.sessions.count_documents({})

    def test_by_a_request_that_outlives_the_logout(self, beakers: Options, ours: Options) -> None:
        """A request under way at the logout brings the login back with Beaker; not here."""

        def attack(options: Options) -> object:
            site = Site(options)
            victim = site.visitor()
            _login(victim)
            stolen = victim.cookie
            slow = site.visitor(stolen)

            def outlive(session: SessionObject) -> None:
                assert "ann" == session["user"]
                victim.request(_delete)
                session.save()

            slow.request(outlive)
            return site.visitor(stolen).read().get("user")

        assert "ann" == attack(beakers)
        assert attack(ours) is None

    def test_of_a_timed_out_id(self, beakers: Options, ours: Options, database: Db) -> None:
        """A timed-out session stays stored with Beaker for ever; here it goes when it is met."""
        for options in (beakers, ours):
            site = Site(options | {"timeout": 60})
            victim = site.visitor()
            _login(victim)
            stolen = victim.cookie
            if options is ours:
                aged = {"$inc": {"session._accessed_time": -3600}}
                database.sessions.update_one({}, aged)
            else:
                self._age(database)
            assert {} == site.visitor(stolen).read()
        assert 1 == database.backer_cache.count_documents({})
        assert 0 == database.sessions.count_documents({})

    def _age(self, database: Db) -> None:
        entry = database.backer_cache.find_one({"_id": {"$type": "string"}})
        assert entry is not None
        session = pickle.loads(base64.b64decode(pickle.loads(entry["value"])))
        session["_accessed_time"] -= 3600
        text = base64.b64encode(pickle.dumps(session, 2)).decode()
        value = Binary(pickle.dumps(text))
        database.backer_cache.update_one({"_id": entry["_id"]}, {"$set": {"value": value}})


class _Touches:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


class TestPlants:
    """The attacker can write to the database, and wants to run code."""

    def test_a_pickle(self, beakers: Options, ours: Options, database: Db, tmp_path: Path) -> None:
        """A planted pickle runs with Beaker; here it is never loaded."""
        for name, options, plant in (
            ("theirs", beakers, self._plant_theirs),
            ("ours", ours, self._plant_ours),
        ):
            attack = pickle.dumps(_Touches(tmp_path / name), 2)
            plant(database, "planted", attack)
            Site(options).visitor("planted").read()
        assert ["theirs"] == [path.name for path in tmp_path.iterdir()]

    def _plant_theirs(self, database: Db, id_: str, attack: bytes) -> None:
        database.backer_cache.insert_one({"_id": f"{id_}:session", "value": Binary(attack)})

    def _plant_ours(self, database: Db, id_: str, attack: bytes) -> None:
        expires = datetime.datetime.now(datetime.UTC) + _DAY
        text = base64.b64encode(attack).decode()
        database.sessions.insert_one({"_id": id_, "session": text, "expires": expires})

    @pytest.mark.parametrize("serializer", ["pickle", "json"])
    @pytest.mark.parametrize("keys", [{}, _KEYS], ids=["plain", "encrypted"])
    def test_a_pickle_in_any_place(
        self, ours: Options, database: Db, tmp_path: Path, serializer: str, keys: Options
    ) -> None:
        """In no field and form of a document a pickle is loaded, encrypted sessions or not."""
        target = tmp_path / "written"
        attack = pickle.dumps(_Touches(target), 2)
        text = base64.b64encode(attack).decode()
        nonce = base64.b64encode(bytes(16)).decode()
        tag = {"__type__": "pickle", "value": attack}
        sessions: list[Any] = [attack, text, nonce + text, {"user": tag}, {"u": [tag]}, tag]
        site = Site(ours | keys | {"data_serializer": serializer})
        for number, session in enumerate(sessions):
            document = {"_id": f"planted{number}", "session": session, "value": attack}
            database.sessions.insert_one(document)
            site.visitor(f"planted{number}").read()
        assert not target.exists()

    def test_without_a_library_that_encrypts(
        self, ours: Options, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where Beaker would silently store plain pickles under encrypt_key, we refuse to start."""
        monkeypatch.setitem(CRYPTO_MODULES, "cryptography", noencryption)
        with pytest.raises(ConfigError, match="no library that can encrypt"):
            Site(ours | _KEYS).visitor().read()

    @pytest.mark.parametrize("with_class", [True, False], ids=["MongoSession", "session.type"])
    def test_a_pickle_where_nothing_can_decrypt(
        self,
        ours: Options,
        options: Options,
        database: Db,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        with_class: bool,
    ) -> None:
        """Where Beaker takes plain text for decrypted, a pickle behind a nonce does not run."""
        monkeypatch.setitem(CRYPTO_MODULES, "cryptography", noencryption)
        attack = base64.b64encode(pickle.dumps(_Touches(tmp_path / "written"), 2)).decode()
        nonce = base64.b64encode(bytes(16)).decode()
        database.sessions.insert_one({"_id": "planted", "session": nonce + attack})
        site = Site((ours if with_class else options) | _KEYS)
        with suppress(ConfigError):
            site.visitor("planted").read()
        assert [] == list(tmp_path.iterdir())

    def test_plain_text_in_place_of_ciphertext(self, ours: Options, database: Db) -> None:
        """With encrypt_key a planted session that is not encrypted is not accepted."""
        forged = {"user": "admin"}
        database.sessions.insert_one({"_id": "planted", "session": forged})
        assert forged == Site(ours).visitor("planted").read()
        assert {} == Site(ours | _KEYS).visitor("planted").read()
        with pytest.raises(SerializationError, match="not encrypted"):
            Site(ours | _KEYS | {"invalidate_corrupt": False}).visitor("planted").read()

    def test_ciphertext_of_another_session(self, ours: Options, database: Db) -> None:
        """With signingKey a session's ciphertext is good under its own id alone."""
        for store, stolen in (({}, {"user": "ann"}), ({"signingKey": "0123456789abcdef" * 2}, {})):
            site = Site(ours | _KEYS | {"store": store})
            victim, attacker = site.visitor(), site.visitor()
            victim.save(user="ann")
            attacker.save(user="eve")
            document = database.sessions.find_one({"_id": victim.cookie})
            assert document is not None
            del document["_id"]
            database.sessions.update_one({"_id": attacker.cookie}, {"$set": document})
            assert stolen == attacker.read()

    def test_ciphertext_that_was_changed(self, ours: Options, database: Db) -> None:
        """Ciphertext with a changed bit is refused, and its visitor logged out."""
        visitor = Site(ours | _KEYS).visitor()
        visitor.save(user="ann")
        document = only_document(database)
        text = document["session"]
        data = bytearray(base64.b64decode(text[24:]))
        data[-3] ^= 1
        changed = text[:24] + base64.b64encode(data).decode()
        database.sessions.update_one({}, {"$set": {"session": changed}})
        assert {} == visitor.read()


HOSTILE_IDS = {
    "everything": ".*",
    "half a pattern": "(",
    "an operator": '{"$gt": ""}',
    "10 kB": "x" * 10_240,
    "NUL": "a\0b",
    "half a surrogate pair": "\ud800",
    "control characters": "a\r\nb",
    "nothing": "",
    "a field path": "$session.user",
}


class TestHostileIds:
    """The attacker writes anything at all into the cookie."""

    def test_a_pattern_reaches_beakers_database(self, beakers: Options, database: Db) -> None:
        """With Beaker an id is a pattern: half of one is an error of the server, and .* deletes."""
        with pytest.raises(pymongo.errors.OperationFailure):
            Site(beakers | {"invalidate_corrupt": False}).visitor("(").read()
        database.backer_cache.insert_one({"_id": "victim:session", "expiration": 1})
        Site(beakers).visitor(".*").read()
        assert 0 == database.backer_cache.count_documents({})

    @pytest.mark.parametrize("id_", HOSTILE_IDS.values(), ids=HOSTILE_IDS)
    def test_it_finds_nobody_and_is_never_adopted(
        self, ours: Options, database: Db, commands: Commands, id_: str
    ) -> None:
        """Whatever stands in the cookie, it is an unknown id, compared as text, and is replaced."""
        Site(ours).visitor().save(user="ann")
        commands.clear()
        request: dict[str, Any] = {}
        session = MongoSession(request, id=id_, **{k: v for k, v in ours.items() if k[0] != "s"})
        assert session.is_new
        assert session.get("user") is None
        assert id_ != session.id
        session["n"] = 1
        session.save()
        assert 2 == database.sessions.count_documents({})
        for event in commands.started:
            if event.command_name != "insert":
                assert {"_id": id_} == event.command["query"]

    @pytest.mark.parametrize("id_", [["victim"], {"$gt": ""}, 7, b"victim", None, True])
    def test_ids_that_are_no_text(self, ours: Options, id_: Any) -> None:
        """What is no text is no id: not as JSON of an API might bring it, nor otherwise."""
        store = {name: item for name, item in ours.items() if name != "session_class"}
        SessionStore(store).set("victim", {"user": "ann"})
        session = MongoSession({}, id=id_, **store)
        assert session.is_new
        assert "user" not in session

    def test_a_prefix_of_an_id(self, beakers: Options, ours: Options, database: Db) -> None:
        """With Beaker the prefix of an id reaches other sessions' documents; here it is nothing."""
        database.backer_cache.insert_one({"_id": "victim:session", "expiration": 1})
        Site(beakers).visitor("vic").read()
        assert 0 == database.backer_cache.count_documents({})
        victim = Site(ours).visitor()
        _login(victim)
        assert victim.cookie is not None
        for length in (1, 8, 31):
            guess = Site(ours).visitor(victim.cookie[:length])
            assert {} == guess.read()
            guess.request(_invalidate)
        assert {"user": "ann"} == victim.read()

    def test_ids_of_other_documents(self, ours: Options, database: Db) -> None:
        """Documents whose ids are no text belong to no visitor."""
        for id_ in (7, {"a": 1}):
            database.sessions.insert_one({"_id": id_, "session": {"user": "ann"}})
        for text in ("7", '{"a": 1}', "{'a': 1}"):
            assert {} == Site(ours).visitor(text).read()


class TestLeaks:
    """The attacker can read the database, the log, or an error page."""

    def test_digests_are_no_ids(self, ours: Options, database: Db) -> None:
        """With transformId the ids in the database let nobody in."""
        for store, user in (({}, "ann"), ({"transformId": "sha256"}, None)):
            database.sessions.delete_many({})
            site = Site(ours | {"store": store})
            _login(site.visitor())
            stolen = only_document(database)["_id"]
            assert user == site.visitor(stolen).read().get("user")

    def test_a_corrupt_session_is_not_named(
        self, beakers: Options, ours: Options, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Beaker's warning of a corrupt session holds its id; ours does not."""
        id_ = "0123456789abcdef0123456789abcdef"
        value = Binary(pickle.dumps("no base64"))
        database.backer_cache.insert_one({"_id": f"{id_}:session", "value": value})
        database.sessions.insert_one({"_id": id_, "session": "no base64"})
        with pytest.warns(Warning, match=id_):
            Site(beakers).visitor(id_).read()
        with caplog.at_level("INFO", "beaker_mongo_soajs"):
            Site(ours).visitor(id_).read()
        assert "cannot be read" in caplog.text
        assert id_[:8] not in caplog.text
