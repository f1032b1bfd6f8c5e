"""Loading and saving sessions."""

import datetime
import logging
import time
from types import SimpleNamespace

import pytest
from beaker.session import SessionObject
from pyramid.request import Request

from beaker_mongo_soajs import (
    ConfigError,
    MongoSession,
    SerializationError,
)
from tests.application import KEYS, only_document
from tests.conftest import Db, Options
from tests.mongo_session.support import PAST, VARIANTS, MakeSite, age


class TestLoading:
    """Loading a session."""

    def test_times_move(self, make_site: MakeSite, database: Db) -> None:
        """A request that only reads moves the access time and the expiry date, and nothing else."""
        visitor = make_site(timeout=600).visitor()
        visitor.save(n=1)
        age(database, 100)
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
        """A visit removes a session past its timeout; reading it by its id does not."""
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

    def test_loading_does_not_touch_expired_sessions(
        self, make_site: MakeSite, database: Db
    ) -> None:
        """Loading an expired session does not move its times."""
        site = make_site(timeout=600)
        visitor = site.visitor()
        visitor.save(n=1)
        database.sessions.update_one({}, {"$set": {"expires": PAST}})
        before = only_document(database)
        assert {} == visitor.read()
        assert before == only_document(database)

    def test_last_accessed_is_unknown_for_new_sessions(self, make_site: MakeSite) -> None:
        """A new session has no last_accessed time."""
        assert make_site().visitor().request(lambda session: session.last_accessed) is None

    def test_corrupt_sessions_are_replaced_and_kept(
        self, make_site: MakeSite, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With invalidate_corrupt, the visitor gets a new session, and the document is kept."""
        id_ = "0123456789abcdef"
        database.sessions.insert_one({"_id": id_, "session": 3})
        with caplog.at_level(logging.DEBUG, "beaker_mongo_soajs"):
            assert {} == make_site(invalidate_corrupt=True).visitor(id_).read()
        assert {"_id": id_, "session": 3} == only_document(database)
        assert "cannot be read" in caplog.text
        assert id_[:8] not in caplog.text

    def test_corrupt_sessions_raise_without_invalidate_corrupt(
        self, make_site: MakeSite, options: Options, database: Db
    ) -> None:
        """Without invalidate_corrupt, also by default, a corrupt session raises its error."""
        database.sessions.insert_one({"_id": "corrupt", "session": 3})
        with pytest.raises(SerializationError):
            make_site(invalidate_corrupt=False).visitor("corrupt").read()
        with pytest.raises(SerializationError):
            MongoSession({}, use_cookies=False, id="corrupt", **options).load()

    def test_wrong_options_raise_config_error(self, make_site: MakeSite) -> None:
        """A wrong option raises ConfigError, even with invalidate_corrupt."""
        with pytest.raises(ConfigError):
            make_site(invalidate_corrupt=True, collection="").visitor("known").read()

    def test_another_type_is_refused(self, make_site: MakeSite) -> None:
        """MongoSession refuses other session types, such as memory and file."""
        with pytest.raises(ConfigError, match=r"Remove session\.type"):
            make_site(type="memory").visitor().read()

    def test_loading_again_drops_what_was_not_saved(self, make_site: MakeSite) -> None:
        """load() in the middle of a request returns what is stored, even after a new id."""
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
    """Saving a session."""

    def test_saves_within_one_request_add_up(self, make_site: MakeSite, variant: Options) -> None:
        """Several saves in one request are all kept, for new and for existing sessions."""
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

    def test_unsaved_changes_are_not_stored(self, make_site: MakeSite, variant: Options) -> None:
        """An unsaved change, even a nested one, is not saved with the times."""
        visitor = make_site(**variant).visitor()
        visitor.save(cart=["a"])

        def change(session: SessionObject) -> None:
            session["n"] = 1
            session["cart"].append("b")

        visitor.request(change)
        assert {"cart": ["a"]} == visitor.read()

    def test_revert(self, make_site: MakeSite) -> None:
        """revert() restores what was loaded."""
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
        """Two overlapping requests that change different keys keep both changes."""
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

    def test_a_late_save_does_not_restore_a_session(
        self, make_site: MakeSite, database: Db, variant: Options
    ) -> None:
        """A save does not restore a session that was destroyed during the request."""
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

    def test_json_changes_values_as_in_beaker(self, make_site: MakeSite) -> None:
        """With data_serializer json, tuples become lists and sets raise an error, as in Beaker."""
        visitor = make_site(data_serializer="json").visitor()
        visitor.save(roles=("a", "b"), names={1: "one"})
        assert {"roles": ["a", "b"], "names": {"1": "one"}} == visitor.read()
        with pytest.raises(SerializationError, match="data_serializer"):
            visitor.save(roles={"a"})

    def test_a_value_that_cannot_be_encrypted_is_named(self, make_site: MakeSite) -> None:
        """If an encrypted session cannot be serialized, SerializationError names the path."""
        visitor = make_site(**KEYS).visitor()
        with pytest.raises(SerializationError, match=r"session\['call'\]"):
            visitor.save(call=lambda: None)
        with pytest.raises(SerializationError, match="data_serializer"):
            make_site(**VARIANTS["encrypted json"]).visitor().save(roles={"a"})


class TestChosenIds:
    """Sessions without cookies, under ids that the application chose."""

    @staticmethod
    def _open(options: Options, **more: object) -> MongoSession:
        # Applications pass Pyramid's request, which is not a dict.
        request = Request.blank("/")
        arguments: Options = {"id": "a visitor.progress.report", "use_cookies": False}
        return MongoSession(request, **(arguments | options | more))

    def test_it_is_stored_under_this_id(self, options: Options, variant: Options) -> None:
        """A new session gets the id, and another process finds it there."""
        session = self._open(options | variant)
        assert session.is_new
        session["done"] = 50
        session.save()
        found = self._open(options | variant)
        assert ("a visitor.progress.report", 50) == (found.id, found["done"])
        assert not found.is_new

    def test_deleted_meanwhile(self, options: Options) -> None:
        """A session that was deleted meanwhile does not come back under this id."""
        session = self._open(options)
        session.save()
        self._open(options).delete()
        session.load()
        session["done"] = 50
        session.save()
        assert self._open(options).is_new

    def test_past_its_timeout(self, options: Options, database: Db) -> None:
        """After the timeout, the session is a new one with another id."""
        session = self._open(options, timeout=60)
        session["done"] = 50
        session.save()
        age(database, 61)
        late = self._open(options, timeout=60)
        assert session.id != late.id
        assert "done" not in late

    def test_moved(self, options: Options) -> None:
        """An id that the session had before is an id without a session."""
        session = self._open(options)
        session.save()
        session.regenerate_id()
        session["user"] = "ann"
        session.save()
        old = self._open(options)
        assert old.is_new
        old["done"] = 50
        old.save()
        assert "ann" == self._open(options, id=session.id)["user"]
        assert "user" not in self._open(options)

    def test_impossible_id(self, options: Options) -> None:
        """An id that no document can have is replaced."""
        session = self._open(options, id="\ud800")
        session.save()
        assert "\ud800" != session.id
