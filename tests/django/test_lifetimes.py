"""How long sessions of the engine live."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from beaker_mongo_soajs.django import SessionStore
from tests.conftest import Db
from tests.django.support import begin, read, stored

pytestmark = pytest.mark.usefixtures("settings")


class TestLifetimes:
    """How long sessions live."""

    @staticmethod
    def left(database: Db) -> float:
        """Return for how many seconds the only session lives."""
        expires: datetime = stored(database)["expires"]
        return (expires.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()

    @staticmethod
    def age(database: Db, seconds: float) -> None:
        """Make the only session older."""
        document = stored(database)
        database.sessions.update_one(
            {"_id": document["_id"]},
            {
                "$set": {"expires": document["expires"] - timedelta(seconds=seconds)},
                "$inc": {"session._accessed_time": -seconds},
            },
        )

    def test_cookie_age(self, database: Db) -> None:
        """SESSION_COOKIE_AGE is the lifetime, exactly."""
        with override_settings(SESSION_COOKIE_AGE=100):
            begin(n=1)
            assert 95 < self.left(database) <= 100

    def test_cookie_age_of_a_subclass(self, database: Db) -> None:
        """A subclass may have another lifetime."""

        class OfAnHour(SessionStore):
            def get_session_cookie_age(self) -> int:
                return 3600

        OfAnHour().create()
        assert 3595 < self.left(database) <= 3600

    def test_use_extends_it(self, database: Db) -> None:
        """A save extends the session; a read does not."""
        with override_settings(SESSION_COOKIE_AGE=100):
            session_key = begin(n=1)
            self.age(database, 50)
            session = SessionStore(session_key)
            assert 1 == session["n"]
            assert self.left(database) <= 50
            session.save()
            assert 95 < self.left(database) <= 100

    def test_the_shortest_and_the_longest(self, database: Db) -> None:
        """Any positive number of seconds is an idle time; the longest one is 100 years."""
        for seconds in (1, 0.5, 10**12):
            session = SessionStore()
            session.set_expiry(seconds)
            session.save()
            document = database.sessions.find_one({"_id": session.session_key})
            assert document is not None
            assert min(seconds, 100 * 365 * 86400) == document["idleSeconds"]

    def test_a_date_to_the_millisecond(self, database: Db) -> None:
        """The end is the last millisecond before the date."""
        session = SessionStore()
        session.set_expiry(datetime(2100, 1, 1, 0, 0, 0, 999_500, UTC))
        session.save()
        assert datetime(2100, 1, 1, 0, 0, 0, 999_000) == stored(database)["expires"]

    @pytest.mark.parametrize("seconds", [100, 10_000_000])
    def test_seconds(self, database: Db, seconds: int) -> None:
        """set_expiry(seconds) is an idle time, also for later requests."""
        session = SessionStore()
        session.set_expiry(seconds)
        session.save()
        self.age(database, 50)
        later = SessionStore(session.session_key)
        later["n"] = 1
        later.save()
        assert seconds - 5 < self.left(database) <= seconds
        self.age(database, seconds + 1)
        assert {} == read(session.session_key)

    def test_a_late_save_does_not_prolong_it(self, database: Db) -> None:
        """A request that began before set_expiry(seconds) does not make the session live longer."""
        session_key = begin(n=1)
        late, session = SessionStore(session_key), SessionStore(session_key)
        late["m"] = 1
        session.set_expiry(100)
        session.save()
        late.save()
        database.sessions.update_one({}, {"$inc": {"session._accessed_time": -101}})
        assert {} == read(session_key)

    @pytest.mark.parametrize("extra", [{"store": {"expressCookie": True}}], indirect=True)
    def test_express(self, database: Db) -> None:
        """With ``store.expressCookie``, the date alone counts, as express-session moves it."""
        session = SessionStore()
        session.set_expiry(100)
        session.save()
        database.sessions.update_one({}, {"$inc": {"session._accessed_time": -101}})
        assert {"_session_expiry": 100} == read(session.session_key)

    @pytest.mark.parametrize("use_tz", [True, False])
    def test_date(self, database: Db, use_tz: bool) -> None:
        """set_expiry(date) is the end of the session, also for later requests."""
        with override_settings(USE_TZ=use_tz):
            session = SessionStore()
            session.set_expiry(timedelta(seconds=100))
            session.save()
            later = SessionStore(session.session_key)
            later["n"] = 1
            later.save()
            assert 95 < self.left(database) <= 100
            later.cycle_key()
            assert 95 < self.left(database) <= 100

    @pytest.mark.parametrize("expiry", [-1, -0.5, -timedelta(seconds=1)])
    def test_the_past(self, database: Db, expiry: Any) -> None:
        """A session whose end has passed is not loaded; its document has the date."""
        session = SessionStore()
        session.set_expiry(expiry)
        session.save()
        assert stored(database)["endsAt"] < datetime.now(UTC).replace(tzinfo=None)
        assert {} == read(session.session_key)

    @pytest.mark.parametrize("expiry", [None, 0])
    @pytest.mark.parametrize("save", [SessionStore.save, SessionStore.cycle_key])
    def test_back_to_the_setting(self, database: Db, expiry: int | None, save: Any) -> None:
        """set_expiry(None) and set_expiry(0) return to SESSION_COOKIE_AGE, by the next write."""
        session = SessionStore()
        session.set_expiry(60)
        session.save()
        session.set_expiry(expiry)
        save(session)
        assert self.left(database) > 1_000_000

    def test_clear_expired(self, database: Db) -> None:
        """clear_expired() deletes what has expired."""
        session_key = begin(n=1)
        begin(n=2)
        past = datetime.now(UTC) - timedelta(seconds=1)
        database.sessions.update_one({"_id": session_key}, {"$set": {"expires": past}})
        SessionStore.clear_expired()
        assert 2 == stored(database)["session"]["n"]
