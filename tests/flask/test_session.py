"""``flask.session``: Flask's interface, and that of MongoSession."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import flask
import pytest
from flask import Flask

from beaker_mongo_soajs import ConfigError, LockTimeout, SerializationError
from beaker_mongo_soajs.flask import FlaskSession
from tests.application import live_documents, only_document
from tests.conftest import Db, Options
from tests.flask.support import Browser, make_app, store_of
from tests.recorder import Commands


class TestMapping:
    """The interface that Flask's own sessions have."""

    def test_values_are_kept(self, any_form: Options) -> None:
        """Values come back equal, with their types, in each storage form."""
        browser = Browser(make_app(any_form))
        values: dict[str, Any] = {
            "text": "Zoë", "none": None, "tuple": (1, "two"), "bytes": b"\0", "set": {1, 2},
            "time": datetime(2026, 1, 2, tzinfo=UTC), "nested": {"list": [1.0, True, {"a": []}]},
        }  # fmt: skip
        browser.save(**values)
        assert values == browser.read()

    def test_methods_of_a_dict(self, browser: Browser) -> None:
        """It has the methods of a dict, as ``flask.session`` always has."""

        def use(session: FlaskSession) -> list[object]:
            session.update(a=1, b=2)
            return [
                session.setdefault("c", 3), session.pop("a"), session.pop("a", None),
                "b" in session, "a" in session, session.get("a"), len(session), bool(session),
                sorted(session), dict(session.items()), session == {"b": 2, "c": 3}, session.copy(),
            ]  # fmt: skip

        expected = [3, 1, None, True, False, None, 2, True, ["b", "c"], {"b": 2, "c": 3}, True]
        expected.append({"b": 2, "c": 3})
        assert expected == browser.request(use)
        assert {"b": 2, "c": 3} == browser.read()

    def test_a_new_session_is_empty(self, browser: Browser) -> None:
        """A new session has no keys, also none for times, and a save of it keeps its id."""
        assert browser.read() == {}

        def save(session: FlaskSession) -> bool:
            assert not session
            before = session.id
            session.save()
            return before == session.id

        assert browser.request(save)

    def test_new(self, browser: Browser) -> None:
        """``new`` is true until the session has been stored."""
        assert browser.request(lambda session: session.new)
        browser.save(a=1)
        assert not browser.request(lambda session: session.new)

    def test_modified(self, browser: Browser) -> None:
        """``modified`` is true after a change of a key, and not after a look."""
        browser.save(a=1)
        changes = (lambda found: found.update(a=2), lambda found: found.pop("a"))
        for change in (lambda found: None, lambda found: found.get("a"), *changes):
            modified = browser.request(lambda found: [change(found), found.modified])[1]  # noqa: B023
            assert modified == (change in changes)

    def test_accessed(self, app: Flask) -> None:
        """``accessed`` is true as soon as the application uses the session."""
        with app.test_request_context():
            opened = app.session_interface.open_session(app, flask.request)
            assert isinstance(opened, FlaskSession)
            assert not opened.accessed
            opened.get("a")
            assert opened.accessed

    def test_permanent(self, browser: Browser) -> None:
        """``permanent`` is kept with the session."""
        browser.request(lambda session: session.update(a=1, _permanent=True))
        assert browser.request(lambda session: session.permanent)
        assert {"a": 1, "_permanent": True} == browser.read()

    def test_permanent_alone_is_not_stored(self, browser: Browser, database: Db) -> None:
        """A visitor for whom only ``permanent`` was set gets neither a document nor a cookie."""
        browser.request(lambda session: setattr(session, "permanent", True))
        assert browser.cookie is None
        assert [] == live_documents(database)

    def test_changes_inside_of_values_are_saved(self, browser: Browser) -> None:
        """A change inside a value is saved, without ``session.modified = True``."""
        browser.save(cart=["apple"])
        browser.request(lambda session: session["cart"].append("pear"))
        assert {"cart": ["apple", "pear"]} == browser.read()

    def test_clear(self, browser: Browser, database: Db) -> None:
        """``clear()`` deletes document and cookie at the end of the request."""
        browser.save(user="ann")
        browser.request(lambda session: session.clear())
        assert browser.cookie is None
        assert [] == live_documents(database)

    def test_a_last_key_that_is_removed(self, browser: Browser, app: Flask) -> None:
        """A session without values continues: another request may have added a key meanwhile."""
        browser.save(a=1)
        other = Browser(app, like=browser)

        def pop(session: FlaskSession) -> None:
            session.pop("a")
            other.save(b=2)

        browser.request(pop)
        assert {"b": 2} == browser.read()

    def test_repr_shows_no_data(self, browser: Browser) -> None:
        """The repr of a session shows neither its data nor its id."""
        browser.save(user="ann")
        assert "<FlaskSession>" == browser.request(repr)

    def test_it_is_loaded_on_first_use(self, app: Flask, commands: Commands) -> None:
        """A page that does not use the session of a visitor who has none costs no command."""
        Browser(app).request()
        Browser(app).read()
        assert [] == commands.names


