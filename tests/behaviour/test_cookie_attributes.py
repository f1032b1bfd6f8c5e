"""The domain and the path of the cookie: from the configuration, or set for one session."""

import logging
from typing import Any

import pytest
from beaker.session import SessionObject
from webob import Response
from webtest import TestApp

from beaker_mongo_soajs import ConfigError, MongoSession
from tests.application import KEYS, Site, only_document
from tests.conftest import Db, Options
from tests.recorder import Commands

pytestmark = pytest.mark.slow

FORMS: dict[str, Options] = {
    "native": {},
    "text": {"stringify": True},
    "json": {"data_serializer": "json"},
    "encrypted": KEYS,
    "encrypted json": KEYS | {"data_serializer": "json"},
}
INJECTED = "\r\nSet-Cookie: evil=1"


@pytest.fixture(params=["session.type", "MongoSession"])
def options(request: pytest.FixtureRequest, mongo_url: str, database_name: str) -> Options:
    """Return the options of both kinds of Session."""
    kinds = {"session.type": {}, "MongoSession": {"session_class": MongoSession}}
    return {"url": mongo_url, "name": database_name, **kinds[request.param]}


@pytest.fixture(params=list(FORMS))
def form(request: pytest.FixtureRequest) -> Options:
    """Return the options of each way to store a session."""
    return FORMS[request.param]


def _send_again(session: SessionObject) -> None:
    """Have the cookie sent again."""
    session._update_cookie_out()
    session["sent"] = True
    session.save()


def _set(domain: str | None = None, path: str | None = None) -> Any:
    def act(session: SessionObject) -> None:
        if domain is not None:
            session.domain = domain
        if path is not None:
            session.path = path
        session.save()

    return act


class Browser:
    """A browser that sends the session's cookie, whatever domain and path it has.

    :param site: the site.
    :param cookie: the name and value of the cookie that it kept from earlier.
    """

    def __init__(self, site: Site, cookie: str = "") -> None:
        self._site = site
        self._app: Any = TestApp(site.wsgi)
        self.cookie = cookie
        self.attributes: set[str] = set()
        """The domain and the path in the cookie of the last response."""

    def get(self, path: str) -> Response:
        """Make a request, as :meth:`Site.serve` asks for it."""
        self._app.reset()
        response: Response = self._app.get(path, headers={"Cookie": self.cookie})
        self.attributes = set()
        for cookie in response.headers.getall("Set-Cookie"):
            self.cookie, *rest = (part.strip() for part in cookie.split(";"))
            self.attributes = {each for each in rest if each.startswith(("Domain=", "Path="))}
        return response

    def request(self, action: Any) -> Any:
        """Make a request that does something to the session, and return what that returned."""
        answer, _ = self._site.serve(self, action)
        return answer

    def save(self, **values: object) -> None:
        """Make a request that puts values into the session."""

        def act(session: SessionObject) -> None:
            for key, value in values.items():
                session[key] = value
            session.save()

        self.request(act)

    def read(self) -> dict[Any, Any]:
        """Make a request that only reads, and return the application's part of the session."""
        found: dict[Any, Any] = self.request(
            lambda session: {key: session[key] for key in session if key[0] != "_"}
        )
        return found


class TestConfigured:
    """Values of the configuration."""

    def test_changed_configuration_counts(self, options: Options, form: Options) -> None:
        """A changed cookie_domain and cookie_path take effect for the sessions that are there."""
        options = options | form
        browser = Browser(Site(options | {"cookie_domain": "old.org", "cookie_path": "/old"}))
        browser.save(n=1)
        assert {"Domain=old.org", "Path=/old"} == browser.attributes
        changed = Site(options | {"cookie_domain": "new.org", "cookie_path": "/new"})
        again = Browser(changed, browser.cookie)
        again.request(_send_again)
        assert {"Domain=new.org", "Path=/new"} == again.attributes
        last = Browser(Site(options), again.cookie)
        last.request(_send_again)
        assert {"Path=/"} == last.attributes
        assert {"n": 1, "sent": True} == last.read()

    def test_they_are_not_stored(self, options: Options, database: Db) -> None:
        """The document holds neither of them."""
        Browser(Site(options | {"cookie_domain": "a.org", "cookie_path": "/a"})).save(n=1)
        assert {"_accessed_time", "_creation_time", "n"} == set(only_document(database)["session"])

    def test_number_of_commands(self, options: Options, commands: Commands) -> None:
        """A request that only reads writes no key for them."""
        browser = Browser(Site(options))
        browser.save(n=1)
        changed = Browser(Site(options | {"cookie_path": "/new"}), browser.cookie)
        browser.read()
        commands.clear()
        browser.read()
        expected = commands.names
        commands.clear()
        changed.read()
        assert expected == commands.names


