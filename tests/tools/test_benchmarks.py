"""The benchmark: that its arithmetic is right, and that it runs; never how fast anything is."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo import MongoClient

from beaker_mongo_soajs.testing import MongoServer
from benchmarks import node
from benchmarks.cells import SessionCell, Spec
from benchmarks.chart import draw
from benchmarks.contenders import (
    BEAKER,
    CONTENDERS,
    FIND_AND_MEMORY,
    FIND_UPDATE_AND_MEMORY,
    MEMORY,
    MONGO_SESSION,
    REDIS,
    SAME,
    SAME_AND_MEMORY,
    TOUCH_AFTER,
    TYPE,
)
from benchmarks.distance import proxy_process
from benchmarks.files import BEGIN, DOCUMENT, END, RESULTS, replaced
from benchmarks.measurement import BURST, Group, measure
from benchmarks.own_time import Shares, subtracted_us
from benchmarks.place import Place
from benchmarks.population import multiply_document
from benchmarks.ratios import Ratio, ratios
from benchmarks.samples import Samples, percentile
from benchmarks.tables import group_table, ratios_table, table
from benchmarks.traffic import traffic
from benchmarks.visits import cart
from benchmarks.workloads import CHANGE, LOGIN, NEW, READ
from tests.conftest import RunPython
from tests.waiting import wait_until

Client = MongoClient[dict[str, Any]]


class CountingCell:
    """A cell that stores nothing, and counts its requests."""

    def __init__(self, contender: str, threads: int = 1) -> None:
        """Serve from now on."""
        self.spec = Spec(contender, READ, threads=threads)
        self.title = f"`{contender}`"
        self.prepared: list[int] = []
        self.served: list[int] = []

    def prepare(self) -> int:
        """Return a number that it has not returned before."""
        self.prepared.append(len(self.prepared))
        return self.prepared[-1]

    def serve(self, visit: int) -> None:
        """Count the request."""
        self.served.append(visit)

    def close(self) -> None:
        """Do nothing."""


def samples(*wall_us: float, cpu_us: float = 1.0) -> Samples:
    """Return samples of requests that took so long."""
    return Samples([round(each * 1000) for each in wall_us], [cpu_us * 1000], [100.0])


@pytest.fixture
def place(mongo_url: str, mongo_client: Client, tmp_path: Path) -> Place:
    """Lend a place on the server under test, without Redis."""
    return Place(mongo_url, None, mongo_client, None, tmp_path, "")


@pytest.fixture
def cell(place: Place, request: pytest.FixtureRequest) -> Iterator[SessionCell]:
    """Lend a small cell, whose contender and workload are the test's parameter."""
    cell = SessionCell(Spec(*request.param), place, 5)
    yield cell
    cell.close()


class TestSamples:
    """What follows from single times."""

    @pytest.mark.parametrize(
        ("percent", "expected"), [(1, 1), (50, 50), (95, 95), (99, 99), (100, 100)]
    )
    def test_a_percentile_is_a_value_that_was_measured(self, percent: int, expected: int) -> None:
        """So many percent of the values do not exceed it."""
        assert expected == percentile(list(range(100, 0, -1)), percent)

    def test_times_are_told_in_microseconds(self) -> None:
        """Median and percentiles of nanoseconds, the processor's of its turns."""
        found = samples(3, 1, 2, 40, cpu_us=7)
        assert (2, 40, 40, 7) == (found.median_us, found.p95_us, found.p99_us, found.cpu_us)

    def test_raw_figures_are_nanoseconds(self) -> None:
        """What goes into the file is what was measured."""
        raw = samples(1, 2, 3).raw()
        assert (3, 2000, 2000) == (raw["requests"], raw["wall_ns"]["p50"], raw["mean_wall_ns"])
        assert raw == json.loads(json.dumps(raw))


SLOW, FAST = Spec(BEAKER, READ), Spec(TYPE, READ)
RESULTS_OF_TWO = {FAST: samples(100, cpu_us=30), SLOW: samples(400, cpu_us=90)}


