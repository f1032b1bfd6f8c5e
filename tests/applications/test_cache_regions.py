"""A catalogue on Pyramid with cache regions in its INI file, and a long INI file with leftovers."""

from collections.abc import Callable
from html import escape
from typing import Any, ClassVar

from beaker.cache import cache_managers, cache_region, region_invalidate
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from tests.applications.contract import ApplicationContract, Changes, Settings
from tests.applications.transcript import Transcript
from tests.conftest import Db

_calls: list[str] = []


def _views() -> tuple[Callable[..., Response], Callable[..., Response]]:
    """Return the views of one worker; each decorated function keeps the cache of its first call."""

    @cache_region("short", "prices")
    def price(item: str) -> str:
        _calls.append(item)
        return f"{item}: {len(_calls)} calls"

    @cache_region("long", "menus")
    def menu(language: str, level: int) -> list[str]:
        _calls.append(language)
        return [f"{language}{number}" for number in range(level)]

    def home(request: Request) -> Response:
        item = request.params.get("item", "tea")
        request.session["last"] = item
        shown = f"{price(item)} {menu('é', 2)} {menu('en', 1)} {len(_calls)}"
        return Response(escape(shown))

    def change(request: Request) -> Response:
        region_invalidate(price, "short", "prices", request.params["item"])
        return Response(str(request.session.get("last")))

    return home, change


class TestCatalogue(ApplicationContract):
    """A catalogue with cached functions."""

    ini = """
        pyramid.includes = pyramid_beaker
        cache.regions = short, long
        cache.type = file
        cache.data_dir = %(here)s/cache/data
        cache.lock_dir = %(here)s/cache/lock
        cache.short.expire = 60
        cache.long.expire = 3600
        session.type = file
        session.data_dir = %(here)s/sessions
        session.key = catalogue
        session.secret = a secret of the site
        session.httponly = true
    """
    changes: ClassVar[Changes] = {
        "cache.type": "ext:mongodb_soajs",
        "cache.url": "MONGO",
        "session.type": "ext:mongodb_soajs",
        "session.url": "MONGO",
    }

    @staticmethod
    def make(settings: Settings) -> Any:
        """Return the application."""
        # Beaker keeps the caches of a process by name. Each worker is another process.
        cache_managers.clear()
        config = Configurator(settings=settings)
        home, change = _views()
        config.add_route("home", "/")
        config.add_view(home, route_name="home")
        config.add_route("change", "/change")
        config.add_view(change, route_name="change")
        return config.make_wsgi_app()

    @staticmethod
    def visit(visitor: Transcript) -> None:
        """Look at prices, and change one."""
        _calls.clear()
        for _ in range(3):
            visitor.get("/?item=tea")
        visitor.get("/?item=cup")
        visitor.post("/change", item="tea")
        visitor.get("/?item=cup")
        assert "tea: 5 calls" in visitor.get("/?item=tea")
        visitor.get("/?item=tea")

    @staticmethod
    def check_stored(database: Db) -> None:
        """Cached values and sessions have collections of their own."""
        assert 1 == database.sessions.count_documents({"session.last": "tea"})
        assert 4 == database.cache.count_documents({})


class TestLongIni(TestCatalogue):
    """The same with an INI file that has grown for years."""

    ini = (
        TestCatalogue.ini
        + """
        debugtoolbar.hosts = 127.0.0.1
        sqlalchemy.url = sqlite://
        mail.host = localhost
        session.cookie_expires = true
        session.lock_dir = %(here)s/locks
        session.auto = false
        # session.type = ext:memcached
        session.url = 127.0.0.1:11211
        session.memcache_module = pylibmc
        session.sa.pool_recycle = 3600
        session.table_name = beaker_session
        session.encrypt_nonce_bits = 128
        session.crypto_type = default
        session.invalidate_corrupt = true
        session.samesite = Lax
        session.save_accessed_time = true
        session.timeout = 7200
        session.cookie_path = /
        session.dbm_dir =
        cache.sa.url = sqlite://
        cache.file_dir =
        cache.key_length = 250
        cache.enabled = true
        """
    )
    changes = TestCatalogue.changes
