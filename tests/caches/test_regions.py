"""Regions of a cache."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from beaker.cache import CacheManager, cache_regions
from beaker.util import parse_cache_config_options

from beaker_mongo_soajs import MongoNamespaceManager
from beaker_mongo_soajs.namespace import SessionNamespaceManager
from tests.caches.contract import NAMESPACES
from tests.caches.support import open_cache
from tests.conftest import Db, Options


class TestRegions:
    """Regions with their own configurations."""

    @pytest.fixture(autouse=True)
    def _fresh_regions(self) -> Iterator[None]:
        yield
        cache_regions.clear()

    def test_each_has_its_own_dbconfig(
        self, options: Options, database: Db, tmp_path: Path
    ) -> None:
        """A region's dbConfig may be a file, a JSON text or individual options."""
        path = tmp_path / "dbconfig.json"
        path.write_text(json.dumps(options | {"collection": "from_file"}))
        settings = {
            "cache.regions": "file, text, dotted",
            "cache.file.type": "ext:mongodb_soajs",
            "cache.file.dbConfig": str(path),
            "cache.text.type": "ext:mongodb_soajs",
            "cache.text.dbConfig": json.dumps(options | {"collection": "from_text"}),
            "cache.dotted.type": "ext:mongodb_soajs",
            "cache.dotted.url": options["url"],
            "cache.dotted.name": options["name"],
            "cache.dotted.collection": "dotted",
            "cache.dotted.store.lockLease": "5",
        }
        manager = CacheManager(**parse_cache_config_options(settings))
        for region in ("file", "text", "dotted"):
            manager.get_cache_region(f"things of {region}", region).put("key", region)
        for collection in ("from_file", "from_text", "dotted"):
            assert 1 == database[collection].count_documents({})

    def test_sessions_and_caches_in_one_database(self, options: Options, database: Db) -> None:
        """Sessions and caches with the same options use separate collections."""
        open_cache(options).put("key", 1)
        session = SessionNamespaceManager("id", **options)
        assert "session" not in session
        assert 1 == database.cache.count_documents({})
        assert [b"key"] == open_cache(options).namespace.keys()

    def test_names_side_by_side(self, options: Options, database: Db) -> None:
        """Namespaces with unusual names are stored as they are, and kept apart."""
        for name in NAMESPACES:
            MongoNamespaceManager(name, **options)[b"key"] = name
        assert set(NAMESPACES) == {document["_id"]["ns"] for document in database.cache.find()}
        for name in NAMESPACES:
            namespace = MongoNamespaceManager(name, **options)
            assert (name, [b"key"]) == (namespace[b"key"], namespace.keys())
            namespace.remove()
            assert [] == namespace.keys()
        assert 0 == database.cache.count_documents({})
