"""The commands of each kind of request."""

import datetime
import time

import pytest
from beaker.session import SessionObject

from beaker_mongo_soajs import (
    MongoSession,
)
from beaker_mongo_soajs.mongo.documents import utc_now
from tests.application import only_document
from tests.conftest import Db, Options
from tests.mongo_session.support import VARIANTS, MakeSite, age, login
from tests.plain_server import needs_mongodb
from tests.recorder import Commands


class TestCommands:
    """The commands of each kind of request."""

    @needs_mongodb
    def test_a_request_that_reads(
        self, make_site: MakeSite, commands: Commands, database: Db
    ) -> None:
        """A request that only reads costs one find, and moves old times with one update more."""
        visitor = make_site(timeout=600).visitor()
        visitor.save(n=1)
        commands.clear()
        assert {"n": 1} == visitor.read()
        assert ["find"] == commands.names
        (event,) = commands.started
        assert {"_id": visitor.cookie} == event.command["filter"]
        age(database, 60)
        commands.clear()
        assert {"n": 1} == visitor.read()
        assert ["find", "update"] == commands.names
        (part,) = commands.started[1].command["updates"]
        assert {"_id": visitor.cookie} == part["q"]
        assert {"$max", "$pop"} == part["u"].keys()
        assert {"moved_to": 1} == part["u"]["$pop"]
        assert {"session._accessed_time", "expires"} == part["u"]["$max"].keys()

    @needs_mongodb
    @pytest.mark.parametrize(
        ("level", "expected"), [(None, None), ("local", {"level": "local"})], ids=str
    )
    def test_read_concern(
        self,
        make_site: MakeSite,
        commands: Commands,
        level: str | None,
        expected: dict[str, str] | None,
    ) -> None:
        """A read has the configured read concern, and none without one."""
        make_site(URLParam={"readConcernLevel": level}).visitor("x" * 32).read()
        assert [("find", expected)] == [
            (event.command_name, event.command.get("readConcern")) for event in commands.started
        ]

    def test_exact_times(self, make_site: MakeSite, commands: Commands) -> None:
        """With touchAfter 0, a request that only reads moves the times."""
        visitor = make_site(timeout=600, store={"touchAfter": 0}).visitor()
        visitor.save(n=1)
        commands.clear()
        visitor.read()
        assert ["find", "update"] == commands.names

    def test_a_request_that_changes(self, make_site: MakeSite, commands: Commands) -> None:
        """A change costs one more command, and sends no cookie."""
        visitor = make_site().visitor()
        visitor.save(n=1)
        commands.clear()
        visitor.save(n=2)
        assert (["find", "update"], []) == (commands.names, visitor.set_cookies)

    @pytest.mark.parametrize("key", ["n", "a.b"], ids=["operators", "swap"])
    def test_a_change_does_not_move_recent_times(
        self, make_site: MakeSite, commands: Commands, database: Db, key: str
    ) -> None:
        """A change within touchAfter of the last touch does not move the times."""
        visitor = make_site(timeout=600).visitor()
        visitor.save_items({key: 1})
        before = only_document(database)
        commands.clear()
        visitor.save_items({key: 2})
        update = str(commands.started[1].command["updates"][0]["u"])
        assert "expires" not in update
        assert key == "a.b" or "_accessed_time" not in update
        after = only_document(database)
        assert before["expires"] == after["expires"]
        assert before["session"]["_accessed_time"] == after["session"]["_accessed_time"]
        assert {key: 2} == visitor.read()

    @pytest.mark.parametrize("key", ["n", "a.b"], ids=["operators", "swap"])
    def test_a_change_moves_old_times(
        self, make_site: MakeSite, commands: Commands, database: Db, key: str
    ) -> None:
        """A change moves times that are older than touchAfter, in the same command."""
        visitor = make_site(timeout=600).visitor()
        visitor.save_items({key: 1})
        age(database, 60)
        commands.clear()
        visitor.save_items({key: 2})
        assert ["find", "update"] == commands.names
        document = only_document(database)
        assert document["session"]["_accessed_time"] > time.time() - 30
        assert document["expires"] - utc_now() > datetime.timedelta(seconds=700)

    def test_a_request_that_saves_no_change(self, make_site: MakeSite, commands: Commands) -> None:
        """A save without changes costs no command beside the load."""
        visitor = make_site().visitor()
        visitor.save(n=1)
        commands.clear()
        visitor.save(n=1)
        assert ["find"] == commands.names

    def test_a_login(self, make_site: MakeSite, commands: Commands) -> None:
        """A login with a new id costs three commands beside the load."""
        visitor = make_site().visitor()
        visitor.save(n=1)
        commands.clear()
        visitor.request(login)
        assert ["find", "findAndModify", "insert", "update"] == commands.names

    def test_touch_after(self, make_site: MakeSite, commands: Commands, database: Db) -> None:
        """Within touchAfter a request that only reads writes nothing; later it writes the times."""
        visitor = make_site(timeout=600, store={"touchAfter": 60}).visitor()
        visitor.save(n=1)
        commands.clear()
        visitor.read()
        assert ["find"] == commands.names
        age(database, 61)
        commands.clear()
        visitor.read()
        visitor.read()
        assert ["find", "update", "find"] == commands.names

    def test_without_times(self, make_site: MakeSite, commands: Commands) -> None:
        """With save_accessed_time off, a request that only reads writes nothing."""
        visitor = make_site(save_accessed_time=False).visitor()
        visitor.save(n=1)
        commands.clear()
        assert {"n": 1} == visitor.read()
        assert ["find"] == commands.names

    @pytest.mark.parametrize("name", ["text", "encrypted"])
    def test_text_and_ciphertext(
        self, make_site: MakeSite, commands: Commands, database: Db, name: str
    ) -> None:
        """JSON text and ciphertext cost the same commands as sub-documents."""
        visitor = make_site(**VARIANTS[name]).visitor()
        visitor.save(n=1)
        commands.clear()
        assert {"n": 1} == visitor.read()
        assert ["find"] == commands.names
        age(database, 120)
        commands.clear()
        assert {"n": 1} == visitor.read()
        assert ["find", "update"] == commands.names

    def test_unknown_and_impossible_ids(self, make_site: MakeSite, commands: Commands) -> None:
        """An unknown id costs one command, an impossible id costs none."""
        site = make_site()
        site.visitor().save(n=1)
        commands.clear()
        assert {} == site.visitor("unknown").read()
        assert ["find"] == commands.names
        commands.clear()
        assert {} == site.visitor("x" * 300).read()
        assert [] == commands.names

    def test_visitors_that_leave_nothing(self, make_site: MakeSite, commands: Commands) -> None:
        """A new visitor who only reads costs no command, and gets no cookie."""
        visitor = make_site().visitor()
        assert {} == visitor.read()
        assert ([], []) == (commands.names, visitor.set_cookies)

    @pytest.mark.parametrize("end", ["delete", "invalidate"])
    def test_endings(self, make_site: MakeSite, commands: Commands, end: str) -> None:
        """Ending a session costs one command besides the load, even if it is ended twice."""
        visitor = make_site().visitor()
        visitor.save(n=1)
        commands.clear()

        def end_twice(session: SessionObject) -> None:
            getattr(session, end)()
            getattr(session, end)()

        visitor.request(end_twice)
        assert ["find", "delete"] == commands.names

    def test_peeks_touch_nothing(
        self, make_site: MakeSite, options: Options, commands: Commands, database: Db
    ) -> None:
        """Reading another session by its id costs one find, and its times do not move."""
        site = make_site(timeout=600)
        visitor = site.visitor()
        visitor.save(n=1)
        before = only_document(database)
        commands.clear()
        found = site.visitor().request(lambda session: dict(session.get_by_id(visitor.cookie)))
        assert (1, ["find"]) == (found["n"], commands.names)
        peek = MongoSession({}, use_cookies=False, id=visitor.cookie, timeout=600, **options)
        assert (1, ["find"] * 2) == (peek["n"], commands.names)
        assert before == only_document(database)

    def test_new_visitors_with_auto(self, make_site: MakeSite, commands: Commands) -> None:
        """With auto, a new session is saved after a read."""
        visitor = make_site(auto=True).visitor()
        visitor.request(lambda session: session.get("n"))
        assert ["insert"] == commands.names
        commands.clear()
        visitor.request(lambda session: session.update(n=1))
        visitor.request(lambda session: session.get("n"))
        assert ["find", "update", "find"] == commands.names
        assert {"n": 1} == visitor.read()
