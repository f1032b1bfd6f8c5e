"""Caches with many values."""

import pickle
import time
import uuid
from collections.abc import Iterator
from statistics import median
from typing import Any

import pytest
from beaker.cache import Cache

from tests.conftest import Options
from tests.recorder import Commands

LARGE = 100_000
NAMES = 1_000


@pytest.fixture(scope="module")
def entries(mongo_client: Any, mongo_url: str) -> Iterator[Options]:
    """Fill a database."""
    name = f"test_{uuid.uuid4().hex}"
    database = mongo_client[name]
    payload = pickle.dumps((time.time(), None, "value"))
    for first in range(0, LARGE, 10_000):
        database.cache.insert_many(
            {
                "_id": {"ns": f"n{number % NAMES}", "key": str(number).encode()},
                "value": payload,
                "version": number,
                "fresh_until": None,
                "expires": None,
            }
            for number in range(first, first + 10_000)
        )
    yield {"url": mongo_url, "name": name}
    mongo_client.drop_database(name)


@pytest.mark.slow
class TestScale:
    """A hundred thousand entries in a thousand namespaces."""

    def test_clear_examines_its_own(
        self, entries: Options, mongo_client: Any, commands: Commands
    ) -> None:
        """To clear or list a namespace, the server reads only its hundred entries."""
        commands.databases.add(entries["name"])
        cache = Cache("n1", type="ext:mongodb_soajs", **entries)
        assert 100 == len(cache.namespace.keys())
        cache.clear()
        assert [] == cache.namespace.keys()
        database = mongo_client[entries["name"]]
        assert LARGE - 100 == database.cache.count_documents({})
        (delete,) = [event.command for event in commands.started if event.command_name == "delete"]
        (find, _) = [event.command for event in commands.started if event.command_name == "find"]
        for query in (delete["deletes"][0]["q"], find["filter"]):
            # The namespace beside it has as many, and is still there.
            for bound in query["_id"].values():
                bound["ns"] = "n2"
            plan = database.command(
                "explain",
                {"find": "cache", "filter": query},
                verbosity="executionStats",
            )["executionStats"]
            assert (100, 100) == (plan["nReturned"], plan["totalDocsExamined"])
            assert plan["totalKeysExamined"] <= 101

    def test_hit_costs_what_it_costs_with_few(
        self, entries: Options, options: Options, mongo_client: Any
    ) -> None:
        """The time of a hit does not depend on the number of entries."""
        many = Cache("n5", type="ext:mongodb_soajs", **entries)
        few = Cache("n5", type="ext:mongodb_soajs", **options)
        keys = [str(number).encode() for number in range(5, LARGE, NAMES)]
        for key in keys:
            few.put(key, "value")
        spent: dict[Cache, list[float]] = {many: [], few: []}
        for _ in range(5):
            for key in keys:
                for cache, times in spent.items():
                    start = time.perf_counter()
                    assert "value" == cache.get(key)
                    times.append(time.perf_counter() - start)
        assert median(spent[many]) < 1.5 * median(spent[few])
        plan = mongo_client[entries["name"]].command(
            "explain",
            {"find": "cache", "filter": {"_id": {"ns": "n5", "key": b"5"}}},
            verbosity="executionStats",
        )
        assert "IDHACK" == plan["queryPlanner"]["winningPlan"]["stage"]
        assert 1 == plan["executionStats"]["totalKeysExamined"]
