"""``beaker-mongo destroy`` and ``clear``."""

import datetime
import json
from typing import Any

import pytest

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.cli import asking
from beaker_mongo_soajs.sessions.stored import StoredId
from tests.cli.conftest import Run
from tests.conftest import Db


class TestDestroy:
    """``beaker-mongo destroy``."""

    def test_handles(self, store: SessionStore, command: Run, database: Db) -> None:
        """The named sessions end, each once, also if they cannot be read, and no others."""
        first, second, *others = store.ids()
        database.sessions.update_one({"_id": first}, {"$set": {"session": 5}})
        names = [StoredId(id_).handle[:8] for id_ in (first, second, first)]
        result = command("destroy", "--yes", *names)
        assert "2 sessions ended.\n" == result.stdout
        assert set(others) == set(store.ids())

    @pytest.mark.parametrize(
        ("arguments", "number"),
        [
            (("--user", "ann"), 2),
            (("--where", "device=phone"), 2),
            (("--user", "ann", "--where", "device=phone"), 1),
            (("--user", "bob"), 1),
            (("--user", "carl"), 0),
        ],
        ids=str,
    )
    def test_selections(
        self, store: SessionStore, command_of_form: Run, arguments: tuple[str, ...], number: int
    ) -> None:
        """--user and --where end what they select; --dry-run only counts."""
        start = ("destroy", *arguments, "--format", "json")
        dry = json.loads(command_of_form(*start, "--dry-run").stdout)
        assert {"found": number, "destroyed": 0} == dry
        assert 4 == store.length()
        plural = "" if number == 1 else "s"
        dry_text = command_of_form("destroy", *arguments, "--dry-run").stdout
        assert f"{number} session{plural} would be ended.\n" == dry_text
        done = json.loads(command_of_form(*start, "--yes").stdout)
        assert {"found": number, "destroyed": number} == done
        assert 4 - number == store.length()

    @pytest.mark.parametrize("arguments", [(), ("0123", "--user", "ann")])
    def test_what_to_end(self, store: SessionStore, command: Run, arguments: Any) -> None:
        """Without handles or a selection, and with both, nothing ends."""
        result = command("destroy", "--yes", *arguments)
        assert 2 == result.exit_code
        assert "Give handles, or --user or --where." in result.stderr
        assert 4 == store.length()

    def test_one_unknown_handle(self, store: SessionStore, command: Run) -> None:
        """If one of the handles is unknown, nothing ends."""
        known = StoredId(next(store.ids())).handle
        assert 1 == command("destroy", "--yes", known, "0" * 40).exit_code
        assert 4 == store.length()

    @pytest.mark.parametrize("arguments", [("destroy", "--user", "ann"), ("clear",)])
    def test_without_a_terminal(self, store: SessionStore, command: Run, arguments: Any) -> None:
        """Without a terminal to ask on, --yes is needed, and standard input is not read."""
        result = command(*arguments, input="y\n")
        assert 2 == result.exit_code
        assert "Give --yes: standard input is no terminal to ask on." in result.stderr
        assert 4 == store.length()

    @pytest.mark.parametrize(
        ("arguments", "answer", "code", "shown", "left"),
        [
            ("destroy --user bob", "y", 0, "1 session ended.\n", 3),
            ("destroy --user carl", "n", 0, "0 sessions ended.\n", 4),
            ("destroy --user ann", "n", 1, "End 2 sessions in {0}.sessions?", 4),
            ("destroy --user ann", "", 130, "End 2 sessions in {0}.sessions?", 4),
            ("clear", "{0}", 0, "all sessions in {0}.sessions.", 0),
            ("clear --expired", "{0}", 0, "the documents of expired sessions in {0}.sessions.", 4),
            ("clear", "A", 1, "Nothing was changed: the name of the database is {0}.", 4),
            ("clear", "z", 1, "Nothing was changed: the name of the database is {0}.", 4),
        ],
    )
    def test_answers(
        self,
        store: SessionStore,
        command: Run,
        database_name: str,
        monkeypatch: pytest.MonkeyPatch,
        arguments: str,
        answer: str,
        code: int,
        shown: str,
        left: int,
    ) -> None:
        """On a terminal, only the right answer ends sessions."""
        monkeypatch.setattr(asking, "_check_terminal", lambda: None)
        result = command(*arguments.split(), input=answer.format(database_name))
        assert code == result.exit_code
        assert shown.format(database_name) in result.output
        assert left == store.length()


class TestClear:
    """``beaker-mongo clear``."""

    def test_everything(self, store: SessionStore, command: Run, database: Db) -> None:
        """All sessions are deleted; the indexes stay."""
        database.sessions.create_index("session.user")
        assert "4 documents deleted.\n" == command("clear", "--yes").stdout
        assert 0 == database.sessions.count_documents({})
        assert "session.user_1" in database.sessions.index_information()

    def test_expired(self, store: SessionStore, command: Run, database: Db) -> None:
        """--expired deletes the documents of expired sessions only."""
        past = datetime.datetime(2020, 1, 1)
        database.sessions.update_one({}, {"$set": {"expires": past}})
        result = command("clear", "--expired", "--yes", "--format", "json")
        assert {"deleted": 1} == json.loads(result.stdout)
        assert 3 == store.length()
        database.sessions.update_one({}, {"$set": {"expires": past}})
        for text in ("1 document deleted.\n", "0 documents deleted.\n"):
            assert text == command("clear", "--expired", "--yes").stdout
