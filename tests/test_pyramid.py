"""Pyramid: sessions and cache regions, configured by settings."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from beaker import cache
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from webtest import TestApp

from beaker_mongo_soajs import ConfigError, InsecureSessionWarning, MongoSession
from beaker_mongo_soajs.pyramid import session_factory_from_settings
from tests.application import only_document
from tests.conftest import Db, Options
from tests.recorder import Commands

Settings = dict[str, Any]

# pyramid_beaker stores regions in a module-level dict of Beaker.
_REGION = "test_pyramid"
_OTHER_REGION = "test_pyramid_memory"


@pytest.fixture
def settings(options: Options) -> Settings:
    """Return settings as texts, as an INI file has them."""
    texts = options | {"timeout": "60", "secret": "a secret of the site", "secure": "false"}
    return {f"session.{name}": text for name, text in texts.items()}


@pytest.fixture(autouse=True)
def _forget_regions() -> Iterator[None]:
    yield
    for name in (_REGION, _OTHER_REGION):
        cache.cache_regions.pop(name, None)


def _view(request: Request) -> Response:
    """Run the action that the query names, and answer with its result."""
    session = request.session
    acts = {
        "count": lambda: session.__setitem__("n", session.get("n", 0) + 1) or session["n"],
        "read": lambda: session.get("n"),
        "flash": lambda: session.flash("Saved."),
        "peek": session.peek_flash,
        "pop": session.pop_flash,
        "csrf": session.get_csrf_token,
        "new csrf": session.new_csrf_token,
        "new": lambda: session.new,
        "created": lambda: session.created > 0,
        "invalidate": session.invalidate,
        "kind": lambda: type(session._session()).__name__,
        "other": lambda: session.get_by_id(request.params["id"]),
        "update": lambda: session.update({"n": 7}),
        "pop n": lambda: session.pop("n"),
        "fail": lambda: 1 / 0,
    }
    return Response(repr(acts[request.params["do"]]()))


def _app_of(config: Configurator, view: Callable[[Request], Response]) -> Any:
    config.add_route("home", "/")
    config.add_view(view, route_name="home")
    return TestApp(config.make_wsgi_app())


class _Browser:
    def __init__(self, settings: Settings) -> None:
        config = Configurator(settings=settings)
        config.include("beaker_mongo_soajs.pyramid")
        self._app = _app_of(config, _view)

    def do(self, act: str, **parameters: str) -> str:
        text: str = self._app.get("/", {"do": act, **parameters}).text
        return text

    @property
    def id(self) -> str:
        """The session id in the browser's signed cookie."""
        value: str = self._app.cookies["beaker.session.id"]
        return value[40:]


@pytest.fixture
def browser(settings: Settings) -> _Browser:
    """Return a browser of a Pyramid application."""
    return _Browser(settings)


class TestSessions:
    """Pyramid's session interface, as pyramid_beaker implements it."""

    def test_sessions_are_mongo_sessions(
        self, browser: _Browser, commands: Commands, database: Db
    ) -> None:
        """Setting a key saves the session without a call of save()."""
        assert ["1", "2"] == [browser.do("count") for _ in range(2)]
        commands.clear()
        assert "2" == browser.do("read")
        assert ["find"] == commands.names
        assert "'MongoSession'" == browser.do("kind")
        assert 2 == only_document(database)["session"]["n"]

    def test_changing_methods_save(self, browser: _Browser) -> None:
        """update() and pop() save the session."""
        browser.do("update")
        assert "7" == browser.do("read")
        browser.do("pop n")
        assert "None" == browser.do("read")

    def test_flash(self, browser: _Browser) -> None:
        """Flash messages are kept until they are popped."""
        browser.do("flash")
        browser.do("flash")
        assert "['Saved.', 'Saved.']" == browser.do("peek")
        assert "['Saved.', 'Saved.']" == browser.do("pop")
        assert "[]" == browser.do("peek")

    def test_csrf(self, browser: _Browser) -> None:
        """The CSRF token stays the same until a new one is requested."""
        token = browser.do("csrf")
        assert token == browser.do("csrf")
        new = browser.do("new csrf")
        assert token != new
        assert new == browser.do("csrf")

    def test_new_and_created(self, browser: _Browser) -> None:
        """The attributes new and created describe the session."""
        assert "True" == browser.do("new")
        browser.do("count")
        assert "False" == browser.do("new")
        assert "True" == browser.do("created")

    def test_invalidate(self, browser: _Browser, database: Db) -> None:
        """invalidate() removes the document."""
        browser.do("count")
        browser.do("invalidate")
        assert 0 == database.sessions.count_documents({})
        assert "1" == browser.do("count")

    def test_get_by_id(self, browser: _Browser) -> None:
        """get_by_id() returns a MongoSession, or None."""
        browser.do("count")
        assert browser.do("other", id=browser.id).startswith(f"<{MongoSession.__name__}")
        assert "None" == browser.do("other", id="unknown")


