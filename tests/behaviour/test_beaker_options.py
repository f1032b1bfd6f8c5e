"""What Beaker hands to a backend: its own leftovers beside the options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from beaker import cache, middleware, session, util
from beaker.container import MemoryNamespaceManager
from pyramid_beaker import BeakerSessionFactoryConfig, set_cache_regions_from_settings

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import BEAKER_OPTIONS

OPTIONS = {"name": "shop", "URLParam.maxPoolSize": "7", "servers": "db1"}
EXPECTED = DbConfig.from_options(OPTIONS)

handed: list[dict[str, Any]] = []


class Backend(MemoryNamespaceManager):
    """Note what Beaker hands over."""

    def __init__(self, namespace: str, **options: Any) -> None:
        super().__init__(namespace)
        handed.append(options)


@pytest.fixture(autouse=True)
def _backend() -> Iterator[None]:
    cache.clsmap._clsmap["ext:noted"] = Backend
    handed.clear()
    yield
    del cache.clsmap._clsmap["ext:noted"]
    cache.cache_managers.clear()
    cache.cache_regions.clear()


def everything(prefix: str) -> dict[str, Any]:
    """Give Beaker all options under a prefix."""
    own = {"type": "ext:noted", "data_dir": "/tmp/x", "lock_dir": "/tmp/x", "log_file": None}
    return {f"{prefix}{name}": value for name, value in {**own, **OPTIONS}.items()}


def arguments(function: Any) -> set[str]:
    """Name the arguments of a function."""
    return set(inspect.signature(function).parameters) - {
        "self",
        "namespace_args",
        "nsargs",
        "kwargs",
    }


def rules(function: Any) -> set[str]:
    """Name the options that one of Beaker's functions coerces."""
    return set(re.findall(r"\('(\w+)', \(", inspect.getsource(function)))


def test_all_of_beakers_own_options_are_known() -> None:
    """Every option that the installed Beaker and pyramid_beaker have themselves is left aside."""
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
    """What SessionMiddleware makes of a configuration is read, with a timeout and without."""
    more = {f"{prefix}timeout": "600", f"{prefix}auto": "true", f"{prefix}webtest_varname": "s"}
    for config in (everything(prefix), {**everything(prefix), **more}):
        middleware.SessionMiddleware(None, config)._get_session().load()
    assert [EXPECTED] * len(handed) == [DbConfig.from_options(options) for options in handed]
    assert any("timeout" in options for options in handed)


def test_keyword_arguments_are_handed_over_twice() -> None:
    """The Paste filter's keyword arguments arrive with and without the prefix, and are read."""
    app = middleware.session_filter_app_factory(None, {}, **everything("beaker.session."))
    app._get_session().load()
    assert any(name.startswith("beaker.session.") for name in handed[0])
    assert EXPECTED == DbConfig.from_options(handed[0])


def test_cache_manager() -> None:
    """What CacheManager makes of a configuration is read."""
    options = util.parse_cache_config_options(everything("cache."))
    cache.CacheManager(**options).get_cache("prices", expire=60)
    assert EXPECTED == DbConfig.from_options(handed[0])


def test_cache_regions() -> None:
    """What a cache region makes of a configuration is read."""
    config = {**everything("cache.short."), "cache.regions": "short", "cache.lock_dir": "/tmp/x"}
    manager = cache.CacheManager(**util.parse_cache_config_options(config))
    manager.get_cache_region("prices", "short")
    assert EXPECTED == DbConfig.from_options(handed[0])


def test_cache_middleware_with_keyword_arguments() -> None:
    """CacheMiddleware hands keyword arguments over twice, and they are read."""
    app = middleware.CacheMiddleware(None, None, **everything("cache."))
    app.cache_manager.get_cache("prices")
    assert any(name.startswith("cache.") for name in handed[0])
    assert EXPECTED == DbConfig.from_options(handed[0])


def test_pyramid_session() -> None:
    """What pyramid_beaker makes of a session's configuration is read."""
    options = {**everything(""), "cookie_on_exception": True, "constant_csrf_token": False}
    factory = BeakerSessionFactoryConfig(**options)
    session.Session({}, use_cookies=False, **factory._options).load()
    assert EXPECTED == DbConfig.from_options(handed[0])


def test_pyramid_cache_regions() -> None:
    """What pyramid_beaker makes of a cache region, with a url of None, is read."""
    settings = {
        name: value for name, value in everything("cache.short.").items() if value is not None
    }
    set_cache_regions_from_settings({**settings, "cache.regions": "short"})
    cache.Cache._get_cache("prices", cache.cache_regions["short"])
    assert handed[0]["url"] is None
    assert EXPECTED == DbConfig.from_options(handed[0])
