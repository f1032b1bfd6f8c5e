"""Attacks by someone who can write to the database and wants to run code, or to be another user."""

import base64
import datetime
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from beaker.crypto import CRYPTO_MODULES, noencryption
from bson.binary import Binary

from beaker_mongo_soajs import ConfigError, SerializationError
from tests.application import KEYS, Site, only_document
from tests.conftest import Db, Options

# Beaker warns about corrupt sessions, and names their ids.
pytestmark = pytest.mark.filterwarnings("ignore:Invalidating corrupt session")

_DAY = datetime.timedelta(days=1)


class _Touches:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


class _Person:
    """A class of the application."""


class TestPlants:
    """The attacker can write to the database and wants to run code."""

    def test_a_pickle(self, beakers: Options, ours: Options, database: Db, tmp_path: Path) -> None:
        """A planted pickle is loaded by Beaker, and not by MongoSession."""
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
    @pytest.mark.parametrize("keys", [{}, KEYS], ids=["plain", "encrypted"])
    def test_a_pickle_in_any_field(
        self, ours: Options, database: Db, tmp_path: Path, serializer: str, keys: Options
    ) -> None:
        """A pickle in any field and form of a document is not loaded, encrypted or not."""
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
        """If Beaker has no library that encrypts, encrypt_key is a ConfigError."""
        monkeypatch.setitem(CRYPTO_MODULES, "cryptography", noencryption)
        with pytest.raises(ConfigError, match="found no encryption library"):
            Site(ours | KEYS).visitor().read()

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
        """Without a library that encrypts, a pickle behind a nonce is not loaded."""
        monkeypatch.setitem(CRYPTO_MODULES, "cryptography", noencryption)
        attack = base64.b64encode(pickle.dumps(_Touches(tmp_path / "written"), 2)).decode()
        nonce = base64.b64encode(bytes(16)).decode()
        database.sessions.insert_one({"_id": "planted", "session": nonce + attack})
        site = Site((ours if with_class else options) | KEYS)
        with suppress(ConfigError):
            site.visitor("planted").read()
        assert [] == list(tmp_path.iterdir())

    def test_plain_session_instead_of_ciphertext(self, ours: Options, database: Db) -> None:
        """With encrypt_key, a planted session that is not encrypted is refused."""
        forged = {"user": "admin"}
        database.sessions.insert_one({"_id": "planted", "session": forged})
        assert forged == Site(ours).visitor("planted").read()
        assert {} == Site(ours | KEYS).visitor("planted").read()
        with pytest.raises(SerializationError, match="not encrypted"):
            Site(ours | KEYS | {"invalidate_corrupt": False}).visitor("planted").read()

    def test_ciphertext_of_another_session(self, ours: Options, database: Db) -> None:
        """With signingKey, ciphertext is only valid under its own session id."""
        for store, stolen in (({}, {"user": "ann"}), ({"signingKey": "0123456789abcdef" * 2}, {})):
            site = Site(ours | KEYS | {"store": store})
            victim, attacker = site.visitor(), site.visitor()
            victim.save(user="ann")
            attacker.save(user="eve")
            document = database.sessions.find_one({"_id": victim.cookie})
            assert document is not None
            del document["_id"]
            database.sessions.update_one({"_id": attacker.cookie}, {"$set": document})
            assert stolen == attacker.read()

    def test_ciphertext_of_another_application(self, ours: Options, database: Db) -> None:
        """With signingKey, ciphertext of another collection with the same keys is refused."""
        signed = ours | KEYS | {"store.signingKey": "0123456789abcdef"}
        victim = Site(signed | {"collection": "others"}).visitor()
        victim.save(user="admin")
        document = database.others.find_one()
        assert document is not None
        database.sessions.insert_one(document)
        assert {} == Site(signed).visitor(victim.cookie).read()

    def test_pickle_of_another_database(self, ours: Options, database: Db) -> None:
        """With signingKey, a pickle of another database with the same key is refused."""
        signed = ours | {"store.signingKey": "0123456789abcdef", "store.pickle": True}
        other = database.client[f"{database.name}_2"]
        try:
            victim = Site(signed | {"name": other.name}).visitor()
            victim.save(user=_Person())
            document = other.sessions.find_one()
        finally:
            database.client.drop_database(other)
        assert document is not None
        database.sessions.insert_one(document)
        assert {} == Site(signed).visitor(victim.cookie).read()

    def test_a_rotated_signing_key(self, ours: Options) -> None:
        """A session that an old signingKey signed is read while that key is in the list."""
        for more in (KEYS, {"store.pickle": True}):
            options = ours | more
            visitor = Site(options | {"store.signingKey": "old" * 10}).visitor()
            visitor.save(user="ann", person=None if more is KEYS else _Person())
            without = Site(options | {"store.signingKey": "new" * 10})
            assert {} == without.visitor(visitor.cookie).read()
            rotated = Site(options | {"store.signingKey": ["new" * 10, "old" * 10]})
            assert "ann" == rotated.visitor(visitor.cookie).read()["user"]

    def test_ciphertext_that_was_changed(self, ours: Options, database: Db) -> None:
        """Ciphertext with a changed bit is refused, and the visitor is logged out."""
        visitor = Site(ours | KEYS).visitor()
        visitor.save(user="ann")
        document = only_document(database)
        text = document["session"]
        data = bytearray(base64.b64decode(text[24:]))
        data[-3] ^= 1
        changed = text[:24] + base64.b64encode(data).decode()
        database.sessions.update_one({}, {"$set": {"session": changed}})
        assert {} == visitor.read()
