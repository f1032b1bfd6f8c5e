"""Machines whose clock is wrong: sessions count by the server's clock."""

import datetime
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.mongo import documents
from tests.application import Site, only_document
from tests.conftest import Client, Db, Options, RunPython
from tests.mongo_session.support import VARIANTS, age
from tests.recorder import Commands

HOUR = 3600.0
TIMEOUT = 600
Machine = Callable[[float], AbstractContextManager[None]]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a context in which this machine's clock is wrong, by a number of seconds."""
    utc_now, now = documents.utc_now, time.time
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("beaker_mongo_soajs") and vars(module).get("utc_now") is utc_now
    ]

    @contextmanager
    def wrong_clock(seconds: float) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: now() + seconds)
            for module in modules:
                patch.setattr(
                    module, "utc_now", lambda: utc_now() + datetime.timedelta(seconds=seconds)
                )
            yield

    return wrong_clock


def seconds_left(database: Db) -> float:
    """Return how long the only document still lives."""
    left: datetime.timedelta = only_document(database)["expires"] - documents.utc_now()
    return left.total_seconds()


@pytest.mark.parametrize("hours", [1, -1], ids=["ahead", "behind"])
@pytest.mark.parametrize("name", ["native", "text", "json", "encrypted"])
class TestWrongClocks:
    """A machine whose clock is an hour ahead or behind, and one whose clock is right."""

    @pytest.fixture
    def site(self, kind_options: Options, name: str) -> Site:
        """Return a site whose sessions have an idle timeout."""
        store = VARIANTS[name].get("store", {}) | {"touchAfter": 0}
        return Site(kind_options | VARIANTS[name] | {"timeout": TIMEOUT, "store": store})

    def test_the_idle_timeout_counts(
        self, site: Site, database: Db, machine: Machine, hours: int
    ) -> None:
        """A session that began on a machine with a wrong clock ends after its idle timeout."""
        visitor = site.visitor()
        with machine(hours * HOUR):
            visitor.save(n=1)
        assert TIMEOUT - 5 < seconds_left(database) < TIMEOUT + 150
        assert {"n": 1} == visitor.read()
        with machine(hours * HOUR):
            assert {"n": 1} == visitor.read()
        age(database, TIMEOUT + 130)
        assert {} == visitor.read()

    def test_no_visitor_is_logged_out(
        self, site: Site, database: Db, machine: Machine, hours: int
    ) -> None:
        """A machine with a wrong clock does not end sessions, and moves their times."""
        visitor = site.visitor()
        visitor.save(n=1)
        age(database, TIMEOUT / 2)
        with machine(hours * HOUR):
            assert {"n": 1} == visitor.read()
            visitor.save(m=2)
            assert {"n": 1, "m": 2} == visitor.read()
        assert TIMEOUT - 5 < seconds_left(database) < TIMEOUT + 150
        assert {"n": 1, "m": 2} == visitor.read()


class TestTimesAhead:
    """Access times that lie in the future, however they came into the database."""

    def test_are_replaced(
        self, kind_options: Options, options: Options, *, stringify: bool
    ) -> None:
        """The next request replaces an access time that lies in the future by its own."""
        store = SessionStore(options | {"stringify": stringify})
        store.set("an-id", {"n": 1, "_accessed_time": time.time() + HOUR})
        site = Site(kind_options | {"stringify": stringify, "timeout": TIMEOUT})
        assert {"n": 1} == site.visitor("an-id").read()
        session = store.get("an-id")
        assert session is not None
        assert abs(session["_accessed_time"] - time.time()) < 5

    def test_are_not_shown(self, kind_options: Options, options: Options) -> None:
        """To an application, such a session was used just now."""
        SessionStore(options).set("an-id", {"n": 1, "_accessed_time": time.time() + HOUR})
        visitor = Site(kind_options).visitor("an-id")
        last_accessed = visitor.request(lambda session: session.last_accessed)
        assert abs(last_accessed - time.time()) < 5

    def test_names_that_no_path_can_hold(self, options: Options, database: Db) -> None:
        """A save that replaces the whole session replaces such a time, too."""
        store = SessionStore(options)
        store.set("a", {"_accessed_time": time.time() + HOUR})
        record = store.record()
        session = record.find("a")
        record.save("a", session | {"a.b": 1, "_accessed_time": time.time()})
        assert abs(only_document(database)["session"]["_accessed_time"] - time.time()) < 5


class TestReadings:
    """Where the time comes from."""

    def test_no_command_is_sent(self, options: Options, commands: Commands) -> None:
        """PyMongo's own checks of the server bring its time: a request costs no command more."""
        store = SessionStore(options)
        store.get("a")
        assert ["find"] == commands.names
        assert store._collection.clock_reading.seconds() is not None

    def test_client_of_the_application(
        self, options: Options, database: Db, machine: Machine
    ) -> None:
        """An application's own client is asked, at most once a minute."""
        with Client(options["url"]) as client, machine(HOUR):
            store = SessionStore({"client": client, "name": options["name"]}, timeout=TIMEOUT)
            store.set("a", {"n": 1})
        assert TIMEOUT - 5 < seconds_left(database) < TIMEOUT + 150

    def test_first_command_of_a_process(
        self, options: Options, database: Db, run_python: RunPython
    ) -> None:
        """A process whose clock is an hour ahead stores right dates with its first command."""
        code = f"""
        import datetime, time
        real, now = time.time, datetime.datetime
        time.time = lambda: real() + {HOUR}

        class Ahead(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return now.now(tz) + datetime.timedelta(seconds={HOUR})

        datetime.datetime = Ahead
        from beaker_mongo_soajs import MongoSession

        session = MongoSession({{}}, timeout={TIMEOUT}, **{options!r})
        session["n"] = 1
        session.save()
        """
        run_python(code)
        assert TIMEOUT - 5 < seconds_left(database) < TIMEOUT + 150
        age_seconds = time.time() - only_document(database)["session"]["_accessed_time"]
        assert -5 < age_seconds < 60
