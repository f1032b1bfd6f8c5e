"""Sessions that Beaker encrypts or serializes, of both kinds."""

import datetime
from typing import Any

import pytest
from beaker.session import Session
from beaker.util import JsonSerializer

from beaker_mongo_soajs import MongoSession, SerializationError
from tests.application import KEYS, Site, only_document
from tests.conftest import Db, Options
from tests.recorder import Commands


def test_commands(kind_options: Options, commands: Commands) -> None:
    """A new encrypted session costs one command, a change two, a request that reads one."""
    visitor = Site(kind_options | KEYS).visitor()
    visitor.save(n=1)
    assert ["insert"] == commands.names
    commands.clear()
    visitor.save(n=2)
    assert ["find", "update"] == commands.names
    (part,) = commands.started[1].command["updates"]
    assert {"_id", "session"} == part["q"].keys()
    commands.clear()
    assert {"n": 2} == visitor.read()
    assert ["find"] == commands.names


def test_a_later_end_is_kept(kind_options: Options, database: Db) -> None:
    """A save of an encrypted session does not move its end back."""
    visitor = Site(kind_options | KEYS).visitor()
    visitor.save(n=1)
    later = only_document(database)["expires"] + datetime.timedelta(days=1)
    database.sessions.update_one({}, {"$set": {"expires": later}})
    visitor.save(n=2)
    assert later == only_document(database)["expires"]


def test_a_read_beside_a_save(kind_options: Options, caplog: pytest.LogCaptureFixture) -> None:
    """A request that only read leaves a newer save alone, and may save later on."""
    site = Site(kind_options | KEYS | {"store.touchAfter": 0})
    visitor = site.visitor()
    visitor.save(n=1)
    other = site.visitor(visitor.cookie)

    def act(session: Any) -> None:
        assert 1 == session["n"]
        other.save(n=2)
        session._session().save(accessed_only=True)
        assert {"n": 2} == other.read()
        session["n"] = 3
        session.save()

    visitor.request(act)
    assert {"n": 3} == visitor.read()
    assert "dropped" not in caplog.text


def test_how_often_a_save_encrypts(
    kind: type[Session], kind_options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save encrypts once; Beaker's Session does so before its cookie's options are left out."""
    texts: list[str] = []
    encrypt = Session._encrypt_data

    def counted(session: Session, *arguments: Any) -> str:
        texts.append(encrypt(session, *arguments))
        return texts[-1]

    visitor = Site(kind_options | KEYS).visitor()
    visitor.save(n=1)
    monkeypatch.setattr(Session, "_encrypt_data", counted)
    visitor.save(n=2)
    assert (2 if kind is Session else 1) == len(texts)


def test_a_second_save(kind: type[Session], options: Options, commands: Commands) -> None:
    """With a serializer of the application, a save without changes after a save is no command."""
    more: Options = {"type": "ext:mongodb_soajs", "use_cookies": False}
    session: Any = kind({}, data_serializer=JsonSerializer(), **(options | more))
    session["n"] = 1
    session.save()
    session.save()
    assert ["insert"] == commands.names


def test_a_value_that_cannot_be_stored(kind_options: Options, database: Db) -> None:
    """The error for a value that cannot be pickled names its path, and nothing is stored."""
    visitor = Site(kind_options | KEYS).visitor()
    with pytest.raises(SerializationError, match=r"session\['a'\]"):
        visitor.save(a=lambda: None)
    assert 0 == database.sessions.count_documents({})


def test_a_session_without_times(kind_options: Options, database: Db) -> None:
    """A session of another program, which has no times, gets a time of its creation."""
    visitor = Site(kind_options).visitor()
    visitor.save(n=1)
    unset = {"session._creation_time": "", "session._accessed_time": ""}
    database.sessions.update_one({}, {"$unset": unset})
    assert visitor.request(lambda session: session.created) > 1e9
    before = only_document(database)["session"]
    visitor.save(n=2)
    assert before.keys() <= only_document(database)["session"].keys()


@pytest.mark.parametrize("content", [["user", "ann"], {"n": 1, "_accessed_time": "soon"}], ids=str)
def test_a_ciphertext_of_something_else(options: Options, database: Db, content: Any) -> None:
    """A ciphertext that is not that of a session is an error, and stays as it is."""
    own = {"session_class": MongoSession, "invalidate_corrupt": False}
    visitor = Site(options | KEYS | own).visitor()
    visitor.save(n=1)
    text = visitor.request(lambda session: session._session()._encrypt_data(content))
    database.sessions.update_one({}, {"$set": {"session": text}})
    with pytest.raises(SerializationError, match="decrypted text is not a session"):
        visitor.read()
    assert text == only_document(database)["session"]