class TestSettings:
    """The settings of an INI file."""

    def test_texts_are_converted(self, settings: Settings, database: Db) -> None:
        """Both prefixes are used, and texts are converted."""
        prefixed = {f"beaker.{name}": text for name, text in settings.items()}
        more = {"beaker.session.stringify": "true", "beaker.session.constant_csrf_token": "fixed"}
        browser = _Browser(prefixed | more)
        assert "'fixed'" == browser.do("csrf")
        assert isinstance(only_document(database)["session"], str)

    @pytest.mark.parametrize(("cookie_on_exception", "kept"), [("true", True), ("false", False)])
    def test_cookie_on_exception(
        self, settings: Settings, database: Db, cookie_on_exception: str, *, kept: bool
    ) -> None:
        """cookie_on_exception decides whether a failed request saves its session."""
        config = Configurator(
            settings=settings | {"session.cookie_on_exception": cookie_on_exception}
        )
        config.include("beaker_mongo_soajs.pyramid")

        def fail(request: Request) -> Response:
            request.session["n"] = 1
            raise ValueError

        def answer(error: ValueError, request: Request) -> Response:
            return Response("failed")

        config.add_exception_view(answer, context=ValueError)
        _app_of(config, fail).get("/")
        assert kept == (database.sessions.count_documents({}) == 1)

    @pytest.mark.parametrize(
        ("name", "text"), [("timeout", "soon"), ("servres", "db1"), ("type", "memory")]
    )
    def test_wrong_options(self, settings: Settings, name: str, text: str) -> None:
        """An invalid option is an error of config.include()."""
        with pytest.raises(ConfigError, match=name):
            _Browser(settings | {f"session.{name}": text})

    def test_an_option_given_twice(self, settings: Settings) -> None:
        """An option that is given twice is an error: no value silently wins."""
        with pytest.raises(ConfigError, match="is given twice") as caught:
            _Browser(settings | {"session.timeout": "600", "session.Timeout": "900"})
        assert "timeout" == caught.value.option

    def test_warnings_name_the_caller(self, settings: Settings) -> None:
        """A warning about an insecure cookie names the line that makes the session factory."""
        del settings["session.secure"]
        with pytest.warns(InsecureSessionWarning) as caught:
            session_factory_from_settings(settings)
        assert {__file__} == {each.filename for each in caught}

    def test_all_errors_at_once(self, settings: Settings) -> None:
        """The errors of sessions and of cache regions are one, which names the regions."""
        wrong = {
            "session.timeout": "soon",
            "session.secrets": "x",
            "cache.regions": f"{_OTHER_REGION}, {_REGION}",
            f"cache.{_OTHER_REGION}.type": "memory",
            f"cache.{_REGION}.type": "ext:mongodb_soajs",
            f"cache.{_REGION}.encrypt_key": "k",
            f"cache.{_REGION}.URLParam.w": "0",
        }
        with pytest.raises(ConfigError) as caught:
            _Browser(settings | wrong)
        hints = {error.option: bool(error.hint) for error in caught.value.errors}
        expected = {"timeout": True, "secrets": True, "encrypt_key": True, "URLParam.w": False}
        assert expected == hints
        assert 2 == str(caught.value).count(f"- Cache region {_REGION}: ")

    @pytest.mark.parametrize(
        ("prefix", "name"),
        [("cache", "region_of_a_test"), ("beaker.cache", "region_of_another_test")],
    )
    def test_cache_region_without_a_server(
        self, settings: Settings, caplog: pytest.LogCaptureFixture, prefix: str, name: str
    ) -> None:
        """Cache regions are configured as by pyramid_beaker; one without a server has a warning."""
        region = f"{prefix}.{_REGION}"
        more = {f"{region}.type": "ext:mongodb_soajs", f"{region}.name": name}
        _Browser(settings | more | {f"{prefix}.regions": _REGION, f"{prefix}.expire": "5"})
        assert 5 == cache.cache_regions[_REGION]["expire"]
        [text] = [record.getMessage() for record in caplog.records]
        assert f"No server is configured for the database {name}" in text

    def test_wrong_cache_option_of_beaker(self, settings: Settings) -> None:
        """An option that Beaker refuses is a ConfigError, too."""
        with pytest.raises(ConfigError, match="expire must be an integer"):
            _Browser(settings | {"cache.regions": _REGION, f"cache.{_REGION}.expire": "soon"})

    def test_session_class_as_text(self, settings: Settings) -> None:
        """session_class may be a dotted name."""
        name = "beaker_mongo_soajs.MongoSession"
        assert "'MongoSession'" == _Browser(settings | {"session.session_class": name}).do("kind")

    @pytest.mark.parametrize("own", ["pyramid_beaker", "beaker_mongo_soajs.pyramid"])
    def test_included_by_a_setting(
        self, settings: Settings, own: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """pyramid.includes has the last word, and a log line says what it replaced."""
        more = {
            "pyramid.includes": "beaker_mongo_soajs.pyramid",
            "session.type": "ext:mongodb_soajs",
        }
        config = Configurator(settings=settings | more)
        config.include(own)
        config.commit()
        # For pyramid_debugtoolbar.
        [shown] = config.introspector.get_category("session factory")
        assert "factory" in shown["introspectable"]
        config.set_session_factory(lambda request: {"kind": "another"})
        app = _app_of(config, _view)
        assert "'MongoSession'" == app.get("/", {"do": "kind"}).text
        [text] = [record.getMessage() for record in caplog.records]
        assert "has set another session factory" in text

    def test_included_beside_pyramid_beaker(self, settings: Settings) -> None:
        """Both may be included in one commit, without a conflict."""
        config = Configurator(settings=settings | {"session.type": "ext:mongodb_soajs"})
        config.include("beaker_mongo_soajs.pyramid")
        config.include("pyramid_beaker")
        app = _app_of(config, _view)
        assert "'MongoSession'" == app.get("/", {"do": "kind"}).text

    def test_check_at_start(self, settings: Settings, commands: Commands) -> None:
        """check_at_start is a setting like any other."""
        _Browser(settings | {"session.check_at_start": "10"})
        assert ["find"] == commands.names
