"""The experiments: real requests to a real server, and what they show."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from waitress.server import create_server
from webtest import TestApp

from beaker_mongo_soajs.testing import MongoServer
from examples.demo.app import Demo
from examples.demo.database import GivenDatabase, OwnDatabase
from examples.demo.experiments import CLICKS, RACERS, Experiments
from examples.demo.lab import BEAKER, HERE, SHORT
from tests.conftest import Db
from tests.demo.support import text_of
from tests.waiting import wait_until

# Beaker says so with the full session id and the error of PyMongo.
pytestmark = pytest.mark.filterwarnings("ignore:Invalidating corrupt session")


def serve(demo: Demo) -> Iterator[int]:
    """Serve a demo over HTTP, and yield its port."""
    server: Any = create_server(demo, host="127.0.0.1", port=0, threads=48)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.effective_port
    finally:
        # The loop may wake up by itself, and have closed everything before it is woken.
        with contextlib.suppress(OSError):
            server.trigger.pull_trigger(server.close)
        # The loop of the server ends when it has no sockets.
        server.task_dispatcher.shutdown()
        thread.join(30)


class Browser:
    """A browser at a demo, whose experiments use a port at which it is served."""

    def __init__(self, demo: Demo, port: int) -> None:
        """Open no page yet."""
        self.app = TestApp(demo, {"SERVER_PORT": str(port)})

    def submit(self, panel: str, path: str, **fields: str) -> str:
        """Send a form of a panel, and return the text of the next page."""
        page = self.app.get(f"/{panel}", expect_errors=True)
        form = page.forms[0]
        hidden = [("token", form["token"].value), ("panel", panel)]
        answer = self.app.post(path, [*hidden, *fields.items()], status=303)
        assert answer.location is not None
        return text_of(self.app.get(answer.location, expect_errors=True))


@pytest.fixture
def port(demo: Demo) -> Iterator[int]:
    """Serve the demo."""
    yield from serve(demo)


@pytest.fixture
def experiments(demo: Demo) -> Experiments:
    """Return the experiments of the demo."""
    return demo.experiments


class TestVerdicts:
    """What the two applications do."""

    def test_race(self, experiments: Experiments, port: int, database: Db) -> None:
        """Requests at once lose changes with Beaker's backend, and none with this package."""
        beaker, here = experiments.race(port)
        assert (False, True) == (beaker.good, here.good)
        assert f"0 of {RACERS} changes lost" == here.verdict
        document = database.lab.find_one({"_id": here.id})
        assert document is not None
        changes = {f"change {number}" for number in range(1, RACERS + 1)}
        assert changes <= document["session"].keys()
        assert all(bar.begin <= bar.loaded < bar.end for bar in here.bars)

    def test_log_out_late(self, experiments: Experiments, port: int, database: Db) -> None:
        """A slow request undoes a logout with Beaker's backend only."""
        beaker, here = experiments.log_out_late(port)
        assert ("logged in again", "stays logged out") == (beaker.verdict, here.verdict)
        assert 1 == database.backer_cache.count_documents({"_id": f"{beaker.id}:session"})
        assert 0 == database.lab.count_documents({"session.user": "ann"})

    def test_click(self, experiments: Experiments, port: int) -> None:
        """Clicks at once are all counted under a lock, and not without one."""
        without, locked = experiments.click(port)
        assert f"counted {CLICKS} of {CLICKS}" == locked.verdict
        assert not without.good

    def test_replay(self, experiments: Experiments, port: int) -> None:
        """A cookie from before a login works with Beaker's backend only."""
        beaker, here = experiments.replay(port)
        assert (False, True) == (beaker.good, here.good)

    @pytest.mark.parametrize("experiment", ["race", "log_out_late", "replay"])
    def test_a_store_that_loses_is_noticed(
        self, demo: Demo, experiments: Experiments, port: int, experiment: str
    ) -> None:
        """With Beaker's middleware in the place of this package's, an experiment shows a loss."""
        demo.lab.applications[HERE] = demo.lab.applications[BEAKER]
        _, here = getattr(experiments, experiment)(port)
        assert not here.good


