"""The exact commands of each kind of request."""

from typing import Any

import bson
import pytest

from tests.behaviour.conftest import Clock
from tests.behaviour.scenarios import (
    LOGOUT,
    Change,
    Site,
    ThreadServer,
)
from tests.conftest import Db, Options
from tests.proxy import TcpProxy
from tests.recorder import Commands


class TestCommands:
    """The exact commands of each kind of request."""

    @pytest.fixture
    def site(self, all_options: Options, commands: Commands) -> Site:
        """Return a site that writes the times with each request."""
        return Site(all_options | {"store.touchAfter": 0})

    @pytest.fixture
    def cookie(self, site: Site, commands: Commands) -> str:
        """Return the cookie of a new session, and forget the commands so far."""
        cookie = site.begin_session(user="ann", old=1)
        commands.clear()
        return cookie

    def stored(self, database: Db) -> dict[str, Any]:
        """Return the only document unchanged."""
        (document,) = database.sessions.find()
        return document

    def filters(self, commands: Commands) -> list[Any]:
        """Return the filter of each command."""
        found: list[Any] = []
        for event in commands.started:
            command = event.command
            if event.command_name == "find":
                found.append(command["filter"])
            else:
                (part,) = command["updates" if event.command_name == "update" else "deletes"]
                found.append(part["q"])
        return found

    def update(self, commands: Commands) -> dict[str, Any]:
        """Return the update of the second command, without what makes it fail at a tombstone."""
        (part,) = commands.started[1].command["updates"]
        assert not part.get("upsert")
        assert not part.get("multi")
        update = dict(part["u"])
        assert {"moved_to": 1} == update.pop("$pop")
        return update

    def test_new_session(self, site: Site, commands: Commands, database: Db) -> None:
        """A new session costs one insert."""
        assert [] == site.serve().cookies or commands.names
        cookie = site.begin_session(user="ann")
        assert ["insert"] == commands.names
        (document,) = commands.started[0].command["documents"]
        assert self.stored(database)["_id"] == cookie == document["_id"]
        commands.clear()
        site.begin_session(user="bob")
        assert ["insert"] == commands.names

    def test_request_that_reads(
        self, site: Site, cookie: str, commands: Commands, database: Db, *, stringify: bool
    ) -> None:
        """A request that only reads costs a find and an update that moves the times forward."""
        text = self.stored(database)["session"]
        site.read(cookie)
        assert ["find", "update"] == commands.names
        if stringify:
            assert [{"_id": cookie}, {"_id": cookie, "session": text}] == self.filters(commands)
            assert {"$set", "$max"} == self.update(commands).keys()
        else:
            assert [{"_id": cookie}, {"_id": cookie}] == self.filters(commands)
            document = self.stored(database)
            update = self.update(commands)
            assert {"$max"} == update.keys()
            times = {
                "session._accessed_time": document["session"]["_accessed_time"],
                "expires": document["expires"],
            }
            # MongoDB stores dates in milliseconds.
            assert times == bson.decode(bson.encode(update["$max"]))

    def test_request_that_changes(
        self, site: Site, cookie: str, commands: Commands, database: Db, *, stringify: bool
    ) -> None:
        """A request that changes its session costs a find and an update of the changed keys."""
        text = self.stored(database)["session"]
        site.serve(cookie, Change({"user": "bob"}, removed=("old",)))
        assert ["find", "update"] == commands.names
        update = self.update(commands)
        if stringify:
            assert [{"_id": cookie}, {"_id": cookie, "session": text}] == self.filters(commands)
            assert {"session": self.stored(database)["session"]} == update["$set"]
            assert {"expires"} == update["$max"].keys()
        else:
            assert [{"_id": cookie}, {"_id": cookie}] == self.filters(commands)
            assert {"session.user": "bob"} == update["$set"]
            assert {"session.old": ""} == update["$unset"]
            assert {"session._accessed_time", "expires"} == update["$max"].keys()
            assert {"$set", "$unset", "$max"} == update.keys()

    def test_deleting_a_key_is_a_change(self, site: Site, cookie: str, commands: Commands) -> None:
        """A request that only deletes a key costs a find and an update, and the key is removed."""
        site.serve(cookie, Change(removed=("old",)))
        assert ["find", "update"] == commands.names
        assert {"user": "ann"} == site.read(cookie)

    def test_logout(self, site: Site, cookie: str, commands: Commands) -> None:
        """A request that deletes its session costs a find and a delete."""
        site.serve(cookie, LOGOUT)
        assert ["find", "delete"] == commands.names
        not_moved = {"_id": cookie, "moved_to": {"$exists": False}}
        assert [{"_id": cookie}, not_moved] == self.filters(commands)

    def test_request_within_touch_after(
        self, all_options: Options, commands: Commands, clock: Clock
    ) -> None:
        """Within touchAfter, a request that only reads costs one find; later it also updates."""
        site = Site(all_options | {"store.touchAfter": 60, "timeout": 600})
        cookie = site.begin_session(user="ann")
        for seconds, expected in ((59, ["find"]), (2, ["find", "update"]), (59, ["find"])):
            clock.now += seconds
            commands.clear()
            assert {"user": "ann"} == site.read(cookie)
            assert expected == commands.names
            assert {"_id": cookie} == self.filters(commands)[0]

    def test_change_within_touch_after(
        self, all_options: Options, commands: Commands, clock: Clock
    ) -> None:
        """Within touchAfter, a request that changes its session costs the usual commands."""
        site = Site(all_options | {"store.touchAfter": 60})
        cookie = site.begin_session(user="ann")
        commands.clear()
        site.serve(cookie, Change({"user": "bob"}))
        assert ["find", "update"] == commands.names
        assert {"user": "bob"} == site.read(cookie)

    def test_conflicting_text(self, options: Options, commands: Commands) -> None:
        """With stringify, a conflicting save reads the newer text and merges: two more commands."""
        with ThreadServer(options | {"stringify": True}) as server:
            cookie = server.site.begin_session(a=1)
            slow = server.begin(cookie, Change({"b": 2}))
            server.site.serve(cookie, Change({"a": 3}))
            commands.clear()
            slow.go()
            slow.answer()
            assert ["update", "find", "update"] == commands.names
            assert {"a": 3, "b": 2} == server.site.read(cookie)

    def test_one_changed_key_of_a_large_session(
        self, proxy: TcpProxy, database_name: str, commands: Commands
    ) -> None:
        """A change of one key in a session of 200 keys and 100 kB sends less than 1 kB."""
        options = {"url": proxy.url, "name": database_name, "URLParam.heartbeatFrequencyMS": 60_000}
        site = Site(options)
        cookie = site.begin_session(**{f"key{number:03}": "x" * 500 for number in range(200)})
        site.read(cookie)
        commands.clear()
        sent_before = proxy.bytes_to_server
        site.serve(cookie, Change({"key100": "y" * 500}))
        sent = proxy.bytes_to_server - sent_before
        assert ["find", "update"] == commands.names
        assert 500 < len(bson.encode(commands.started[1].command)) < 1000
        assert 500 < sent < 1400, "more than the find and the update"
        assert "y" * 500 == site.read(cookie)["key100"]
