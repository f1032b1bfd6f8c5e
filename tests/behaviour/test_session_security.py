"""Attacks on sessions.

Each attack runs against Beaker's ``ext:mongodb`` first, where it succeeds, and then fails with
``MongoSession``.
"""

import base64
import hashlib
import hmac
import pickle
from typing import Any

import pymongo
import pytest
from beaker.session import SessionObject
from bson.binary import Binary

from beaker_mongo_soajs import MongoSession, SessionStore
from tests.application import Site, Visitor, only_document
from tests.conftest import Db, Options
from tests.recorder import Commands

# Beaker warns about corrupt sessions, and names their ids.
pytestmark = pytest.mark.filterwarnings("ignore:Invalidating corrupt session")

_SECRET = "a secret of the site"


def _login(visitor: Visitor) -> None:
    """Log in without changing the session id, as most applications do."""
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
    """Fixation: the attacker gives the victim an id and waits for the login."""

    def _attack(self, options: Options, id_: str) -> object:
        site = Site(options)
        victim = site.visitor(id_)
        _login(victim)
        return site.visitor(id_).read().get("user")

    def test_a_chosen_id(self, beakers: Options, ours: Options) -> None:
        """Beaker adopts an id that the attacker invented; MongoSession creates a new one."""
        assert "ann" == self._attack(beakers, "chosen")
        assert self._attack(ours, "chosen") is None

    def test_an_id_of_the_attackers_own_with_a_secret(
        self, beakers: Options, ours: Options
    ) -> None:
        """A signed id of a session that has ended is not adopted for a login."""

        def attack(options: Options) -> object:
            # The cookie of the attacker's own session stays signed after the session has ended.
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
        """A valid signature over an unknown id does not create a session."""
        signature = hmac.new(_SECRET.encode(), b"chosen", hashlib.sha1).hexdigest()
        signed = f"{signature}chosen"
        assert "ann" == self._attack(beakers | {"secret": _SECRET}, signed)
        assert self._attack(ours | {"secret": _SECRET}, signed) is None

    def test_a_live_session_of_the_attacker(self, beakers: Options, ours: Options) -> None:
        """After regenerate_id, the attacker's copy of the old id has no session."""

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
    """Replay: the attacker uses a stolen id after the session has ended."""

    def _attack(self, options: Options, end: Any) -> object:
        site = Site(options)
        victim = site.visitor()
        _login(victim)
        stolen = victim.cookie
        victim.request(end)
        return site.visitor(stolen).read().get("user")

    @pytest.mark.parametrize("end", [_invalidate, _regenerate])
    def test_of_an_id(self, beakers: Options, ours: Options, end: Any) -> None:
        """The old id is still logged in with Beaker, and unknown with MongoSession."""
        assert "ann" == self._attack(beakers, end)
        assert self._attack(ours, end) is None

    def test_after_a_logout(self, beakers: Options, ours: Options, database: Db) -> None:
        """A logout leaves a document with Beaker, and none with MongoSession."""
        assert self._attack(beakers, _delete) is None
        assert 1 == database.backer_cache.count_documents({})
        assert self._attack(ours, _delete) is None
        assert 0 == database.sessions.count_documents({})

    def test_by_a_request_that_outlives_the_logout(self, beakers: Options, ours: Options) -> None:
        """A request that saves after the logout does not restore the login."""

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
        """A timed-out session stays stored with Beaker; MongoSession deletes it when it is read."""
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
    """The attacker sends any text as a session id."""

    def test_a_pattern_reaches_beakers_database(self, beakers: Options, database: Db) -> None:
        """Beaker uses the id as a regular expression: .* deletes all sessions."""
        with pytest.raises(pymongo.errors.OperationFailure):
            Site(beakers | {"invalidate_corrupt": False}).visitor("(").read()
        database.backer_cache.insert_one({"_id": "victim:session", "expiration": 1})
        Site(beakers).visitor(".*").read()
        assert 0 == database.backer_cache.count_documents({})

    @pytest.mark.parametrize("id_", HOSTILE_IDS.values(), ids=HOSTILE_IDS)
    def test_it_finds_no_session_and_is_not_adopted(
        self, ours: Options, database: Db, commands: Commands, id_: str
    ) -> None:
        """A hostile id is compared as text, finds no session and is replaced."""
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
                assert {"_id": id_} == event.command["filter"]

    @pytest.mark.parametrize("id_", [["victim"], {"$gt": ""}, 7, b"victim", None, True])
    def test_ids_that_are_no_text(self, ours: Options, id_: Any) -> None:
        """An id that is not a text finds no session."""
        store = {name: item for name, item in ours.items() if name != "session_class"}
        SessionStore(store).set("victim", {"user": "ann"})
        session = MongoSession({}, id=id_, **store)
        assert session.is_new
        assert "user" not in session

    def test_a_prefix_of_an_id(self, beakers: Options, ours: Options, database: Db) -> None:
        """Beaker finds sessions by a prefix of their id; MongoSession does not."""
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
        """A document whose id is not a text is never a session."""
        for id_ in (7, {"a": 1}):
            database.sessions.insert_one({"_id": id_, "session": {"user": "ann"}})
        for text in ("7", '{"a": 1}', "{'a': 1}"):
            assert {} == Site(ours).visitor(text).read()


class TestLeaks:
    """The attacker can read the database, the log or an error page."""

    def test_digests_are_no_ids(self, ours: Options, database: Db) -> None:
        """With transformId, a stored id cannot be used as a cookie."""
        for store, user in (({}, "ann"), ({"transformId": "sha256"}, None)):
            database.sessions.delete_many({})
            site = Site(ours | {"store": store})
            _login(site.visitor())
            stolen = only_document(database)["_id"]
            assert user == site.visitor(stolen).read().get("user")

    def test_a_corrupt_session_is_not_named(
        self, beakers: Options, ours: Options, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Beaker's warning about a corrupt session contains its id; ours does not."""
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
