"""``beaker-mongo stats``."""

import datetime
import json
import re
import time
from types import SimpleNamespace
from typing import Any

import bson
import pytest

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.sessions.statistics import BOUNDS, percentile
from tests.cli.conftest import Run, store_as_text
from tests.cli.terminal import plain
from tests.conftest import Db, Options


def stats(command: Run) -> dict[str, Any]:
    """Return the numbers."""
    found: dict[str, Any] = json.loads(command("stats", "--format", "json").stdout)
    return found


def present(counts: dict[str, int]) -> dict[str, int]:
    """Return the ranges in which there are sessions."""
    return {name: number for name, number in counts.items() if number}


AGES = {"10 min to 1 h": 1, "1 to 7 d": 2, "30 d or more": 1}
IDLES = {"under 1 min": 1, "1 to 10 min": 1, "1 to 6 h": 1, "1 to 7 d": 1}


class TestStats:
    """``beaker-mongo stats``."""

    def test_numbers(self, store: SessionStore, command: Run, database: Db) -> None:
        """Sessions, sizes, ages and idle times are counted; expired documents are not live."""
        sizes = sorted(len(bson.encode(each)) for each in database.sessions.find())
        past = datetime.datetime(2020, 1, 1)
        database.sessions.insert_many(
            [
                {"_id": "expired", "session": {}, "expires": past},
                {"_id": "moved", "moved_to": "x", "expires": past},
            ]
        )
        found = stats(command)
        assert (4, 1, 1) == tuple(found[name] for name in ("live", "expired", "moved"))
        assert sum(sizes) == found["total_size"]
        assert (sizes[1], sizes[-1], sizes[-1]) == tuple(
            found[name] for name in ("median_size", "p95_size", "largest_size")
        )
        assert AGES == present(found["ages"])
        assert IDLES == present(found["idles"])
        assert found["indexes"]["_id_"] > 0

    def test_bounds(self, command: Run, database: Db) -> None:
        """Sessions at the bounds of a range count in it; a size is within half a percent."""
        minute, hour, day = 60.0, 3600.0, 86400.0
        now = time.time()
        for bound in (minute, 10 * minute, hour, 6 * hour, day, 7 * day, 30 * day):
            for used in (now - bound - 20, now - bound + 20):
                created = datetime.datetime.fromtimestamp(used, datetime.UTC)
                session = {"_accessed_time": used, "text": "x" * 425}
                database.sessions.insert_one({"createdAt": created, "session": session})
        size = len(bson.encode(database.sessions.find_one() or {}))
        found = stats(command)
        assert 515 == size
        assert size * 0.995 <= found["median_size"] <= size
        counts = dict(zip(BOUNDS, [1, 2, 2, 2, 2, 2, 2, 1], strict=True)) | {"unknown": 0}
        assert found["ages"] == found["idles"] == counts

    def test_text_and_ciphertext(
        self, store: SessionStore, options: Options, command: Run, database: Db
    ) -> None:
        """Times are found in JSON text, too; not in values that look like them."""
        trap = '"_accessed_time":1,"_creation_time":1'
        for id_ in list(store.ids()):
            store.set(id_, {"trap": trap} | (store.get(id_) or {}))
        store.set("none", {"trap": trap})
        store_as_text(store, options)
        database.sessions.insert_one({"_id": "ciphertext", "session": "abc"})
        found = stats(command)
        assert AGES | {"unknown": 2} == present(found["ages"])
        assert IDLES | {"unknown": 2} == present(found["idles"])
        assert f"\n  unknown        2  {'█' * 30}\n" in command("stats").stdout

    def test_no_collection(self, command: Run) -> None:
        """Without a collection, all numbers are 0."""
        found = stats(command)
        assert 0 == found["live"] == found["median_size"]
        assert {} == found["indexes"]
        assert "\n  30 d or more   0   \n" in command("stats").stdout

    def test_text_output(self, store: SessionStore, command: Run) -> None:
        """The text has the numbers and the histograms."""
        output = command("stats").stdout
        assert output.startswith(f"Live sessions             {4:>10}\n")
        assert f"\n  10 min to 1 h  1  {'█' * 15} " in output
        assert f"\n  1 to 7 d       2  {'█' * 30}\n" in output
        assert "unknown" not in output

    @pytest.mark.parametrize("terminal", [False, True])
    def test_watch(
        self, store: SessionStore, command: Run, monkeypatch: pytest.MonkeyPatch, terminal: bool
    ) -> None:
        """The numbers are renewed until Ctrl-C."""

        def sleep(seconds: float) -> None:
            assert 0.1 == seconds
            first, *others = store.ids()
            if len(others) == 1:
                raise KeyboardInterrupt
            store.destroy(first)

        monkeypatch.setattr("beaker_mongo_soajs.cli.stats.time", SimpleNamespace(sleep=sleep))
        if terminal:
            monkeypatch.setenv("FORCE_COLOR", "1")
        result = command("stats", "--watch", "--every", "100ms")
        assert 130 == result.exit_code
        assert ["4", "3", "2"] == re.findall(r"Live sessions +(\d)", plain(result.stdout))[:3]


@pytest.mark.parametrize(
    ("sizes", "part", "expected"),
    [
        ([], 0.5, 0),
        ([(10, 1)], 0.95, 10),
        ([(1, 50), (9, 50)], 0.5, 1),
        ([(1, 94), (9, 6)], 0.95, 9),
    ],
)
def test_percentiles(sizes: Any, part: float, expected: int) -> None:
    """A percentile is the smallest size that enough values do not exceed."""
    assert expected == percentile(sizes, part)
