"""The benchmarks: their arithmetic, and that they run. No test is about speed."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import Request, urlopen

import bson
import pytest

from beaker_mongo_soajs.testing import MongoServer
from benchmarks.cells import SessionCell, Spec
from benchmarks.contenders import (
    BEAKER,
    CONTENDERS,
    FIND_AND_MEMORY,
    FIND_UPDATE_AND_MEMORY,
    MEMORY,
    MONGO_SESSION,
    REDIS,
    TYPE,
)
from benchmarks.distance import proxy_process
from benchmarks.environment import Environment
from benchmarks.figures import Figures
from benchmarks.files import BEGIN, DOCUMENT, END, RESULTS, ROOT, replaced
from benchmarks.measurement import Group
from benchmarks.own_time import Shares, subtracted_us
from benchmarks.page import page
from benchmarks.population import multiply_document
from benchmarks.ratios import Ratio, ratios
from benchmarks.samples import Samples, percentile
from benchmarks.scale.__main__ import PARTS
from benchmarks.scale.load import measure as measure_load
from benchmarks.scale.load import serve_site
from benchmarks.scale.part import TINY, Part
from benchmarks.scale.report import MARKS, write
from benchmarks.tables import group_table, ratios_table
from benchmarks.traffic import traffic
from benchmarks.visits import cart
from benchmarks.workloads import CHANGE, LOGIN, NEW, READ
from tests.conftest import IMPORTS, Client, RunPython
from tests.waiting import wait_until


def samples(*wall_us: float, cpu_us: float = 1.0) -> Samples:
    """Return samples of requests with these times."""
    return Samples([round(each * 1000) for each in wall_us], [cpu_us * 1000], [100.0])


@pytest.fixture
def place(mongo_url: str, mongo_client: Client, tmp_path: Path) -> Environment:
    """Return a place on the server under test, without Redis."""
    return Environment(mongo_url, None, mongo_client, None, tmp_path, "")


@pytest.fixture
def cell(place: Environment, request: pytest.FixtureRequest) -> Iterator[SessionCell]:
    """Return a small cell with the contender and workload of the parameter."""
    cell = SessionCell(Spec(*request.param), place, 5)
    yield cell
    cell.close()


class TestSamples:
    """Figures that are computed from single times."""

    @pytest.mark.parametrize(
        ("percent", "expected"), [(1, 1), (50, 50), (95, 95), (99, 99), (100, 100)]
    )
    def test_percentile(self, percent: int, expected: int) -> None:
        """A percentile is a measured value that this percentage of the values does not exceed."""
        assert expected == percentile(list(range(100, 0, -1)), percent)

    def test_microseconds(self) -> None:
        """Times in nanoseconds are reported in microseconds, by request and by turn."""
        found = samples(3, 1, 2, 40, cpu_us=7)
        assert (2, 40, 40, 7) == (found.median_us, found.p95_us, found.p99_us, found.cpu_us)


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

    def test_subtracted(self) -> None:
        """The processor time of the same commands and of Beaker without a store is subtracted."""
        results = {
            Spec(TYPE, READ): samples(9, cpu_us=300),
            Spec(FIND_AND_MEMORY, READ): samples(9, cpu_us=260),
        }
        assert 40 == pytest.approx(subtracted_us(results, Spec(TYPE, READ)))

    def test_sampled(self) -> None:
        """Code in a tenth of the samples took a tenth of the time of a request."""
        shares = Shares(requests=1000, cpu_seconds=0.5)
        shares.owners.update({"this package": 10, "PyMongo": 90})
        assert 50 == pytest.approx(shares.own_us)


class TestTables:
    """Tables in Markdown."""

    def test_group_table(self) -> None:
        """Each row has the ratios to this package and to Beaker's own store."""
        cells: list[Any] = [
            SimpleNamespace(spec=Spec(name, READ), title=f"`{name}`") for name in (TYPE, BEAKER)
        ]
        group = Group("", cells, 1)
        group.samples = dict(RESULTS_OF_TWO)
        rows = group_table(group).splitlines()[2:]
        assert "| `session.type` | 100 | 100 | 100 | 30.0 | 1.00 | 0.25 |" == rows[0]
        assert "| `ext:mongodb` | 400 | 400 | 400 | 90.0 | 4.00 | 1.00 |" == rows[1]

    def test_replaced(self) -> None:
        """Only the text between the marks is replaced."""
        text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
        assert f"before\n{BEGIN}\n\nnew\n{END}\nafter\n" == replaced(text, "new")

    def test_document_without_marks(self) -> None:
        """A document without the marks is an error."""
        with pytest.raises(ValueError, match="lacks the marks"):
            replaced("text", "new")


