"""Log records: their fields, and warnings that are repeated at most once a minute."""

import ast
import logging
import re
from typing import Any

import pytest

from beaker_mongo_soajs import MongoSession, SessionStore, log_records
from beaker_mongo_soajs.log_records import forget_warnings, warn
from beaker_mongo_soajs.sessions.stored import StoredId
from tests.application import Site
from tests.conftest import Db, Options
from tests.metrics.causes import FUTURE, SESSION_ID
from tests.repository import ROOT, name_of

logger = logging.getLogger("tests.logs")
LOG_CALL = r"(self\._)?log(ger)?\.(debug|info|warning|error|exception|critical)$"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of warnings."""
    clock = Clock()
    forget_warnings()
    monkeypatch.setattr(log_records, "time", clock)
    return clock


def _warn(number: int, collection: str = "db.sessions") -> None:
    warn(logger, "Bad cookie %s.", number, event="cookie.bad", collection=collection)


class TestLimit:
    """One warning a minute."""

    def test_repeated(self, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
        """A warning is logged once a minute; the next one says how many were left out."""
        for number in range(100):
            _warn(number)
        clock.now += 60
        _warn(100)
        _warn(101)
        forget_warnings()
        _warn(102)
        expected = ["Bad cookie 0.", "Bad cookie 100. (99 more since the last such warning.)"]
        assert [*expected, "Bad cookie 102."] == caplog.messages
        assert {"_warn"} == {record.funcName for record in caplog.records}

    def test_others(self, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
        """A warning does not hold back others, nor that of another collection."""
        _warn(0)
        _warn(1, "db.others")
        warn(logger, "Something else.", event="else")
        assert ["Bad cookie 0.", "Bad cookie 1.", "Something else."] == caplog.messages

    def test_memory(self, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
        """Warnings about any number of collections take a bounded amount of memory."""
        sizes = []
        for number in range(257):
            _warn(number, f"db.{number}")
            _warn(number, f"db.{number}")
            sizes.append((len(log_records._next_times), len(log_records._held_back)))
        assert [(256, 256), (1, 1)] == sizes[-2:]

    def test_bad_sessions(
        self, clock: Clock, options: Options, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A visitor whose session cannot be read causes one warning a minute."""
        database.sessions.insert_one({"_id": SESSION_ID, "session": 5, "expires": FUTURE})
        more: Any = {"session_class": MongoSession, "invalidate_corrupt": True}
        for _ in range(20):
            Site(options | more).visitor(SESSION_ID).read()
        [record] = [record for record in caplog.records if "cannot be read" in record.getMessage()]
        assert "session.unreadable" == record.__dict__["event"]


class TestFields:
    """The fields of log records."""

    def test_dropped(
        self, options: Options, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A dropped save is logged with event, handle and collection, at the level INFO."""
        caplog.set_level(logging.INFO, "beaker_mongo_soajs")
        store = SessionStore(options)
        store.set(SESSION_ID, {"user": "ann"})
        record = store.record()
        session = record.find(SESSION_ID)
        store.destroy(SESSION_ID)
        record.save(SESSION_ID, session | {"cart": 1})
        [line] = [line for line in caplog.records if "dropped" in line.getMessage()]
        handle = StoredId(SESSION_ID).handle[:8]
        fields = {name: line.__dict__[name] for name in ("event", "handle", "collection")}
        expected = {"event": "session.dropped", "handle": handle}
        assert expected | {"collection": f"{database.name}.sessions"} == fields
        assert logging.INFO == line.levelno
        assert SESSION_ID[:8] not in line.getMessage()

    def test_all_records_have_them(self) -> None:
        """Each call of a logger in the package passes the fields."""
        calls = {
            f"{name_of(path)}:{node.lineno}": {keyword.arg for keyword in node.keywords}
            for path in (ROOT / "beaker_mongo_soajs").rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and re.match(LOG_CALL, ast.unparse(node.func))
        }
        assert len(calls) > 5
        assert {} == {place: given for place, given in calls.items() if "extra" not in given}