class TestRatios:
    """Ratios of medians."""

    def test_time_and_processor_time(self) -> None:
        """A ratio compares medians of times, and of processor times."""
        ratio = Ratio("", [SLOW], [FAST])
        assert 4.0 == ratio.by_time(RESULTS_OF_TWO)
        assert 3.0 == ratio.by_processor_time(RESULTS_OF_TWO)

    def test_sums_of_medians(self) -> None:
        """The medians of several cells on one side are added."""
        results = RESULTS_OF_TWO | {Spec(MEMORY, READ): samples(60)}
        assert 2.5 == Ratio("", [SLOW], [FAST, Spec(MEMORY, READ)]).by_time(results)

    def test_table(self) -> None:
        """The table has a dash for a ratio that was not measured or has no meaning."""
        rows = ratios_table(
            [
                Ratio("one", [SLOW], [FAST]),
                Ratio("two", [SLOW], [FAST], by_processor=False),
                Ratio("three", [Spec(REDIS, READ)], [FAST]),
            ],
            RESULTS_OF_TWO,
        ).splitlines()[2:]
        assert ["| one | 4.00 | 3.00 |", "| two | 4.00 | — |", "| three | — | — |"] == rows

    def test_all_cells_can_be_measured(self) -> None:
        """Each ratio of the report compares workloads that its contenders support."""
        for ratio in ratios():
            for spec in (*ratio.above, *ratio.below):
                assert spec.workload in CONTENDERS[spec.contender].workloads, ratio.title


class TestOwnTime:
    """The processor time of this package's own code."""

    def test_own_time_is_what_the_others_do_not_take(self) -> None:
        """The processor time beyond that of the same commands and of Beaker without a store."""
        results = {
            Spec(TOUCH_AFTER, READ): samples(9, cpu_us=300),
            Spec(FIND_AND_MEMORY, READ): samples(9, cpu_us=260),
        }
        assert 40 == pytest.approx(subtracted_us(results, Spec(TOUCH_AFTER, READ)))

    def test_a_share_of_the_samples_is_a_share_of_the_time(self) -> None:
        """Whose code was seen in a tenth of the samples took a tenth of the time of a request."""
        shares = Shares(requests=1000, cpu_seconds=0.5)
        shares.owners.update({"this package": 10, "PyMongo": 90})
        assert 50 == pytest.approx(shares.own_us)


class TestTables:
    """Markdown."""

    def test_numbers_stand_to_the_right(self) -> None:
        """The first column is text, the others are figures."""
        expected = "| a | b |\n| --- | ---: |\n| c | 1 |\n"
        assert expected == table(["a", "b"], [["c", "1"]])

    def test_a_group_is_compared_with_two_of_its_cells(self) -> None:
        """Each median stands beside its ratio to this package's and to Beaker's."""
        group = Group("", [CountingCell(TYPE), CountingCell(BEAKER)], 1)
        group.samples = dict(RESULTS_OF_TWO)
        rows = group_table(group).splitlines()[2:]
        assert "| `session.type` | 100 | 100 | 100 | 30.0 | 1.00 | 0.25 |" == rows[0]
        assert "| `ext:mongodb` | 400 | 400 | 400 | 90.0 | 4.00 | 1.00 |" == rows[1]

    def test_only_what_stands_between_the_marks_is_replaced(self) -> None:
        """A document keeps what people wrote."""
        text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
        assert f"before\n{BEGIN}\n\nnew\n{END}\nafter\n" == replaced(text, "new")

    def test_a_document_without_marks_is_an_error(self) -> None:
        """Nothing is written where nobody can tell what is to be replaced."""
        with pytest.raises(ValueError, match="lacks the marks"):
            replaced("text", "new")

    def test_the_chart_is_drawn(self, tmp_path: Path) -> None:
        """Both files are what their names say, and equal figures make equal files."""
        results = RESULTS_OF_TWO | {
            Spec(TYPE, CHANGE): samples(5),
            Spec(TYPE, READ, round_trip_ms=1.0): samples(5),
        }
        png, svg = draw(results, tmp_path / "chart")
        assert png.read_bytes().startswith(b"\x89PNG")
        assert "<svg" in svg.read_text()
        assert svg.read_text() == draw(results, tmp_path / "again")[1].read_text()


class TestMeasurement:
    """Turns."""

    @pytest.mark.parametrize("threads", [1, 3])
    def test_all_serve_their_requests(self, threads: int) -> None:
        """Each cell serves as many as were wanted, and each of its visits once."""
        cells = [CountingCell(TYPE, threads), CountingCell(BEAKER, threads)]
        group = Group("", cells, 4 * BURST)
        told: list[int] = []
        measure([group], 2, time.monotonic() + 60, told.append)
        for cell in cells:
            assert sorted(cell.prepared) == sorted(cell.served)
            assert 4 * BURST <= len(group.samples[cell.spec].wall_ns) < len(cell.served)
        assert sum(told) == sum(len(cell.served) for cell in cells)

    def test_one_slice_is_measured_however_late_it_is(self) -> None:
        """Where time is up at once, there are figures all the same."""
        group = Group("", [CountingCell(TYPE)], 10 * BURST)
        measure([group], 5, 0.0, lambda _: None)
        assert 2 * BURST == group.served