class TestPanels:
    """The panels of the page."""

    @pytest.mark.parametrize(
        ("panel", "shown"),
        [
            ("race", f"0 of {RACERS} changes lost"),
            ("late", "stays logged out"),
            ("lock", f"counted {CLICKS} of {CLICKS}"),
            ("id", "the old cookie is refused"),
        ],
    )
    def test_the_verdict_is_shown(self, demo: Demo, port: int, panel: str, shown: str) -> None:
        """A button runs the experiment, and the page shows its outcome."""
        assert shown in Browser(demo, port).submit(panel, f"/run/{panel}")

    def test_devices(self, demo: Demo, port: int, database: Db) -> None:
        """A user sees all devices by handle, and ends one, all others, or all."""
        browser = Browser(demo, port)
        browser.submit("devices", "/login", name="ann")
        for _ in range(3):
            page = browser.submit("devices", "/devices/add")
        assert 3 == page.count("Safari on iPhone")
        assert 4 == database.sessions.count_documents({"session.user": "ann"})
        handles = re.findall(r'name="handle" value="(\w+)"', browser.app.get("/devices").text)
        assert "That device is logged out." in browser.submit(
            "devices", "/devices/end", handle=handles[0]
        )
        assert "2 other devices are logged out." in browser.submit("devices", "/devices/others")
        browser.submit("devices", "/devices/add")
        assert "2 sessions ended." in browser.submit("devices", "/devices/all")
        assert 0 == database.sessions.count_documents({"session.user": "ann"})

    def test_devices_need_a_login(self, demo: Demo, port: int) -> None:
        """Without a login, there are no devices to end."""
        browser = Browser(demo, port)
        token = browser.app.get("/devices").forms[0]["token"].value
        answer = browser.app.post("/devices/all", {"token": token}, status=400)
        assert "Log in first." in text_of(answer)

    def test_expiry(self, demo: Demo, port: int, database: Db) -> None:
        """A session of 20 seconds counts down, and is new after them."""
        browser = Browser(demo, port)
        assert "has begun" in browser.submit("expiry", "/run/expiry")
        assert "Used in time" in browser.submit("expiry", "/run/expiry")
        database.short.update_many({}, {"$inc": {"session._accessed_time": -21}})
        assert "had expired" in browser.submit("expiry", "/run/expiry")

    def test_the_shown_code_is_the_code_that_runs(self, demo: Demo, port: int) -> None:
        """The panel shows the files of the examples."""
        page = text_of(Browser(demo, port).app.get("/code"))
        for name in ("webob/wsgi.py", "pyramid/site.ini", "flask/wsgi.py", "bottle/wsgi.py"):
            assert f"examples/{name}" in page

    def test_only_the_demo_calls_the_lab(self, demo: Demo, port: int) -> None:
        """A browser cannot use the applications of the experiments."""
        for name in (BEAKER, HERE, SHORT):
            Browser(demo, port).app.get(f"/lab/{name}/read", status=404)


class TestOutage:
    """A server that stops and starts."""

    def test_outage(self, database_name: str) -> None:
        """Visitors of this package keep their sessions; the page says so, and recovers."""
        with MongoServer() as server:
            demo = Demo(OwnDatabase(server), database_name)
            for port in serve(demo):
                browser = Browser(demo, port)
                browser.submit("outage", "/login", name="ann")
                page = browser.submit("outage", "/outage/stop")
                assert "The database is not answering. Your session is safe." in page
                assert not server.running
                assert "503: please try again" in page
                page = browser.submit("outage", "/outage/start")
                assert "The server is running again." in page
                (_, _, (_, after)) = demo.outage.phases
                assert ["logged in"] == [each.verdict for each in after if "soajs" in each.title]
                assert "logged in at" in text_of(browser.app.get("/shop"))
            demo.close()

    def test_a_given_server_is_not_stopped(self, demo: Demo, port: int, mongo_url: str) -> None:
        """The switch is missing, and its form does nothing, if the server is not the demo's own."""
        browser = Browser(demo, port)
        assert "which it does not stop" in text_of(browser.app.get("/outage"))
        browser.submit("outage", "/outage/stop")
        wait_until(lambda: "Run the race" in text_of(browser.app.get("/race")), 10)
        assert GivenDatabase(mongo_url).is_whole
