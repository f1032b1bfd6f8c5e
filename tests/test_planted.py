"""What a document, an id or a log line may not do."""

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
from pymongo.database import Database

from beaker_mongo_soajs import MongoNamespaceManager, SerializationError
from tests.application import Site, only_document

Options = dict[str, Any]
Db = Database[dict[str, Any]]

_DAY = datetime.timedelta(days=1)


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
