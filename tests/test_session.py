"""MongoSession behind Beaker's own SessionMiddleware: commands, endings, cookies."""

import datetime
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from beaker.session import SessionObject
from pymongo.database import Database

from beaker_mongo_soajs import (
    ConfigError,
    LockTimeout,
    MongoSession,
    SerializationError,
    StoreUnavailable,
)
from beaker_mongo_soajs.collection import utc_now
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.lock import Locks
from tests.application import Site, Visitor, only_document
from tests.conftest import FailPoint
from tests.recorder import Commands

Options = dict[str, Any]
Db = Database[dict[str, Any]]
MakeSite = Callable[..., Site]

# What makes the driver neither ask again nor look for another server.
_REFUSED = 8000
_PAST = datetime.datetime(2020, 1, 1)
_KEYS = {"encrypt_key": "a key", "validate_key": "another", "crypto_type": "cryptography"}
_VARIANTS: dict[str, Options] = {
    "native": {},
    "text": {"stringify": True},
    "json": {"data_serializer": "json", "store": {"dataSerializer": "json"}},
    "sealed": _KEYS,
    "sealed json": _KEYS | {"data_serializer": "json"},
    "sealed signed": _KEYS | {"store": {"signingKey": "0123456789abcdef0123456789abcdef"}},
    "digested ids": {"store": {"transformId": "sha256"}},
}


@pytest.fixture
def make_site(options: Options) -> MakeSite:
    """Lend a function that makes sites whose sessions are MongoSession."""

    def make(**more: Any) -> Site:
        return Site(options | {"session_class": MongoSession} | more)

    return make


@pytest.fixture(params=list(_VARIANTS))
def variant(request: pytest.FixtureRequest) -> Options:
    """Return the options of each way to keep a session."""
    return _VARIANTS[request.param]


def _age(database: Db, seconds: float) -> None:
    """Make the one stored session look as if it had been used last so long ago."""
    document = only_document(database)
    document["session"]["_accessed_time"] -= seconds
    document["expires"] -= datetime.timedelta(seconds=seconds)
    database.sessions.replace_one({"_id": document["_id"]}, document)


def _login(session: SessionObject) -> None:
    session.regenerate_id()
    session["user"] = "ann"
    session.save()


