"""How long sessions live: store.maxLifetime, and sessions whose access times are not saved."""

import datetime
from typing import Any

import pytest
from beaker.session import Session

from beaker_mongo_soajs import ConfigError, MongoSession, SessionStore
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.sessions.lifetime import Lifetime, Terms
from tests.application import Site, only_document
from tests.conftest import Db, Options
from tests.mongo_session.support import VARIANTS, age, login
from tests.recorder import Commands

HOUR = 3600.0


def shift(database: Db, seconds: float) -> None:
    """Move all times of the only document into the past, except its expiry."""
    document = only_document(database)
    if isinstance(document["session"], dict):
        document["session"]["_creation_time"] -= seconds
    if "createdAt" in document:
        document["createdAt"] -= datetime.timedelta(seconds=seconds)
    database.sessions.replace_one({"_id": document["_id"]}, document)


@pytest.mark.parametrize("name", ["native", "text", "encrypted", "digested ids"])
class TestMaxLifetime:
    """store.maxLifetime: a session ends some time after its creation, however busy it is."""

    @pytest.fixture
    def site(self, kind_options: Options, name: str) -> Site:
        """Return a site whose sessions live for an hour at most."""
        variant = VARIANTS[name]
        store = {**variant.get("store", {}), "maxLifetime": HOUR}
        return Site(kind_options | variant | {"timeout": 600, "store": store})

    def test_a_busy_session_ends(self, site: Site, database: Db) -> None:
        """A session that is in use ends store.maxLifetime after its creation."""
        visitor = site.visitor()
        visitor.save(n=1)
        shift(database, HOUR - 60)
        visitor.save(n=2)
        assert {"n": 2} == visitor.read()
        shift(database, 61)
        assert {} == visitor.read()

    def test_expires_is_limited(self, site: Site, database: Db) -> None:
        """The stored date never lies beyond the maximum lifetime."""
        visitor = site.visitor()
        visitor.save(n=1)
        document = only_document(database)
        database.sessions.update_one({}, {"$set": {"expires": utc_now()}})
        database.sessions.replace_one(
            {"_id": document["_id"]}, document | {"expires": utc_now() + datetime.timedelta(1)}
        )
        shift(database, HOUR - 60)
        database.sessions.update_one(
            {}, {"$set": {"expires": utc_now() + datetime.timedelta(seconds=30)}}
        )
        visitor.save(n=2)
        assert only_document(database)["expires"] <= utc_now() + datetime.timedelta(seconds=61)

    def test_a_new_session_begins(self, site: Site, database: Db) -> None:
        """After a session reached its maximum lifetime, its visitor can begin a new one."""
        visitor = site.visitor()
        visitor.save(n=1)
        shift(database, HOUR + 1)
        visitor.save(m=2)
        assert {"m": 2} == visitor.read()

    def test_a_new_id_keeps_the_creation(
        self, site: Site, database: Db, kind: type[Session]
    ) -> None:
        """A new id does not extend the maximum lifetime."""
        visitor = site.visitor()
        visitor.save(n=1)
        shift(database, HOUR - 60)

        def regenerate(session: Any) -> None:
            session.regenerate_id()
            session.save()

        if kind is not Session:
            # Beaker's own Session leaves the old document, and begins a new one.
            visitor.request(regenerate)
            assert {"n": 1} == visitor.read()
        shift(database, 61)
        assert {} == visitor.read()


class TestPlantedCreation:
    """A creation time that somebody wrote into the database."""

    @pytest.mark.parametrize("value", ["x", None, 1e300, -1e300, float("nan"), True, [1], 2**70])
    def test_is_ignored(self, options: Options, database: Db, value: object) -> None:
        """A creation time that is no time does not limit the session."""
        store = SessionStore(options | {"store": {"maxLifetime": HOUR}})
        if isinstance(value, int) and value > 2**63:
            value = str(value)
        document = {"_id": "a", "session": {"n": 1, "_creation_time": value}, "createdAt": "x"}
        database.sessions.insert_one(document)
        found = store.get("a")
        assert found is not None
        assert 1 == found["n"]

    def test_in_the_future(self) -> None:
        """A creation that lies ahead counts as now: the session does not live longer."""
        lifetime = Lifetime(2 * HOUR, 60, HOUR)
        now = utc_now()
        later = Terms(created=now + datetime.timedelta(days=1))
        assert now + datetime.timedelta(seconds=HOUR) == lifetime.expires(now, later)