class TestMethods:
    """The interface that MongoSession has."""

    def test_regenerate_id(self, browser: Browser, database: Db) -> None:
        """``regenerate_id()`` keeps the values, and the old id opens no session."""
        browser.save(user="ann")
        thief = Browser(browser.app, like=browser)
        old_id = browser.session_id
        browser.request(lambda session: session.regenerate_id())
        assert old_id != browser.session_id
        assert {"user": "ann"} == browser.read()
        assert thief.read() == {}
        assert browser.session_id == only_document(database)["_id"]

    def test_locked(self, browser: Browser, options: Options) -> None:
        """``locked()`` excludes requests of other processes, and loads what they saved."""
        browser.save(n=1)
        other = Browser(make_app(options, PROPAGATE_EXCEPTIONS=True), like=browser)

        def wait(session: FlaskSession) -> None:
            with session.locked(timeout=0.1):
                raise AssertionError("it was not locked")

        def count(session: FlaskSession) -> None:
            session["before"] = True
            other.save(theirs=1)
            with session.locked():
                session["n"] += session["theirs"]
                with pytest.raises(LockTimeout):
                    other.request(wait)

        browser.request(count)
        assert {"n": 2, "theirs": 1, "before": True} == browser.read()

    def test_the_lock_is_that_of_the_session(self, browser: Browser) -> None:
        """With a stale cookie before the right one, ``locked()`` locks the right session."""
        browser.save(n=1)
        other = Browser(browser.app, like=browser)
        stale = Browser(browser.app)
        stale.save(n=0)
        header = f"session={stale.cookie}; session={browser.cookie}"
        stale.request(lambda session: session.clear())

        def wait(session: FlaskSession) -> None:
            with session.locked(timeout=0.1):
                raise AssertionError("it was not locked")

        def lock(session: FlaskSession) -> None:
            with session.locked(), pytest.raises(LockTimeout):
                other.request(wait)

        browser.request(lock, HTTP_COOKIE=header)

    def test_an_error_takes_back_what_the_block_did(self, browser: Browser) -> None:
        """An error in ``locked()`` takes back the changes of the block."""
        browser.save(n=[1])

        def fail(session: FlaskSession) -> dict[str, Any]:
            with suppress(ZeroDivisionError), session.locked():
                session["n"].append(2)
                session["more"] = 1 / 0
            return dict(session)

        assert {"n": [1]} == browser.request(fail)
        assert {"n": [1]} == browser.read()

    def test_destroy_others(self, app: Flask) -> None:
        """``destroy_others()`` saves the session, and ends those of the same user elsewhere."""
        phone, laptop, other = (Browser(app) for _ in range(3))
        phone.save(user="ann")
        other.save(user="bob")

        def log_in(session: FlaskSession) -> int:
            session["user"] = "ann"
            return session.destroy_others(user="ann")

        assert 1 == laptop.request(log_in)
        users = [browser.read().get("user") for browser in (phone, laptop, other)]
        assert [None, "ann", "bob"] == users

    def test_created(self, browser: Browser) -> None:
        """``created`` is when the session began, in all of its requests."""
        before = time.time()
        browser.save(a=1)
        between = time.time()
        created = browser.request(lambda session: session.created)
        assert before <= created <= between
        browser.request(lambda session: session.regenerate_id())
        assert created == browser.request(lambda session: session.created)

    def test_set_lifetime(self, browser: Browser, database: Db) -> None:
        """``set_lifetime()`` sets the end of one session and of its cookie."""
        browser.save(a=1)
        browser.request(lambda session: session.set_lifetime(3600))
        assert browser.set_cookie is not None
        assert "Expires=" in browser.set_cookie
        left = only_document(database)["expires"] - datetime.now(UTC).replace(tzinfo=None)
        assert timedelta(seconds=3500) < left < timedelta(seconds=3700)
        # Each request moves both.
        browser.read()
        assert "Expires=" in str(browser.set_cookie)
        browser.request(lambda session: session.set_lifetime(None))
        assert "Expires=" not in str(browser.set_cookie)
        with pytest.raises(ValueError, match="A lifetime must be"):
            browser.request(lambda session: session.set_lifetime(0))

    def test_delete(self, browser: Browser, database: Db) -> None:
        """``delete()`` ends the session at once; what is set later is in another session."""
        browser.save(user="ann")
        old_id = browser.session_id

        def switch(session: FlaskSession) -> None:
            session.delete()
            assert [] == live_documents(database)
            session["user"] = "bob"

        browser.request(switch)
        assert old_id != browser.session_id
        assert {"user": "bob"} == browser.read()

    def test_handle(self, browser: Browser, app: Flask) -> None:
        """``handle`` is the public name under which the store finds the session."""
        browser.save(user="ann")
        handle = browser.request(lambda session: session.handle)
        (found,) = store_of(app).find(user="ann")
        assert handle == getattr(found[0], "handle", None)
        assert 1 == store_of(app).destroy_handle(handle, user="ann")
        assert browser.read() == {}

    def test_save(self, browser: Browser, database: Db) -> None:
        """``save()`` stores the session before the end of the request."""

        def save(session: FlaskSession) -> Any:
            session["a"] = 1
            session.save()
            return only_document(database)["session"]["a"]

        assert 1 == browser.request(save)
        assert {"a": 1} == browser.read()


