"""The contract of decorators, regions and the middleware of Beaker's caches."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from beaker.cache import CacheManager, cache_region, region_invalidate
from beaker.exceptions import BeakerException
from beaker.middleware import CacheMiddleware
from beaker.util import parse_cache_config_options
from pyramid_beaker import set_cache_regions_from_settings
from webtest import TestApp

from tests.caches.doubles import Clock

_Function = TypeVar("_Function", bound=Callable[..., Any])


class RegionContract:
    """The contract. Its fixtures are those of the contract of a cache."""

    def test_cache_decorator(self, manager: CacheManager, clock: Clock) -> None:
        """A decorated function is called once for each set of arguments, until it expires."""
        calls: list[Any] = []

        @_typed(manager.cache("search", expire=10))
        def search(word: str, limit: int = 5) -> str:
            calls.append(word)
            return f"{word} {limit}"

        assert ["a 5", "a 5", "b 5", "a 7"] == [
            search("a"),
            search("a"),
            search("b"),
            search("a", 7),
        ]
        assert ["a", "b", "a"] == calls
        clock.move(11)
        assert "a 5" == search("a")
        assert ["a", "b", "a", "a"] == calls

    def test_invalidate(self, manager: CacheManager) -> None:
        """The result of a decorated function for some arguments can be invalidated."""
        calls: list[str] = []

        @_typed(manager.cache("search", expire=10))
        def search(word: str) -> int:
            calls.append(word)
            return len(calls)

        assert [1, 2] == [search("a"), search("b")]
        manager.invalidate(search, "search", "a", expire=10)
        assert [3, 2] == [search("a"), search("b")]

    def test_long_arguments(self, manager: CacheManager) -> None:
        """Keys longer than key_length are distinguished as well."""

        @_typed(manager.cache("search", key_length=50))
        def search(word: str) -> str:
            return word[-1]

        words = ["x" * 500 + end for end in "abc"]
        assert list("abcabc") == [search(word) for word in words * 2]

    def test_methods(self, manager: CacheManager) -> None:
        """The key of a decorated method does not include its object."""
        calls: list[str] = []

        class Thing:
            @_typed(manager.cache("load"))
            def load(self, word: str) -> int:
                calls.append(word)
                return len(calls)

        assert [1, 1, 2] == [Thing().load("a"), Thing().load("a"), Thing().load("b")]

    def test_regions(self, settings: dict[str, str], clock: Clock) -> None:
        """Regions are configured separately; functions may be decorated before that."""
        calls: list[str] = []

        @_typed(cache_region("short", "search"))
        def search(word: str) -> int:
            calls.append(word)
            return len(calls)

        with pytest.raises(BeakerException, match="short"):
            search("a")
        manager = CacheManager(
            **parse_cache_config_options(_regions(settings, "cache", short="10", long="100"))
        )

        @_typed(manager.region("long", "find"))
        def find(word: str) -> int:
            calls.append(word)
            return len(calls)

        assert [1, 2, 1, 2] == [search("a"), find("a"), search("a"), find("a")]
        clock.move(11)
        assert [3, 2] == [search("a"), find("a")]
        region_invalidate(search, None, "search", "a")
        manager.region_invalidate(find, "long", "find", "a")
        assert [4, 5] == [search("a"), find("a")]
        assert [4, 5] == [search("a"), find("a")]

    def test_disabled_region(self, settings: dict[str, str]) -> None:
        """A disabled region caches nothing."""
        options = _regions(settings, "cache", short="10") | {"cache.enabled": "false"}
        manager = CacheManager(**parse_cache_config_options(options))
        calls: list[int] = []

        @_typed(manager.region("short"))
        def count() -> int:
            calls.append(1)
            return len(calls)

        assert [1, 2] == [count(), count()]

    def test_cache_of_a_region(self, settings: dict[str, str]) -> None:
        """A cache may be opened with the options of a region."""
        options = _regions(settings, "beaker.cache", short="10")
        manager = CacheManager(**parse_cache_config_options(options))
        cache = manager.get_cache_region("things", "short")
        cache.put("key", 1)
        assert (1, 10) == (cache.get("key"), cache.expiretime)
        with pytest.raises(BeakerException, match="long"):
            manager.get_cache_region("things", "long")

    def test_middleware(self, settings: dict[str, str]) -> None:
        """CacheMiddleware puts a cache manager into the environment of each request."""
        calls: list[str] = []

        def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
            manager = environ["beaker.cache"]
            cache = manager.get_cache("pages", expire=60)
            path = environ["PATH_INFO"]

            def create() -> str:
                calls.append(path)
                return f"page {len(calls)}"

            page = cache.get(path, createfunc=create)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [page.encode()]

        config = {f"cache.{name}": value for name, value in settings.items()}
        browser = TestApp(CacheMiddleware(serve, config))
        pages = [browser.get(path).text for path in ("/a", "/b", "/a")]
        assert ["page 1", "page 2", "page 1"] == pages

    @pytest.mark.parametrize("prefix", ["cache", "beaker.cache"])
    def test_pyramid(self, settings: dict[str, str], prefix: str, clock: Clock) -> None:
        """pyramid_beaker sets up regions from its settings."""
        set_cache_regions_from_settings(_regions(settings, prefix, short="10", long="100"))
        calls: list[int] = []

        @_typed(cache_region("short"))
        def count() -> int:
            calls.append(1)
            return len(calls)

        @_typed(cache_region("long"))
        def number() -> int:
            return len(calls)

        assert [1, 1, 1] == [count(), count(), number()]
        clock.move(11)
        assert [2, 1] == [count(), number()]


def _typed(decorator: Any) -> Callable[[_Function], _Function]:
    """Return one of Beaker's decorators, which have no types, as one that keeps a function's."""
    typed: Callable[[_Function], _Function] = decorator
    return typed


def _regions(settings: dict[str, str], prefix: str, **expire: str) -> dict[str, str]:
    """Return the settings of regions, each with all it needs: none inherits a dbConfig."""
    flat = {f"{prefix}.regions": ", ".join(expire)}
    for region, seconds in expire.items():
        for name, value in settings.items():
            flat[f"{prefix}.{region}.{name}"] = value
        flat[f"{prefix}.{region}.expire"] = seconds
    return flat