class TestUnsavedAccessTimes:
    """save_accessed_time = False."""

    def test_expires_moves_at_half_time(
        self, kind_options: Options, database: Db, commands: Commands
    ) -> None:
        """A request that only reads moves expires once half of the time has passed."""
        site = Site(kind_options | {"save_accessed_time": False, "expireAfter": 1000 * HOUR})
        visitor = site.visitor()
        visitor.save(n=1)
        commands.clear()
        visitor.read()
        assert ["find"] == commands.names
        expires = utc_now() + datetime.timedelta(seconds=HOUR / 2 - 60)
        database.sessions.update_one({}, {"$set": {"expires": expires}})
        commands.clear()
        visitor.read()
        assert ["find", "update"] == commands.names
        assert only_document(database)["expires"] > expires + datetime.timedelta(seconds=HOUR / 3)


class TestRolling:
    """session.rolling: the expiry of the cookie slides with use."""

    @pytest.mark.parametrize("rolling", [True, "true"])
    def test_each_response_sets_the_cookie(self, options: Options, rolling: object) -> None:
        """A response to a request that only reads sets the cookie again, with a new expiry."""
        own = {"session_class": MongoSession, "rolling": rolling, "cookie_expires": 3600}
        visitor = Site(options | own).visitor()
        visitor.save(n=1)
        cookie = visitor.cookie
        assert {"n": 1} == visitor.read()
        (header,) = visitor.set_cookies
        assert cookie is not None
        assert cookie in header
        assert "expires=" in header.lower()
        assert {"n": 1} == visitor.read()

    def test_a_cookie_without_expiry(self, options: Options) -> None:
        """A cookie that ends with the browser is not sent again."""
        visitor = Site(options | {"session_class": MongoSession, "rolling": True}).visitor()
        visitor.save(n=1)
        visitor.read()
        assert [] == visitor.set_cookies

    def test_of_beakers_own_session(self, options: Options) -> None:
        """With Beaker's own Session, rolling is a ConfigError that names MongoSession."""
        with pytest.raises(ConfigError, match="MongoSession"):
            Site(options | {"rolling": True}).visitor().save(n=1)


@pytest.mark.parametrize("name", ["native", "text", "encrypted", "digested ids"])
class TestSetLifetime:
    """session.set_lifetime(): a session with a lifetime of its own."""

    @pytest.fixture
    def site(self, options: Options, name: str) -> Site:
        """Return a site whose sessions have an idle timeout of ten minutes."""
        return Site(options | VARIANTS[name] | {"session_class": MongoSession, "timeout": 600})

    @staticmethod
    def remember(session: Any) -> None:
        """Remember the visitor for a day."""
        session["n"] = 1
        session.set_lifetime(24 * HOUR)

    @staticmethod
    def left(database: Db) -> float:
        """Return for how many seconds the only session lives."""
        seconds: float = (only_document(database)["expires"] - utc_now()).total_seconds()
        return seconds

    def test_expires_and_cookie(self, site: Site, database: Db) -> None:
        """The stored date and the cookie's expiry follow the lifetime of the session."""
        visitor = site.visitor()
        visitor.request(self.remember)
        (header,) = visitor.set_cookies
        assert "expires=" in header.lower()
        assert 24 * HOUR <= self.left(database) <= 24 * HOUR + 100
        visitor.save(n=2)
        assert 24 * HOUR - 10 <= self.left(database) <= 24 * HOUR + 100

    def test_idle_timeout(self, site: Site, database: Db, name: str) -> None:
        """A session is not ended by the configured timeout before its own lifetime."""
        visitor = site.visitor()
        visitor.request(self.remember)
        if name == "native":
            age(database, 2 * HOUR)
        assert {"n": 1} == visitor.read()

    def test_a_new_id_keeps_it(self, site: Site, database: Db) -> None:
        """regenerate_id() keeps the lifetime of the session, and the cookie's expiry."""
        visitor = site.visitor()
        visitor.request(self.remember)
        visitor.request(login)
        assert 24 * HOUR - 10 <= self.left(database) <= 24 * HOUR + 100
        (header,) = visitor.set_cookies
        assert "expires=" in header.lower()

    def test_back_to_the_configured_ones(self, site: Site, database: Db) -> None:
        """set_lifetime(None) goes back to the configured lifetime."""
        visitor = site.visitor()
        visitor.request(self.remember)
        visitor.request(lambda session: session.set_lifetime(None))
        assert self.left(database) < 800
        assert {"n": 1} == visitor.read()

    @pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "1"])
    def test_not_a_lifetime(self, site: Site, value: Any) -> None:
        """A value that is no positive number is a ValueError."""
        with pytest.raises(ValueError, match="number of seconds"):
            site.visitor().request(lambda session: session.set_lifetime(value))