class TestCommands:
    """What a request sends to the database."""

    def test_each_kind_of_request(self, browser: Browser, commands: Commands) -> None:
        """A request costs one command to load its session, and one to change it."""
        costs = []
        for action in (
            lambda session: session.update(a=1),
            dict,
            lambda session: session.update(a=2),
            lambda session: session.regenerate_id(),
            lambda session: session.clear(),
        ):
            commands.clear()
            browser.request(action)
            costs.append(commands.names)
        assert ["insert"] == costs[0]
        assert ["find"] == costs[1]
        assert ["find", "update"] == costs[2]
        assert "find" == costs[3][0]
        assert ["find", "delete"] == costs[4][:2]

    def test_a_session_that_node_began(self, app: Flask, commands: Commands, database: Db) -> None:
        """A session without a time of its beginning is not saved by a request that only reads."""
        browser = Browser(app)
        browser.save(a=1)
        database.sessions.update_one({}, {"$unset": {"session._creation_time": ""}})
        commands.clear()
        assert {"a": 1} == browser.read()
        assert ["find"] == commands.names


class TestErrors:
    """Sessions that cannot be saved or loaded."""

    def test_a_value_that_cannot_be_stored(self, browser: Browser) -> None:
        """The error names the path of the value, and what was stored stays."""
        browser.save(a=1)
        with pytest.raises(SerializationError, match=r"session\['cart'\]\[0\]"):
            browser.save(cart=[object()])
        assert {"a": 1} == browser.read()

    def test_a_document_that_cannot_be_read(
        self, browser: Browser, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The visitor of an unreadable document gets a new session, and the document stays."""
        browser.save(a=1)
        old_id = browser.session_id
        database.sessions.update_one({"_id": old_id}, {"$set": {"session": 5}})
        browser.save(b=2)
        assert "A session cannot be read; its visitor gets a new one." in caplog.text
        assert old_id != browser.session_id
        assert {"b": 2} == browser.read()
        document = database.sessions.find_one({"_id": old_id})
        assert document is not None
        assert 5 == document["session"]

    def test_text_cannot_be_searched(self, options: Options) -> None:
        """With ``stringify``, ``destroy_others()`` says that it cannot search."""
        browser = Browser(make_app(options | {"stringify": True}, PROPAGATE_EXCEPTIONS=True))
        with pytest.raises(ConfigError, match="Set stringify to false"):
            browser.request(lambda session: [session.update(a=1), session.destroy_others(a=1)])