class TestSites:
    """The measured sites do what their names say."""

    @pytest.mark.parametrize("size", [200, 2_000, 100_000])
    def test_cart(self, size: int) -> None:
        """A cart has the requested size, plus one item at most."""
        assert size <= len(bson.encode(cart(size))) < size + 100

    @pytest.mark.parametrize(
        ("cell", "commands", "written"),
        [
            ((TYPE, READ), 1, 0),
            ((MONGO_SESSION, READ), 1, 0),
            ((FIND_AND_MEMORY, READ), 1, 0),
            ((FIND_UPDATE_AND_MEMORY, CHANGE), 2, 1),
            ((BEAKER, READ), 4, 1),
            ((TYPE, CHANGE), 2, 1),
            ((TYPE, NEW), 1, 1),
            ((BEAKER, NEW), 2, 1),
            ((MONGO_SESSION, LOGIN), 6, 4),
        ],
        indirect=["cell"],
    )
    def test_traffic(self, cell: SessionCell, commands: int, written: int) -> None:
        """Commands and writes of a request are those that the server counts."""
        found = traffic(cell)
        assert commands == pytest.approx(found.commands, abs=0.1)
        assert written == pytest.approx(found.written, abs=0.1)
        assert found.sent > 100

    def test_multiply_document(self, place: Environment, database_name: str) -> None:
        """Copies have ids of the same length, and are readable sessions."""
        contender, place = CONTENDERS[BEAKER], replace(place, database=database_name)
        site = contender.make(place, cart(200))
        first = site.begin().partition("=")[2]
        collection = place.direct[database_name].backer_cache
        query = {"_id": f"{first}:session"}
        ids = multiply_document(collection, query, first, 1500)
        assert 2000 == collection.count_documents({}) == len(set(ids))
        assert {len(first)} == {len(each) for each in ids}
        site.read(f"beaker.session.id={ids[-1]}")

    def test_proxy_process(self, mongo_server: MongoServer) -> None:
        """A proxy in another process delays data in each direction."""
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


def test_tiny_run(run_python: RunPython, tmp_path: Path) -> None:
    """A run measures all available contenders, and writes its files."""
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
    charts = sorted(path.stem for path in (tmp_path / "docs" / "images").iterdir())
    questions = ("distance", "size", "speed", "throughput")
    assert [f"performance-{question}" for question in questions] == charts


def test_the_page_shows_the_last_run() -> None:
    """The page Performance is made from the latest raw figures in the repository."""
    latest = max((ROOT / RESULTS).glob("????-??-??.json"))
    figures = Figures.read(json.loads(latest.read_text()))
    assert page(figures) in (ROOT / DOCUMENT).read_text()


class TestScale:
    """``make bench-scale``."""

    @pytest.fixture
    def document(self, tmp_path: Path) -> Path:
        """Return the documentation of a checkout, without results."""
        document = tmp_path / DOCUMENT
        document.parent.mkdir()
        document.write_text("\n".join(MARKS))
        return document

    # The other part needs wrk.
    @pytest.mark.parametrize("name", sorted(PARTS.keys() - {"load"}))
    def test_tiny_run(
        self, run_python: RunPython, tmp_path: Path, document: Path, name: str
    ) -> None:
        """A part measures something, and writes its table."""
        arguments = [name, "--tiny", "--root", str(tmp_path)]
        run_python(f"from benchmarks.scale.__main__ import main; main({arguments})")
        (raw,) = (tmp_path / RESULTS).glob("*.json")
        part = json.loads(raw.read_text())["parts"][name]
        assert part["figures"]
        assert f"### {part['title']}" in document.read_text()

    def test_one_part_after_the_other(self, tmp_path: Path, document: Path) -> None:
        """The results of a part are kept when another one is written."""
        for name in ("one", "two", "one"):
            write({name: Part(name, ["", "µs"], [["a request", "1"]]).raw()}, tmp_path)
        text = document.read_text()
        assert 1 == text.count("### one") == text.count("### two")

    def test_served_site(
        self, place: Environment, database_name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Gunicorn serves requests that read and change sessions."""
        monkeypatch.setenv("PYTHONPATH", IMPORTS["PYTHONPATH"])
        place = replace(place, database=database_name)
        cookie = CONTENDERS[MONGO_SESSION].make(place, cart(200)).begin()
        with serve_site(place, processes=1, threads=2, connections=1) as address:
            for path in ("/read", "/change"):
                request = Request(address + path, headers={"Cookie": cookie})
                assert 200 == urlopen(request).status
        (session,) = place.direct[database_name].sessions.find()
        assert session["session"]["visits"] > 0

    def test_without_wrk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without wrk, the command ends with the name of its package."""
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(SystemExit, match="apt-get install wrk"):
            measure_load(TINY)