class TestCommands:
    """What a request costs, in commands."""

    def test_a_request_that_reads(self, make_site: MakeSite, commands: Commands) -> None:
        """Loading a session and moving its times is one command."""
        visitor = make_site(timeout=600).visitor()
        visitor.save(n=1)
        commands.clear()
        assert {"n": 1} == visitor.read()
        assert ["findAndModify"] == commands.names

    def test_a_request_that_changes(self, make_site: MakeSite, commands: Commands) -> None:
        """A change is one command more."""
        visitor = make_site().visitor()
        visitor.save(n=1)
        commands.clear()
        visitor.save(n=2)
        assert ["findAndModify", "update"] == commands.names

    @pytest.mark.parametrize("key", ["n", "a.b"], ids=["operators", "pipeline"])
    def test_a_change_leaves_alone_the_times_that_its_load_moved(
        self, make_site: MakeSite, commands: Commands, database: Db, key: str
    ) -> None:
        """Loading the session has moved its times, and the save of a change leaves them alone."""
        visitor = make_site(timeout=600).visitor()
        visitor.save_items({key: 1})
        _age(database, 60)
        commands.clear()
        visitor.save_items({key: 2})
        assert {key: 2} == visitor.read()
        update = str(commands.started[1].command["updates"][0]["u"])
        assert "expires" not in update
        assert "_accessed_time" not in update
        left = only_document(database)["expires"] - utc_now()
        assert left > datetime.timedelta(seconds=700)

    @pytest.mark.parametrize("key", ["n", "a.b"], ids=["operators", "pipeline"])
    def test_a_late_change_moves_the_times_again(
        self,
        make_site: MakeSite,
        commands: Commands,
        monkeypatch: pytest.MonkeyPatch,
        key: str,
    ) -> None:
        """A request that saves long after it loaded the session keeps it alive from then on."""
        monkeypatch.setattr("beaker_mongo_soajs.saver._TOUCHED_SECONDS", 0)
        visitor = make_site(timeout=600).visitor()
        visitor.save_items({key: 1})
        commands.clear()
        visitor.save_items({key: 2})
        update = str(commands.started[1].command["updates"][0]["u"])
        assert "expires" in update
        assert "_accessed_time" in update

    def test_a_request_that_saves_no_change(self, make_site: MakeSite, commands: Commands) -> None:
        """A save of what is stored already costs nothing."""
        visitor = make_site().visitor()
        visitor.save(n=1)
        commands.clear()
        visitor.save(n=1)
        assert ["findAndModify"] == commands.names

    def test_a_login(self, make_site: MakeSite, commands: Commands) -> None:
        """A login with a new id costs three commands, one below what is allowed."""
        visitor = make_site().visitor()
        visitor.save(n=1)
        commands.clear()
        visitor.request(_login)
        assert ["findAndModify", "findAndModify", "insert"] == commands.names

    def test_touch_after(self, make_site: MakeSite, commands: Commands, database: Db) -> None:
        """Within touchAfter a reading request writes nothing; once it has passed, it does."""
        visitor = make_site(timeout=600, store={"touchAfter": 60}).visitor()
        visitor.save(n=1)
        commands.clear()
        visitor.read()
        assert ["find"] == commands.names
        _age(database, 61)
        commands.clear()
        visitor.read()
        visitor.read()
        assert ["find", "update", "find"] == commands.names

    def test_without_times(self, make_site: MakeSite, commands: Commands) -> None:
        """With save_accessed_time off, a reading request writes nothing."""
        visitor = make_site(save_accessed_time=False).visitor()
        visitor.save(n=1)
        commands.clear()
        assert {"n": 1} == visitor.read()
        assert ["find"] == commands.names

    def test_what_no_single_command_can_touch(
        self, make_site: MakeSite, commands: Commands
    ) -> None:
        """Text and ciphertext cost a command to load and one to touch."""
        for name in ("text", "sealed"):
            visitor = make_site(**_VARIANTS[name]).visitor()
            visitor.save(n=1)
            commands.clear()
            assert {"n": 1} == visitor.read()
            assert ["find", "update"] == commands.names

    def test_ids_that_lead_nowhere(self, make_site: MakeSite, commands: Commands) -> None:
        """An unknown id costs one command, one that no session can have none."""
        site = make_site()
        site.visitor().save(n=1)
        commands.clear()
        assert {} == site.visitor("unknown").read()
        assert ["findAndModify"] == commands.names
        commands.clear()
        assert {} == site.visitor("x" * 300).read()
        assert [] == commands.names

    def test_visitors_that_leave_nothing(self, make_site: MakeSite, commands: Commands) -> None:
        """A new visitor who only looks costs nothing, and gets no cookie."""
        visitor = make_site().visitor()
        assert {} == visitor.read()
        assert ([], []) == (commands.names, visitor.set_cookies)

    @pytest.mark.parametrize("end", ["delete", "invalidate"])
    def test_endings(self, make_site: MakeSite, commands: Commands, end: str) -> None:
        """Ending a session costs one command besides the load, also when it is done twice."""
        visitor = make_site().visitor()
        visitor.save(n=1)
        commands.clear()

        def end_twice(session: SessionObject) -> None:
            getattr(session, end)()
            getattr(session, end)()

        visitor.request(end_twice)
        assert ["findAndModify", "delete"] == commands.names

    def test_peeks_touch_nothing(
        self, make_site: MakeSite, options: Options, commands: Commands, database: Db
    ) -> None:
        """A session that is only looked at by its id costs one find, and its times stay."""
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
        """With auto, a session that was looked at is saved."""
        visitor = make_site(auto=True).visitor()
        visitor.request(lambda session: session.get("n"))
        assert ["createIndexes", "insert"] == commands.names
        commands.clear()
        visitor.request(lambda session: session.update(n=1))
        visitor.request(lambda session: session.get("n"))
        assert ["findAndModify", "update", "findAndModify"] == commands.names
        assert {"n": 1} == visitor.read()


