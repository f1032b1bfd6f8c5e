"""The options that Beaker passes to a backend, Beaker's own options among them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from beaker import cache, middleware, session, util
from beaker.container import MemoryNamespaceManager
from pyramid_beaker import BeakerSessionFactoryConfig, set_cache_regions_from_settings

from beaker_mongo_soajs import ConfigError
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import BEAKER_OPTIONS
from tests.application import Site
from tests.conftest import Options

OPTIONS = {"name": "shop", "URLParam.maxPoolSize": "7", "servers": "db1"}
EXPECTED = DbConfig.from_options(OPTIONS)

passed: list[dict[str, Any]] = []


class Backend(MemoryNamespaceManager):
    """Record the options that Beaker passes."""

    def __init__(self, namespace: str, **options: Any) -> None:
        super().__init__(namespace)
        passed.append(options)


@pytest.fixture(autouse=True)
def _backend() -> Iterator[None]:
    cache.clsmap._clsmap["ext:recorded"] = Backend
    passed.clear()
    yield
    del cache.clsmap._clsmap["ext:recorded"]
    cache.cache_managers.clear()
    cache.cache_regions.clear()


def everything(prefix: str) -> dict[str, Any]:
    """Return all options with a prefix."""
    own = {"type": "ext:recorded", "data_dir": "/tmp/x", "lock_dir": "/tmp/x", "log_file": None}
    return {f"{prefix}{name}": value for name, value in {**own, **OPTIONS}.items()}


def arguments(function: Any) -> set[str]:
    """Return the names of a function's arguments."""
    return set(inspect.signature(function).parameters) - {
        "self",
        "namespace_args",
        "nsargs",
        "kwargs",
    }


def rules(function: Any) -> set[str]:
    """Return the names of the options that one of Beaker's functions coerces."""
    return set(re.findall(r"\('(\w+)', \(", inspect.getsource(function)))


def test_all_options_of_beaker_are_known() -> None:
    """The list contains every option of the installed Beaker and pyramid_beaker."""
    known = (
        arguments(session.Session.__init__)
        | arguments(session.CookieSession.__init__)
        | arguments(cache.Cache.__init__)
        | rules(util.coerce_session_params)
        | rules(util.coerce_cache_params)
    )
    assert {"timeout", "lock_dir", "expire", "key_length"} <= known
    assert known <= BEAKER_OPTIONS


@pytest.mark.parametrize("prefix", ["session.", "beaker.session."])
def test_session_middleware(prefix: str) -> None:
    """The options that SessionMiddleware passes are read, with and without a timeout."""
    more = {f"{prefix}timeout": "600", f"{prefix}auto": "true", f"{prefix}webtest_varname": "s"}
    for config in (everything(prefix), {**everything(prefix), **more}):
        middleware.SessionMiddleware(None, config)._get_session().load()
    assert [EXPECTED] * len(passed) == [DbConfig.from_options(options) for options in passed]
    assert any("timeout" in options for options in passed)


def test_keyword_arguments_are_passed_twice() -> None:
    """The Paste filter's keyword arguments arrive with and without the prefix, and are read."""
    app = middleware.session_filter_app_factory(None, {}, **everything("beaker.session."))
    app._get_session().load()
    assert any(name.startswith("beaker.session.") for name in passed[0])
    assert EXPECTED == DbConfig.from_options(passed[0])


def test_cache_manager() -> None:
    """The options that CacheManager passes are read."""
    options = util.parse_cache_config_options(everything("cache."))
    cache.CacheManager(**options).get_cache("prices", expire=60)
    assert EXPECTED == DbConfig.from_options(passed[0])


def test_cache_regions() -> None:
    """The options that a cache region passes are read."""
    config = {**everything("cache.short."), "cache.regions": "short", "cache.lock_dir": "/tmp/x"}
    manager = cache.CacheManager(**util.parse_cache_config_options(config))
    manager.get_cache_region("prices", "short")
    assert EXPECTED == DbConfig.from_options(passed[0])


def test_cache_middleware_with_keyword_arguments() -> None:
    """CacheMiddleware passes keyword arguments twice, and they are read."""
    app = middleware.CacheMiddleware(None, None, **everything("cache."))
    app.cache_manager.get_cache("prices")
    assert any(name.startswith("cache.") for name in passed[0])
    assert EXPECTED == DbConfig.from_options(passed[0])


def test_pyramid_session() -> None:
    """The options that pyramid_beaker passes to a session are read."""
    options = {**everything(""), "cookie_on_exception": True, "constant_csrf_token": False}
    factory = BeakerSessionFactoryConfig(**options)
    session.Session({}, use_cookies=False, **factory._options).load()
    assert EXPECTED == DbConfig.from_options(passed[0])


def test_pyramid_cache_regions() -> None:
    """The options that pyramid_beaker passes to a cache region, url=None included, are read."""
    settings = {
        name: value for name, value in everything("cache.short.").items() if value is not None
    }
    set_cache_regions_from_settings({**settings, "cache.regions": "short"})
    cache.Cache._get_cache("prices", cache.cache_regions["short"])
    assert passed[0]["url"] is None
    assert EXPECTED == DbConfig.from_options(passed[0])


class TestMisusedOptions:
    """Options that Beaker's own middlewares pass on, and that have no effect there."""

    @pytest.mark.parametrize(
        ("option", "words"),
        [
            ("Encrypt_Key", "Write encrypt_key"),
            ("Timeout", "Write timeout"),
            ("SameSite", "Write samesite"),
            ("expire", "Use timeout"),
            ("regions", "Set cache.regions"),
            ("timout", "Did you mean timeout"),
            ("session.name", "its prefix session. is not expected"),
            ("check_at_start", "beaker_mongo_soajs.SessionMiddleware"),
        ],
    )
    def test_session(self, options: Options, option: str, words: str) -> None:
        """A session refuses an option that Beaker does not use, on the first request."""
        options = {name: item for name, item in options.items() if name != "name"}
        site = Site(options | {"prefix": "test_", option: "60", "invalidate_corrupt": False})
        with pytest.raises(ConfigError, match=words):
            site.visitor("an-id").read()

    @pytest.mark.parametrize(
        ("option", "words"),
        [
            ("encrypt_key", "Cached values are not encrypted"),
            ("timeout", "Use expire"),
            ("Expire", "Write expire"),
            ("ttl", "Use expire, Beaker's option for caches"),
        ],
    )
    def test_cache(self, options: Options, option: str, words: str) -> None:
        """A cache refuses an option that Beaker does not use for caches."""
        settings = {f"cache.{name}": item for name, item in options.items()}
        settings |= {"cache.type": "ext:mongodb_soajs", f"cache.{option}": "60"}
        manager = cache.CacheManager(**util.parse_cache_config_options(settings))
        with pytest.raises(ConfigError, match=words):
            manager.get_cache("prices").get_value("tea", createfunc=lambda: 5)

    def test_lines_of_another_backend(
        self, options: Options, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Lines that are left from another backend are named in one warning."""
        left = {"memcache_module": "pylibmc", "table_name": "t", "sa.url": "sqlite://", "urls": ""}
        visitor = Site(options | left | {"timeout": 1800}).visitor()
        for _ in range(3):
            visitor.save(user="ann")
        assert {"user": "ann"} == visitor.read()
        name = "beaker_mongo_soajs.config.start_warnings"
        [text] = [each.getMessage() for each in caplog.records if each.name == name]
        assert [] == [line for line in left if line not in text]