class TestSites:
    """What is measured does what it says."""

    @pytest.mark.parametrize("size", [200, 2_000, 100_000])
    def test_a_cart_has_its_size(self, size: int) -> None:
        """It is as large as asked for, give or take one item."""
        assert size <= len(bson.encode(cart(size))) < size + 100

    @pytest.mark.parametrize(
        ("cell", "commands", "written"),
        [
            ((TYPE, READ), 2, 1),
            ((TOUCH_AFTER, READ), 1, 0),
            ((MONGO_SESSION, READ), 1, 1),
            ((SAME, READ), 1, 1),
            ((SAME_AND_MEMORY, READ), 1, 1),
            ((FIND_UPDATE_AND_MEMORY, CHANGE), 2, 1),
            ((BEAKER, READ), 4, 1),
            ((TYPE, CHANGE), 2, 1),
            ((TYPE, NEW), 1, 1),
            ((BEAKER, NEW), 2, 1),
            ((MONGO_SESSION, LOGIN), 5, 5),
        ],
        indirect=["cell"],
    )
    def test_commands_and_writes_are_counted(
        self, cell: SessionCell, commands: int, written: int
    ) -> None:
        """What a request costs is what the server counts for it."""
        found = traffic(cell)
        assert commands == pytest.approx(found.commands, abs=0.1)
        assert written == pytest.approx(found.written, abs=0.1)
        assert found.sent > 100

    def test_the_server_multiplies_a_session(self, place: Place, database_name: str) -> None:
        """Copies are under ids of the same kind, and are sessions like the first one."""
        contender, place = CONTENDERS[BEAKER], replace(place, database=database_name)
        site = contender.make(place, cart(200))
        first = site.begin().partition("=")[2]
        collection = place.direct[database_name].backer_cache
        query = {"_id": f"{first}:session"}
        ids = multiply_document(collection, query, first, 1500)
        assert 2000 == collection.count_documents({}) == len(set(ids))
        assert {len(first)} == {len(each) for each in ids}
        site.read(f"beaker.session.id={ids[-1]}")

    def test_who_is_missing_says_why(self, place: Place) -> None:
        """Nobody is left out without a word."""
        assert "there is no `redis-server` on the `PATH`" == CONTENDERS[REDIS].missing(place)
        assert CONTENDERS[TYPE].missing(place) is None

    def test_node_is_missing_without_its_programs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who asks for Node where there is none is told so."""
        monkeypatch.setenv("PATH", "")
        assert "there is no `node` on the `PATH`" == node.missing()

    def test_a_proxy_holds_data_back(self, mongo_server: MongoServer) -> None:
        """A proxy in a process of its own delays data by what it is told, in each direction."""
        with proxy_process(mongo_server.port) as proxy:
            url = f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"
            with Client(url) as client:
                client.admin.command("ping")
                proxy.delay(0.05)
                # The process reads the new delay a moment later.
                wait_until(lambda: _seconds_of_ping(client) >= 0.1, 30)


def _seconds_of_ping(client: Client) -> float:
    start = time.monotonic()
    client.admin.command("ping")
    return time.monotonic() - start


def test_a_tiny_run_writes_its_files(run_python: RunPython, tmp_path: Path) -> None:
    """From the start of the servers to the chart, with everybody who is there."""
    document = tmp_path / DOCUMENT
    document.parent.mkdir()
    document.write_text(f"# Title\n\n{BEGIN}\n{END}\n")
    code = f"from benchmarks.__main__ import main; main(['--tiny', '--root', {str(tmp_path)!r}])"
    printed = run_python(code).stdout
    (raw,) = (tmp_path / RESULTS).glob("*.json")
    figures = json.loads(raw.read_text())
    here = {cell["contender"] for cell in figures["cells"]}
    for contender in CONTENDERS.values():
        assert (contender.name in here) is not (contender.title in figures["missing"])
        assert contender.title in printed
    assert "| **MongoSession** |" in document.read_text()
    assert 2 == len(list((tmp_path / "docs" / "images").iterdir()))