class TestLoading:
    """What a visitor finds."""

    def test_times_move(self, make_site: MakeSite, database: Db) -> None:
        """A reading request moves the time of access and the date of expiry, and nothing else."""
        visitor = make_site(timeout=600).visitor()
        visitor.save(n=1)
        _age(database, 100)
        before = only_document(database)
        last = visitor.request(lambda session: session.last_accessed)
        after = only_document(database)
        assert before["session"]["_accessed_time"] == last
        assert after["session"].pop("_accessed_time") > before["session"].pop("_accessed_time") + 99
        assert after.pop("expires") > before.pop("expires") + datetime.timedelta(seconds=99)
        assert before == after

    def test_timed_out(
        self,
        make_site: MakeSite,
        options: Options,
        database: Db,
        variant: Options,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A session past its timeout is removed when its visitor comes; a peek leaves it alone."""
        variant = variant | {"timeout": 60}
        visitor = make_site(**variant).visitor()
        visitor.save(n=1)
        late = time.time() + 61
        monkeypatch.setattr("beaker_mongo_soajs.session.time", SimpleNamespace(time=lambda: late))
        peek = MongoSession({}, use_cookies=False, id=visitor.cookie, **options | variant)
        assert peek.is_new
        assert 1 == database.sessions.count_documents({})
        answer = visitor.request(lambda session: (session.was_invalidated, session.get("n")))
        assert (True, None) == answer
        assert 0 == database.sessions.count_documents({})

    def test_touch_revives_nothing(self, make_site: MakeSite, database: Db) -> None:
        """Loading a session that is over moves none of its times."""
        site = make_site(timeout=600)
        visitor = site.visitor()
        visitor.save(n=1)
        database.sessions.update_one({}, {"$set": {"expires": _PAST}})
        before = only_document(database)
        assert {} == visitor.read()
        assert before == only_document(database)

    def test_last_accessed_is_unknown_for_new_sessions(self, make_site: MakeSite) -> None:
        """A new session has no time of a last visit."""
        assert make_site().visitor().request(lambda session: session.last_accessed) is None

    def test_corrupt_sessions_are_replaced_and_kept(
        self, make_site: MakeSite, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With invalidate_corrupt the visitor goes on, the document stays, and no log names it."""
        id_ = "0123456789abcdef"
        database.sessions.insert_one({"_id": id_, "session": 3})
        with caplog.at_level(logging.DEBUG, "beaker_mongo_soajs"):
            assert {} == make_site(invalidate_corrupt=True).visitor(id_).read()
        assert {"_id": id_, "session": 3} == only_document(database)
        assert "cannot be read" in caplog.text
        assert id_[:8] not in caplog.text

    def test_corrupt_sessions_are_errors_if_that_is_wanted(
        self, make_site: MakeSite, database: Db
    ) -> None:
        """Without invalidate_corrupt the error is raised."""
        database.sessions.insert_one({"_id": "corrupt", "session": 3})
        with pytest.raises(SerializationError):
            make_site(invalidate_corrupt=False).visitor("corrupt").read()

    def test_wrong_options_are_no_corrupt_session(self, make_site: MakeSite) -> None:
        """An option that cannot be used is an error, whatever invalidate_corrupt says."""
        with pytest.raises(ConfigError):
            make_site(invalidate_corrupt=True, collection="").visitor("known").read()

    def test_another_type_is_refused(self, make_site: MakeSite) -> None:
        """MongoSession does not keep sessions in memory or files."""
        with pytest.raises(ConfigError, match=r"Leave session\.type out"):
            make_site(type="memory").visitor().read()

    def test_loading_again_drops_what_was_not_saved(self, make_site: MakeSite) -> None:
        """load() in the middle of a request answers what is stored, also under a new id."""
        visitor = make_site().visitor()
        visitor.save(n=1)

        def load_again(session: SessionObject) -> object:
            session["n"] = 2
            session.regenerate_id()
            session.load()
            return session["n"]

        assert 1 == visitor.request(load_again)
        assert {"n": 1} == visitor.read()


class TestSaving:
    """What a request leaves."""

    def test_saves_within_one_request_add_up(self, make_site: MakeSite, variant: Options) -> None:
        """Every save of a request counts, of a new session and of one that was there."""
        visitor = make_site(**variant).visitor()

        def save_twice(session: SessionObject) -> None:
            for key in ("a", "b"):
                session[key] = session.get(key, 0) + 1
                session._session().save()
            del session["a"]
            session.save()

        for n in (1, 2):
            visitor.request(save_twice)
            assert {"b": n} == visitor.read()

    def test_nothing_is_saved_unasked(self, make_site: MakeSite, variant: Options) -> None:
        """What a request changes and does not save is not saved with the times, however deep."""
        visitor = make_site(**variant).visitor()
        visitor.save(cart=["a"])

        def change(session: SessionObject) -> None:
            session["n"] = 1
            session["cart"].append("b")

        visitor.request(change)
        assert {"cart": ["a"]} == visitor.read()

    def test_revert(self, make_site: MakeSite) -> None:
        """revert() brings back what was loaded."""
        visitor = make_site().visitor()
        visitor.save(n=1)

        def change_and_revert(session: SessionObject) -> None:
            session["n"] = 2
            session["more"] = 3
            session.revert()
            session.save()

        visitor.request(change_and_revert)
        assert {"n": 1} == visitor.read()

    def test_overlapping_requests_keep_each_others_keys(self, make_site: MakeSite) -> None:
        """Two requests that change different keys both keep what they wrote."""
        site = make_site()
        visitor = site.visitor()
        visitor.save(n=1)
        other = site.visitor(visitor.cookie)

        def overlapped(session: SessionObject) -> None:
            session["mine"] = 1
            other.save(theirs=2)
            session.save()

        visitor.request(overlapped)
        assert {"n": 1, "mine": 1, "theirs": 2} == visitor.read()

    def test_a_late_save_brings_nothing_back(
        self, make_site: MakeSite, database: Db, variant: Options
    ) -> None:
        """A session that was destroyed while a request ran stays destroyed."""
        site = make_site(**variant)
        visitor = site.visitor()
        visitor.save(n=1)
        other = site.visitor(visitor.cookie)

        def outlived(session: SessionObject) -> None:
            session["n"] = 2
            other.request(lambda theirs: theirs.delete())
            session.save()

        visitor.request(outlived)
        assert 0 == database.sessions.count_documents({})

    def test_json_makes_of_a_session_what_beaker_makes_of_it(self, make_site: MakeSite) -> None:
        """With data_serializer json tuples become lists, and sets are an error, as in Beaker."""
        visitor = make_site(data_serializer="json").visitor()
        visitor.save(roles=("a", "b"), names={1: "one"})
        assert {"roles": ["a", "b"], "names": {"1": "one"}} == visitor.read()
        with pytest.raises(SerializationError, match="data_serializer"):
            visitor.save(roles={"a"})

    def test_what_cannot_be_encrypted_is_named(self, make_site: MakeSite) -> None:
        """An error of the serializer under encryption is one of ours, with the path it knows."""
        visitor = make_site(**_KEYS).visitor()
        with pytest.raises(SerializationError, match=r"session\['call'\]"):
            visitor.save(call=lambda: None)
        with pytest.raises(SerializationError, match="data_serializer"):
            make_site(**_VARIANTS["sealed json"]).visitor().save(roles={"a"})


class TestEndings:
    """Sessions that end when they are ended."""

    @pytest.mark.parametrize("end", ["delete", "invalidate"])
    def test_the_old_id_is_dead(
        self, make_site: MakeSite, database: Db, variant: Options, end: str
    ) -> None:
        """delete() and invalidate() remove the document, so the old id leads nowhere."""
        site = make_site(**variant)
        visitor = site.visitor()
        visitor.save(user="ann")
        old = visitor.cookie
        visitor.request(lambda session: getattr(session, end)())
        assert 0 == database.sessions.count_documents({})
        assert {} == site.visitor(old).read()

    def test_deleted_cookie(self, make_site: MakeSite) -> None:
        """delete() ends the cookie in the browser."""
        visitor = make_site().visitor()
        visitor.save(user="ann")
        visitor.request(lambda session: session.delete())
        assert visitor.cookie is None

    @pytest.mark.parametrize("cookie_expires", [True, 3600])
    def test_a_save_after_delete_is_a_new_session(
        self, make_site: MakeSite, cookie_expires: object
    ) -> None:
        """What is saved after delete() lives under a new id, with a cookie that lasts."""
        site = make_site(cookie_expires=cookie_expires)
        visitor = site.visitor()
        visitor.save(user="ann")
        old = visitor.cookie

        def delete_and_save(session: SessionObject) -> None:
            session.delete()
            session["flash"] = "Bye."
            session.save()

        visitor.request(delete_and_save)
        assert old != visitor.cookie
        assert {"flash": "Bye."} == visitor.read()
        assert {} == site.visitor(old).read()
        assert visitor.request(lambda session: session.created) > 0

    def test_a_save_after_an_emptying_save_is_a_new_session(
        self, make_site: MakeSite, database: Db
    ) -> None:
        """A session that was saved empty is gone, and its id with it."""
        visitor = make_site().visitor()
        visitor.save(user="ann")
        old = visitor.cookie

        def empty_and_save(session: SessionObject) -> None:
            session.clear()
            session._session().save()
            session["n"] = 1
            session.save()

        visitor.request(empty_and_save)
        assert old != only_document(database)["_id"]
        assert {"n": 1} == visitor.read()

    def test_invalidate_and_go_on(self, make_site: MakeSite, database: Db) -> None:
        """After invalidate() the session is new and empty, and can be saved."""
        visitor = make_site().visitor()
        visitor.save(user="ann")
        old = visitor.cookie

        def go_on(session: SessionObject) -> None:
            session.invalidate()
            session["n"] = 1
            session.invalidate()
            assert "n" not in session
            session["m"] = 1
            session.save()

        visitor.request(go_on)
        assert {"m": 1} == visitor.read()
        assert old != only_document(database)["_id"]


class TestRegenerate:
    """New ids."""

    def test_the_session_moves(self, make_site: MakeSite, database: Db, variant: Options) -> None:
        """After a regenerate the data lives under the new id alone."""
        site = make_site(**variant)
        visitor = site.visitor()
        visitor.save(cart=["a"])
        old = visitor.cookie
        visitor.request(_login)
        assert old != visitor.cookie
        assert {"cart": ["a"], "user": "ann"} == visitor.read()
        assert {} == site.visitor(old).read()
        assert 1 == database.sessions.count_documents({})

    @pytest.mark.parametrize("save_accessed_time", [True, False])
    def test_without_a_save(
        self, make_site: MakeSite, variant: Options, *, save_accessed_time: bool
    ) -> None:
        """A regenerate that is not saved moves what is stored, and no change that was not saved."""
        site = make_site(**variant, save_accessed_time=save_accessed_time)
        visitor = site.visitor()
        visitor.save(cart=["a"])
        old = visitor.cookie

        def regenerate(session: SessionObject) -> None:
            session["cart"].append("b")
            session["n"] = 1
            session.regenerate_id()

        visitor.request(regenerate)
        assert old != visitor.cookie
        assert {"cart": ["a"]} == visitor.read()
        assert {} == site.visitor(old).read()

    def test_of_a_new_session(self, make_site: MakeSite, database: Db) -> None:
        """A new visitor who logs in gets one document, and one cookie."""
        visitor = make_site().visitor()
        visitor.request(_login)
        assert visitor.cookie == only_document(database)["_id"]
        assert 1 == len(visitor.set_cookies)

    def test_between_two_saves_of_a_new_session(self, make_site: MakeSite, database: Db) -> None:
        """What a new session saved before its new id moves with it, saved again or not."""

        def save_and_regenerate(session: SessionObject) -> None:
            session["n"] = 1
            session._session().save()
            session.regenerate_id()

        visitor = make_site().visitor()
        visitor.request(save_and_regenerate)
        assert {"n": 1} == visitor.read()
        assert 1 == database.sessions.count_documents({})

    def test_again_and_again(self, make_site: MakeSite, database: Db) -> None:
        """Several new ids in a request, saved in between or not, leave one live id."""

        def regenerate(session: SessionObject) -> None:
            session.regenerate_id()
            session.regenerate_id()
            session._session().save()
            session.regenerate_id()
            session["n"] = 2
            session.save()

        visitor = make_site().visitor()
        visitor.save(n=1)
        visitor.request(regenerate)
        assert visitor.cookie == only_document(database)["_id"]
        assert {"n": 2} == visitor.read()

    @pytest.mark.parametrize("end", ["delete", "invalidate", "clear"])
    def test_then_an_ending(self, make_site: MakeSite, database: Db, end: str) -> None:
        """A session that gets a new id and is then ended or emptied is gone under both."""

        def end_regenerated(session: SessionObject) -> None:
            session.regenerate_id()
            getattr(session, end)()
            session.save()

        visitor = make_site().visitor()
        visitor.save(n=1)
        old = only_document(database)["_id"]
        visitor.request(end_regenerated)
        assert old not in database.sessions.distinct("_id")
        assert {} == visitor.read()

    def test_takes_concurrent_changes_along(self, make_site: MakeSite, variant: Options) -> None:
        """What another request saved under the old id meanwhile is there under the new one."""
        site = make_site(**variant)
        visitor = site.visitor()
        visitor.save(cart=["a"])
        other = site.visitor(visitor.cookie)

        def login(session: SessionObject) -> None:
            session.regenerate_id()
            session["user"] = "ann"
            other.save(cart=["a", "b"])
            session.save()

        visitor.request(login)
        assert {"cart": ["a", "b"], "user": "ann"} == visitor.read()

    def test_of_a_session_that_ends_meanwhile(self, make_site: MakeSite, database: Db) -> None:
        """A session destroyed during the request stays so, and the browser's cookie is kept."""
        site = make_site()
        visitor = site.visitor()
        visitor.save(n=1)
        other = site.visitor(visitor.cookie)

        def login(session: SessionObject) -> None:
            session.regenerate_id()
            other.request(lambda theirs: theirs.delete())
            session["user"] = "ann"
            session.save()

        visitor.request(login)
        assert 0 == database.sessions.count_documents({})
        assert [] == visitor.set_cookies

    def test_two_at_once_leave_one_live_id(self, make_site: MakeSite, database: Db) -> None:
        """Of two requests that both log in, one wins; the other changes no cookie."""
        site = make_site()
        visitor = site.visitor()
        visitor.save(n=1)
        other = site.visitor(visitor.cookie)

        def overlapped(session: SessionObject) -> None:
            assert 1 == session["n"]
            other.request(_login)
            _login(session)

        visitor.request(overlapped)
        assert [] == visitor.set_cookies
        assert other.cookie == only_document(database)["_id"]

    def test_starting_again_after_a_lost_race(self, make_site: MakeSite) -> None:
        """A request that lost its session can invalidate it and go on with a new one."""
        site = make_site()
        visitor = site.visitor()
        visitor.save(n=1)
        other = site.visitor(visitor.cookie)

        def lose_and_start(session: SessionObject) -> None:
            other.request(lambda theirs: theirs.delete())
            session.regenerate_id()
            session._session().save()
            session.invalidate()
            session["m"] = 1
            session.save()

        visitor.request(lose_and_start)
        assert {"m": 1} == visitor.read()

    @pytest.mark.parametrize("value", ["unstorable", "too large", "too deep"])
    def test_what_cannot_be_saved_leaves_the_session_as_it_was(
        self, make_site: MakeSite, commands: Commands, value: str
    ) -> None:
        """A value that cannot be stored is an error; the old id lives on with its data."""
        deep: Any = 1
        for _ in range(190):
            deep = [deep]
        values = {"unstorable": object(), "too large": "x" * 17_000_000, "too deep": deep}
        visitor = make_site().visitor()
        visitor.save(n=1)
        commands.clear()

        def login(session: SessionObject) -> None:
            session.regenerate_id()
            session["value"] = values[value]
            session.save()

        with pytest.raises(SerializationError):
            visitor.request(login)
        # What is seen here, the session is not taken away for.
        assert value != "unstorable" or commands.names == ["findAndModify"]
        assert {"n": 1} == visitor.read()

    def test_crash_before_the_removal(self, make_site: MakeSite, fail_point: FailPoint) -> None:
        """When the first command fails, the session lives on under its old id."""
        visitor = make_site(store={"touchAfter": 60}, timeout=600).visitor()
        visitor.save(n=1)
        with (
            fail_point("findAndModify", close_connection=True),
            pytest.raises(StoreUnavailable),
        ):
            visitor.request(_login)
        assert {"n": 1} == visitor.read()

    def test_crash_between_removal_and_insert(
        self, make_site: MakeSite, fail_point: FailPoint, database: Db
    ) -> None:
        """When the second command fails, no id is live: the visitor is logged out."""
        site = make_site()
        visitor = site.visitor()
        visitor.save(n=1)
        with (
            fail_point("insert", close_connection=True),
            pytest.raises(StoreUnavailable),
        ):
            visitor.request(_login)
        assert 0 == database.sessions.count_documents({})
        assert {} == visitor.read()


class TestSwitching:
    """From session.type alone to MongoSession, and back."""

    def _both(self, options: Options, variant: Options) -> tuple[Site, Site]:
        options = options | variant
        return Site(options), Site(options | {"session_class": MongoSession})

    def test_sessions_are_kept_both_ways(self, options: Options, variant: Options) -> None:
        """Each reads, and goes on with, what the other saved."""
        plain, ours = self._both(options, variant)
        for first, second in ((plain, ours), (ours, plain)):
            visitor = first.visitor()
            visitor.save(n=1, cart=[{"a": 1.5}])
            elsewhere = second.visitor(visitor.cookie)
            assert {"n": 1, "cart": [{"a": 1.5}]} == elsewhere.read()
            elsewhere.save(n=2)
            assert {"n": 2, "cart": [{"a": 1.5}]} == visitor.read()
            visitor.save(m=3)
            assert {"n": 2, "cart": [{"a": 1.5}], "m": 3} == elsewhere.read()

    def test_documents_are_the_same(self, options: Options, database: Db, variant: Options) -> None:
        """Both write documents of the same fields and types."""
        for site in self._both(options, variant):
            site.visitor().save(n=1, cart=["a"])
        one, other = (
            {key: type(value) for key, value in document.items()}
            for document in database.sessions.find()
        )
        assert one == other

    def test_a_deleted_session_is_deleted_for_both(
        self, options: Options, variant: Options
    ) -> None:
        """What one deletes the other does not find."""
        plain, ours = self._both(options, variant)
        for first, second in ((plain, ours), (ours, plain)):
            visitor = first.visitor()
            visitor.save(n=1)
            id_ = visitor.cookie
            second.visitor(id_).request(lambda session: session.delete())
            assert {} == first.visitor(id_).read()

    def test_mixed_serializers(self, options: Options) -> None:
        """Pickle and JSON sessions of plain values can be read by either."""
        pickle, json = (
            Site(options | {"session_class": MongoSession, "data_serializer": name})
            for name in ("pickle", "json")
        )
        visitor = pickle.visitor()
        visitor.save(n=1, cart=["a"])
        assert {"n": 1, "cart": ["a"]} == json.visitor(visitor.cookie).read()
        json.visitor(visitor.cookie).save(m=2)
        assert {"n": 1, "cart": ["a"], "m": 2} == visitor.read()


class TestCookies:
    """The session cookie."""

    def _cookie(self, site: Site) -> str:
        visitor = site.visitor()
        visitor.save(n=1)
        (cookie,) = visitor.set_cookies
        return cookie.lower()

    def test_defaults(self, make_site: MakeSite) -> None:
        """Scripts and other sites' requests are kept from the cookie, unless that is turned off."""
        cookie = self._cookie(make_site())
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie
        assert "expires" not in cookie
        assert "httponly" not in self._cookie(make_site(httponly=False))

    def test_attributes(self, make_site: MakeSite) -> None:
        """Beaker's options of the cookie hold."""
        cookie = self._cookie(
            make_site(secure=True, samesite="Strict", cookie_expires=3600, cookie_path="/shop")
        )
        for attribute in ("secure", "samesite=strict", "expires=", "path=/shop"):
            assert attribute in cookie

    def test_host_prefix(self, make_site: MakeSite) -> None:
        """A cookie named __Host-… has what browsers ask of it: secure, the path /, no domain."""
        cookie = self._cookie(make_site(key="__Host-session", secure=True))
        assert cookie.strip().startswith("__host-session=")
        attributes = {attribute.strip() for attribute in cookie.split(";")[1:]}
        assert {"secure", "path=/", "httponly", "samesite=lax"} == attributes

    def test_signed(self, make_site: MakeSite) -> None:
        """With a secret the cookie is signed; one with another signature leads nowhere."""
        site = make_site(secret="a secret")
        visitor = site.visitor()
        visitor.save(n=1)
        assert visitor.cookie is not None
        assert {"n": 1} == site.visitor(visitor.cookie).read()
        assert {} == site.visitor("0" * 40 + visitor.cookie[40:]).read()
        assert {} == site.visitor(visitor.cookie[40:]).read()

    def test_without_cookies(self, options: Options) -> None:
        """With use_cookies off, sessions are found by the id that the application keeps."""
        session = MongoSession({}, use_cookies=False, **options)
        session["n"] = 1
        session.save()
        again = MongoSession({}, use_cookies=False, id=session.id, **options)
        assert (1, False) == (again["n"], again.is_new)
        again["n"] = 2
        again.save()
        assert 2 == MongoSession({}, use_cookies=False, id=session.id, **options)["n"]
        again.delete()
        assert MongoSession({}, use_cookies=False, id=session.id, **options).is_new

    def test_a_new_domain_is_sent(self, make_site: MakeSite) -> None:
        """Setting domain or path sends the cookie anew."""

        def move(session: SessionObject) -> None:
            session.domain = "example.org"
            session.save()

        visitor = make_site().visitor()
        visitor.save(n=1)
        visitor.request(move)
        assert "domain=example.org" in visitor.set_cookies[0].lower()


class TestSessionItself:
    """The object that an application holds."""

    def test_repr_holds_no_data(self, options: Options) -> None:
        """Neither id nor data stand in a repr."""
        session = MongoSession({}, **options)
        session["user"] = "ann"
        assert "ann" not in repr(session)
        assert session.id not in repr(session)

    def test_ids_are_random_and_long(self, options: Options) -> None:
        """Ids have 192 random bits, and no two are alike."""
        ids = {MongoSession({}, **options).id for _ in range(500)}
        assert 500 == len(ids)
        assert {32} == set(map(len, ids))

    def test_namespace(self, options: Options) -> None:
        """Like Beaker's own session it has a namespace, with the client."""
        session = MongoSession({}, timeout=60, **options)
        session["n"] = 1
        session.save()
        assert session.namespace.timeout == 180
        assert "session" in session.namespace
        assert session.namespace.client.admin.command("ping")["ok"]


class TestOutage:
    """While the database is away."""

    @pytest.fixture
    def visitor(self, make_site: MakeSite) -> Visitor:
        """Return a visitor with a session, of a site that goes on in outages."""
        visitor = make_site(store={"onUnavailable": "anonymous"}).visitor()
        visitor.save(user="ann")
        return visitor

    @pytest.mark.parametrize(
        "call",
        "save delete invalidate regenerate_id revert load clear lock unlock".split(),
    )
    def test_every_method_leaves_session_and_cookie_alone(
        self, visitor: Visitor, fail_point: FailPoint, call: str
    ) -> None:
        """Nothing that a request calls changes the session or the browser's cookie."""

        def act(session: SessionObject) -> object:
            assert not session.available
            assert session.get("user") is None
            getattr(session, call)()
            session["n"] = 1
            session.domain = "example.org"
            session.path = "/elsewhere"
            with session.locked(timeout=0.1):
                session["n"] = 2
            session.save()
            return session.available

        with fail_point("find", "findAndModify", "update", "insert", "delete", error_code=_REFUSED):
            assert visitor.request(act) is False
        assert [] == visitor.set_cookies
        assert {"user": "ann"} == visitor.read()
        assert visitor.request(lambda session: session.available)

    def test_new_visitors(self, make_site: MakeSite, fail_point: FailPoint, database: Db) -> None:
        """A new visitor whose session cannot be saved gets an answer, and no cookie."""
        visitor = make_site(store={"onUnavailable": "anonymous"}).visitor()
        with fail_point("insert", "createIndexes", error_code=_REFUSED):
            visitor.save(n=1)
        assert [] == visitor.set_cookies
        assert 0 == database.sessions.count_documents({})

    def test_a_touch_that_fails(self, make_site: MakeSite, fail_point: FailPoint) -> None:
        """A request that read its session is answered though its times do not move."""
        visitor = make_site(stringify=True, store={"onUnavailable": "anonymous"}).visitor()
        visitor.save(n=1)
        with fail_point("update", error_code=_REFUSED):
            assert {"n": 1} == visitor.read()

    @pytest.mark.parametrize("act", [_login, lambda session: session.delete()])
    def test_what_was_to_be_saved_is_an_error(
        self, visitor: Visitor, fail_point: FailPoint, act: Callable[[SessionObject], None]
    ) -> None:
        """A change, or a logout, of a session that was loaded does not vanish in silence."""
        with (
            fail_point("update", "delete", "insert", error_code=_REFUSED),
            pytest.raises(StoreUnavailable),
        ):
            visitor.request(act)

    def test_one_line_a_minute(
        self,
        visitor: Visitor,
        fail_point: FailPoint,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """However many requests an outage meets, a minute's log has one line of it."""
        now = [1e9]
        clock = SimpleNamespace(monotonic=lambda: now[0])
        monkeypatch.setattr("beaker_mongo_soajs.outage.time", clock)
        counts = []
        with fail_point("findAndModify", error_code=_REFUSED):
            for seconds in (0, 1, 58, 2):
                now[0] += seconds
                visitor.read()
                lines = [line for line in caplog.messages if "without their sessions" in line]
                counts.append(len(lines))
        assert [1, 1, 1, 2] == counts

    def test_raise_is_the_default(self, make_site: MakeSite, fail_point: FailPoint) -> None:
        """Otherwise an outage is an error, also with invalidate_corrupt, and the session stays."""
        visitor = make_site(invalidate_corrupt=True).visitor()
        visitor.save(n=1)
        with (
            fail_point("findAndModify", error_code=_REFUSED),
            pytest.raises(StoreUnavailable),
        ):
            visitor.read()
        assert {"n": 1} == visitor.read()


class TestLock:
    """with session.locked()."""

    @pytest.fixture
    def visitor(self, make_site: MakeSite) -> Visitor:
        """Return a visitor with a counter."""
        visitor = make_site().visitor()
        visitor.save(n=0)
        return visitor

    @pytest.fixture
    def other(self, make_site: MakeSite, visitor: Visitor) -> Visitor:
        """Return the same visitor's other window."""
        return make_site().visitor(visitor.cookie)

    def test_loads_anew_and_saves(self, visitor: Visitor, other: Visitor) -> None:
        """Within the lock stands what others saved meanwhile, and what this request changed."""

        def count(session: SessionObject) -> None:
            last = session.last_accessed
            session["mine"] = 1
            other.save(n=5, theirs=2)
            with session.locked():
                session["n"] += 1
            assert last == session.last_accessed

        visitor.request(count)
        assert {"n": 6, "mine": 1, "theirs": 2} == visitor.read()

    def test_commands(self, visitor: Visitor, commands: Commands) -> None:
        """A lock costs four commands: lock, load, save, unlock."""

        def count(session: SessionObject) -> None:
            with session.locked():
                session["n"] += 1

        visitor.request(count)
        commands.clear()
        visitor.request(count)
        assert [
            "findAndModify",
            "findAndModify",
            "findAndModify",
            "update",
            "delete",
        ] == commands.names

    def test_nests(self, visitor: Visitor, other: Visitor) -> None:
        """A request that holds the lock gets it again; the outermost end frees it."""

        def count(session: SessionObject) -> None:
            with session.locked():
                with session.locked():
                    session["n"] += 1
                with pytest.raises(LockTimeout):
                    other.request(lambda theirs: theirs.lock(timeout=0.05))
                session["n"] += 1

        visitor.request(count)
        assert {"n": 2} == visitor.read()

    def test_waiting_has_an_end(self, visitor: Visitor, other: Visitor) -> None:
        """Who does not get the lock in time gets LockTimeout, and saves nothing."""

        def hold(session: SessionObject) -> None:
            with session.locked(), pytest.raises(LockTimeout) as caught:
                other.request(lambda theirs: theirs.locked(timeout=0.05).__enter__())
            assert 0.05 <= caught.value.waited_seconds

        visitor.request(hold)

    def test_an_error_saves_nothing(self, visitor: Visitor, other: Visitor) -> None:
        """When the block ends with an error, its changes are gone and the lock is free."""

        def fail(session: SessionObject) -> None:
            with suppress(ZeroDivisionError), session.locked():
                session["n"] += 1
                session["list"] = [1 / 0]
            assert 0 == session["n"]
            other.request(lambda theirs: theirs.lock(timeout=0.05))
            session.save()

        visitor.request(fail)
        assert {"n": 0} == visitor.read()

    def test_lock_and_unlock(self, visitor: Visitor, other: Visitor) -> None:
        """lock() and unlock() do the same by hand; an unlock without a lock does nothing."""

        def count(session: SessionObject) -> None:
            session.unlock()
            session.lock()
            try:
                session["n"] += 1
            finally:
                session.unlock()
            assert {"n": 1} == other.read()

        visitor.request(count)

    def test_new_sessions(self, make_site: MakeSite, database: Db) -> None:
        """A new session can be locked; it is stored if something is put into it."""

        def lock(session: SessionObject) -> None:
            with session.locked():
                pass
            assert 0 == database.sessions.count_documents({})
            with session.locked():
                session["n"] = 1

        visitor = make_site().visitor()
        visitor.request(lock)
        assert {"n": 1} == visitor.read()

    def test_a_session_that_ended_meanwhile(self, visitor: Visitor, other: Visitor) -> None:
        """Whoever gets the lock of a session that is gone holds a new, empty one."""

        def find(session: SessionObject) -> object:
            other.request(lambda theirs: theirs.delete())
            with session.locked():
                return session.get("n")

        old = visitor.cookie
        assert visitor.request(find) is None
        assert old == visitor.cookie

    def test_a_new_id_under_the_lock(self, visitor: Visitor, database: Db) -> None:
        """A login may get its new id while it holds the lock."""

        def login(session: SessionObject) -> None:
            with session.locked():
                session.regenerate_id()
                session["user"] = "ann"

        visitor.request(login)
        assert {"n": 0, "user": "ann"} == visitor.read()
        assert visitor.cookie == only_document(database)["_id"]
        assert 0 == database.sessions_locks.count_documents({})

    def test_a_lost_lease_saves_nothing(
        self, visitor: Visitor, database: Db, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that was stopped for longer than its lease learns so, and saves nothing."""
        now = [0.0]
        clock = SimpleNamespace(monotonic=lambda: now[0])
        monkeypatch.setattr("beaker_mongo_soajs.session_lock.time", clock)

        def outlive(session: SessionObject) -> None:
            session.lock()
            session["n"] += 1
            now[0] += 60
            database.sessions_locks.delete_many({})
            with pytest.raises(LockTimeout, match="lost"):
                session.unlock()

        visitor.request(outlive)
        assert {"n": 0} == visitor.read()

    def test_errors_while_loading_free_the_lock(
        self, make_site: MakeSite, options: Options, fail_point: FailPoint
    ) -> None:
        """A session that cannot be loaded under its lock is unlocked again."""
        # As text it is loaded by another command than the one that locks.
        visitor = make_site(stringify=True).visitor()
        visitor.save(n=0)

        def fail(session: SessionObject) -> None:
            session.get("n")
            with (
                fail_point("find", error_code=_REFUSED),
                pytest.raises(StoreUnavailable),
            ):
                session.lock()
            lease = Locks(DbConfig.from_options(options)).lease(f"session {visitor.cookie}")
            assert lease.acquire(wait=False)
            lease.release()

        visitor.request(fail)