class TestSetByTheApplication:
    """Values that the application set for one session."""

    def test_they_are_kept(self, options: Options, form: Options) -> None:
        """They are stored, and override the configuration from then on."""
        browser = Browser(Site(options | form))
        browser.save(n=1)
        browser.request(_set("mine.org", "/mine"))
        assert {"Domain=mine.org", "Path=/mine"} == browser.attributes
        changed = Site(options | form | {"cookie_domain": "new.org", "cookie_path": "/new"})
        again = Browser(changed, browser.cookie)
        again.request(_send_again)
        assert {"Domain=mine.org", "Path=/mine"} == again.attributes
        assert {"n": 1, "sent": True} == again.read()

    def test_one_alone_is_kept(self, options: Options, database: Db) -> None:
        """If the application set only the path, the domain follows the configuration."""
        browser = Browser(Site(options | {"cookie_domain": "old.org"}))
        browser.save(n=1)
        browser.request(_set(path="/mine"))
        assert "/mine" == only_document(database)["session"]["_path"]
        again = Browser(Site(options | {"cookie_domain": "new.org"}), browser.cookie)
        again.request(_send_again)
        assert {"Domain=new.org", "Path=/mine"} == again.attributes

    def test_set_back(self, options: Options, form: Options) -> None:
        """Set back to the configured value, it follows the configuration again."""
        browser = Browser(Site(options | form))
        browser.save(n=1)
        browser.request(_set(path="/mine"))
        browser.request(_set(path="/"))
        again = Browser(Site(options | form | {"cookie_path": "/new"}), browser.cookie)
        again.request(_send_again)
        assert {"Path=/new"} == again.attributes

    @pytest.mark.parametrize("attribute", ["domain", "path"])
    def test_impossible_values(
        self, options: Options, form: Options, database: Db, attribute: str
    ) -> None:
        """A value with a line break is refused, and neither stored nor sent."""
        browser = Browser(Site(options | form))
        browser.save(n=1)
        with pytest.raises(ConfigError, match=attribute):
            browser.request(_set(**{attribute: f"/a{INJECTED}"}))
        assert {"n": 1} == browser.read()
        assert "evil" not in repr(only_document(database))


class TestPlanted:
    """Values that somebody wrote into the database."""

    @pytest.mark.parametrize("key", ["_domain", "_path"])
    @pytest.mark.parametrize("value", [f"/a{INJECTED}", f"a{INJECTED}", "/a;b", 5, {"a": 1}, "é"])
    def test_planted_values(self, options: Options, database: Db, key: str, value: Any) -> None:
        """What no cookie may have is not sent, and the next save removes it."""
        site = Site(options)
        browser = Browser(site)
        browser.save(n=1)
        database.sessions.update_one({}, {"$set": {f"session.{key}": value}})
        browser.request(_send_again)
        assert {"Path=/"} == browser.attributes
        assert key not in only_document(database)["session"]
        assert {"n": 1, "sent": True} == browser.read()

    def test_session_is_readable(
        self, options: Options, database: Db, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The application reads the rest of the session."""
        browser = Browser(Site(options))
        browser.save(n=1)
        planted = {"session._domain": f"a{INJECTED}", "session._path": f"/a{INJECTED}"}
        database.sessions.update_one({}, {"$set": planted})
        with caplog.at_level(logging.DEBUG, "beaker_mongo_soajs"):
            assert {"n": 1} == browser.read()
        assert "evil" not in caplog.text


class TestBeakersSession:
    """Beaker's own Session, which checks nothing at the start."""

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("key", "a/b"),
            ("cookie_path", f"/a{INJECTED}"),
            ("cookie_domain", f"a{INJECTED}"),
            ("samesite", "None"),
        ],
    )
    def test_impossible_options(
        self, mongo_url: str, database_name: str, database: Db, option: str, value: str
    ) -> None:
        """The first save is refused, before anything is stored or sent."""
        site = Site({"url": mongo_url, "name": database_name, option: value})
        with pytest.raises(ConfigError, match=option):
            Browser(site).save(n=1)
        assert 0 == database.sessions.count_documents({})

    def test_changed_to_impossible_options(self, mongo_url: str, database_name: str) -> None:
        """A session that is there is not loaded with options that no cookie may have."""
        options = {"url": mongo_url, "name": database_name}
        browser = Browser(Site(options))
        browser.save(n=1)
        site = Site(options | {"cookie_path": f"/a{INJECTED}", "invalidate_corrupt": False})
        with pytest.raises(ConfigError, match="cookie_path"):
            Browser(site, browser.cookie).read()
