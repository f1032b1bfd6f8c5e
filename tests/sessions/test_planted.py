"""Planted documents and ids, and the contents of log lines."""

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

from beaker_mongo_soajs import ConfigError, SerializationError, SessionStore
from beaker_mongo_soajs.namespace import SessionNamespaceManager
from tests.application import Site, only_document
from tests.conftest import Db, Options
from tests.recorder import Commands

_DAY = datetime.timedelta(days=1)


class TestSecurity:
    """Documents and ids that an attacker chose."""

    def test_planted_pickle_is_not_loaded(
        self, options: Options, database: Db, tmp_path: Path
    ) -> None:
        """A pickle planted in any field or form of a document is not loaded, and stays stored."""
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
        """With store.transformId, no stored id can be used as a cookie."""
        site = Site(options | {"store.transformId": "sha256"})
        visitor = site.visitor()
        visitor.save(user="ann")
        document = only_document(database)
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
        """A session id is compared as text: patterns, operators and expressions do not work."""
        Site(options).visitor().save(user="ann")
        namespace = SessionNamespaceManager(session_id, **options)
        with pytest.raises(KeyError):
            namespace["session"]
        assert database.sessions.count_documents({}) == 1

    def test_forged_ciphertext_is_not_opened(
        self, options: Options, database: Db, tmp_path: Path
    ) -> None:
        """Ciphertext without authentication is refused: it can be forged to run code."""
        target = tmp_path / "written"
        # Beaker's name for pycryptodome which 1.12 and 1.13 know as well.
        keys = {"encrypt_key": "k" * 10, "validate_key": "v" * 10, "crypto_type": "pycrypto"}
        signed = (
            options | keys | {"store.signingKey": "the key that signs", "invalidate_corrupt": False}
        )
        visitor = Site(signed).visitor()
        visitor.save(user="ann")
        assert visitor.read() == {"user": "ann"}
        text = only_document(database)["session"]
        attack = f"cpathlib\nPath\n(V{target}\ntR(dbi_touch\n.".encode()
        known = pickle.dumps({"_domain": None, "_path": "/"}, 2)
        forged = bytearray(base64.b64decode(text[24:]))
        for place, (old, new) in enumerate(zip(known, attack, strict=False)):
            forged[place] ^= old ^ new
        session = text[:24] + base64.b64encode(bytes(forged)).decode()
        database.sessions.update_one({}, {"$set": {"session": session}})
        with pytest.raises(SerializationError, match="signature"):
            Site(signed).visitor(visitor.cookie).read()
        unsigned = options | keys | {"invalidate_corrupt": False}
        with pytest.raises(ConfigError, match="can be forged"):
            Site(unsigned).visitor(visitor.cookie).read()
        with pytest.raises(ConfigError, match="can be forged"):
            Site(unsigned).visitor().save(user="ann")
        assert not target.exists()

    @pytest.mark.parametrize(
        "session_id", ["", "x" * 257, "a\0b", "\ud800", "a\nb", 5, None, {"$gt": ""}], ids=type
    )
    def test_impossible_ids_are_refused(self, options: Options, session_id: Any) -> None:
        """An id that cannot be a session id is an error, and is not sent to the database."""
        namespace = SessionNamespaceManager(session_id, **options)
        with pytest.raises(SerializationError, match="session id"):
            namespace["session"]

    def test_longest_id(self, options: Options) -> None:
        """An id of 256 characters is possible."""
        store = SessionStore(options)
        store.set("x" * 256, {"user": "ann"})
        assert {"user": "ann"} == store.get("x" * 256)

    def test_impossible_cookies_get_a_new_id(self, options: Options, commands: Commands) -> None:
        """A cookie that cannot hold a session id is replaced, without a warning."""
        visitor = Site(options).visitor("x" * 3000)
        assert visitor.read() == {}
        assert commands.names == []
        visitor.save(user="ann")
        assert len(visitor.cookie or "") == 32
        assert visitor.read() == {"user": "ann"}

    def test_no_session_id_or_data_in_logs_and_reprs(
        self, options: Options, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Log lines contain neither a whole session id nor session data."""
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
        namespace = SessionNamespaceManager(str(visitor.cookie), **options)
        assert str(visitor.cookie) not in repr(namespace)


class _Writes:
    """An object whose pickle writes a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (Path.touch, (self.target,))
