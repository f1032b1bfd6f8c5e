"""Servers that hang, crash and fail: requests end in time, and no session is lost or replaced."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import pytest
from beaker.middleware import SessionMiddleware

from beaker_mongo_soajs import (
    MongoSession,
    StoreUnavailable,
)
from beaker_mongo_soajs.testing import MongoServer
from tests.behaviour.scenarios import COOKIE, READ, Change, Site, cookies_in
from tests.conftest import Client, Options
from tests.waiting import wait_until

# Beaker warns of what it takes for a corrupt session even while it is told otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:Invalidating corrupt session")

VISITORS = 4
STEP_MS = 400
OPERATION_MS = 800
# What a busy machine may take for what takes no time on an idle one.
MARGIN_SECONDS = 1.5


@dataclass(frozen=True)
class Record:
    """A request of a visitor.

    :param began: when, by the monotonic clock; likewise ``ended``.
    :param cookie: the session cookie that it brought.
    :param change: what it was to do.
    :param cookies: the session cookies that the answer set.
    :param seen: the session that it saw, if it was answered.
    :param error: what it ended in otherwise.
    """

    visitor: int
    began: float
    ended: float
    cookie: str | None
    change: Change
    cookies: list[str]
    seen: dict[str, Any] | None
    error: BaseException | None


class Load:
    """Visitors who read, change and begin sessions, each in a thread, until the context ends.

    :param sites: where; the visitors take turns.
    """

    def __init__(self, *sites: Site) -> None:
        self.records: list[Record] = []
        self._sites = [sites[visitor % len(sites)] for visitor in range(VISITORS)]
        self._is_over = threading.Event()
        self._threads = ThreadPoolExecutor(VISITORS)

    def __enter__(self) -> Self:
        """Let the visitors come."""
        self._visits = [self._threads.submit(self._visit, number) for number in range(VISITORS)]
        return self

    def __exit__(self, *exception: object) -> None:
        """Wait until the last request has ended."""
        self._is_over.set()
        self._threads.shutdown()
        for visit in self._visits:
            visit.result()

    def wait_for(self, number: int, since: float, *, good: bool) -> None:
        """Wait until each visitor has made requests that ended well, or in errors.

        :param number: how many of each visitor.
        :param since: by when they began at the earliest.
        :param good: which of both.
        """

        def enough() -> bool:
            done = [
                record.visitor
                for record in list(self.records)
                if record.began > since and (record.error is None) is good
            ]
            return all(done.count(visitor) >= number for visitor in range(VISITORS))

        wait_until(enough, seconds=60)

    def _visit(self, visitor: int) -> None:
        site = self._sites[visitor]
        cookie = site.begin_session(user=visitor)
        number = 0
        # The pause leaves the server some time; nothing depends on its length.
        while not self._is_over.wait(0.005):
            number += 1
            self._request(visitor, cookie, READ)
            self._request(visitor, cookie, Change({f"k{number}": number}))
            self._request(visitor, None, Change({"user": visitor, "login": number}))

    def _request(self, visitor: int, cookie: str | None, change: Change) -> None:
        headers: list[tuple[str, str]] = []
        seen, error = None, None
        began = time.monotonic()
        try:
            seen = self._sites[visitor].serve(cookie, change, headers=headers).seen
        except Exception as caught:  # noqa: BLE001 - the tests say which it may be
            error = caught
        self.records.append(
            Record(
                *(visitor, began, time.monotonic(), cookie, change),
                *(cookies_in(headers), seen, error),
            )
        )


LIMITS = {
    # A find that a server leaves unanswered is tried once more: that may take a search for the
    # server, a connection and another wait.
    "each step": (
        {
            "serverSelectionTimeoutMS": STEP_MS,
            "connectTimeoutMS": STEP_MS,
            "socketTimeoutMS": STEP_MS,
        },
        4 * STEP_MS,
    ),
    "the operation": ({"timeoutMS": OPERATION_MS, "connectTimeoutMS": STEP_MS}, OPERATION_MS),
}


class TestOutage:
    """A server that is away under constant load."""

    @pytest.fixture(params=LIMITS)
    def limit(self, request: pytest.FixtureRequest) -> tuple[Options, float]:
        """Return options that limit the time of a request, and that time in seconds."""
        params, longest_ms = LIMITS[request.param]
        # Journaled, so that a crash takes nothing along that was confirmed.
        more = {"heartbeatFrequencyMS": 500, "journal": True}
        return {"URLParam": params | more}, longest_ms / 1000

    @pytest.mark.parametrize("fault", ["hangs", "crashes"])
    def test_sessions_outlive_it(
        self,
        options: Options,
        mongo_server: MongoServer,
        limit: tuple[Options, float],
        fault: str,
    ) -> None:
        """During an outage every request fails in time; no cookie changes, and no session is lost.

        The server hangs (SIGSTOP) or crashes (SIGKILL), and comes back.
        """
        config, longest_seconds = limit
        options |= config
        text = {"stringify": True, "collection": "texts"}
        hardened = {"session_class": MongoSession}
        sites = [Site(options | more) for more in ({}, text, hardened, text | hardened)]
        with Load(*sites) as load:
            load.wait_for(3, 0, good=True)
            mongo_server.pause() if fault == "hangs" else mongo_server.kill()
            away_since = time.monotonic()
            try:
                load.wait_for(3, away_since, good=False)
            finally:
                back_since = time.monotonic()
                mongo_server.resume() if fault == "hangs" else mongo_server.start()
            load.wait_for(3, time.monotonic(), good=True)
        during = [
            record
            for record in load.records
            if record.began > away_since and record.ended < back_since
        ]
        assert len(during) >= 3 * VISITORS
        assert [] == [record for record in during if record.error is None]
        self.check(load, longest_seconds)
        for record in load.records:
            if record.cookies:
                (cookie,) = record.cookies
                assert dict(record.change.assigned) == sites[record.visitor].read(cookie)
        for visitor, site in enumerate(sites):
            self.check_changes(site, load, visitor)

    def check(self, load: Load, longest_seconds: float) -> None:
        """Check what holds for each request, whenever it was made."""
        for record in load.records:
            assert record.ended - record.began < longest_seconds + MARGIN_SECONDS
            assert record.error is None or isinstance(record.error, StoreUnavailable)
            if record.cookie is not None or record.error is not None:
                assert [] == record.cookies
            if record.cookie is not None and record.seen is not None:
                assert record.visitor == record.seen["user"]

    def check_changes(self, site: Site, load: Load, visitor: int) -> None:
        """Check that a visitor's session holds each change that was answered."""
        mine = [record for record in load.records if record.visitor == visitor and record.cookie]
        seen = site.read(str(mine[0].cookie))
        confirmed = [record.change.assigned for record in mine if record.error is None]
        assert {} == {
            key: value
            for assigned in confirmed
            for key, value in assigned.items()
            if seen.get(key) != value
        }

    def test_without_a_socket_timeout_the_monitor_ends_the_wait(
        self, kind_options: Options, mongo_server: MongoServer
    ) -> None:
        """By default a request waits for a server that hangs until its monitor gives it up."""
        params = {"connectTimeoutMS": 500, "heartbeatFrequencyMS": 500}
        site = Site(kind_options | {"URLParam": params})
        cookie = site.begin_session(user="ann")
        mongo_server.pause()
        began = time.monotonic()
        try:
            with pytest.raises(StoreUnavailable):
                site.read(cookie)
            taken = time.monotonic() - began
        finally:
            mongo_server.resume()
        # Two heartbeats, their answers awaited, and a search for the server before the retry.
        assert taken < 2 * (0.5 + 0.5) + 1.5 + MARGIN_SECONDS
        wait_until(lambda: self.works(site, cookie))

    @pytest.mark.parametrize(
        ("fault", "params"),
        [("crashes", {"serverSelectionTimeoutMS": 3000}), ("hangs", {"timeoutMS": 3000})],
    )
    def test_a_read_does_not_wait_twice(
        self, options: Options, mongo_server: MongoServer, fault: str, params: Options
    ) -> None:
        """A retry of a read does not double the time after which the request fails."""
        site = Site(options | {"URLParam": params | {"journal": True}})
        cookie = site.begin_session(user="ann")
        mongo_server.pause() if fault == "hangs" else mongo_server.kill()
        began = time.monotonic()
        try:
            with pytest.raises(StoreUnavailable):
                site.read(cookie)
            taken = time.monotonic() - began
        finally:
            mongo_server.resume() if fault == "hangs" else mongo_server.start()
        assert 3 == pytest.approx(taken, abs=MARGIN_SECONDS)
        wait_until(lambda: self.works(site, cookie))

    def works(self, site: Site, cookie: str) -> bool:
        """Tell whether a request is answered."""
        try:
            return site.read(cookie) == {"user": "ann"}
        except StoreUnavailable:
            return False

    def test_an_application_can_answer_by_itself(
        self, kind_options: Options, mongo_server: MongoServer
    ) -> None:
        """An application can catch the error and answer itself; no cookie is set."""

        def respond(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            try:
                user = environ["beaker.session"]["user"]
            except StoreUnavailable as error:
                start_response("503 Service Unavailable", [("Retry-After", "5")])
                return [str(error.hint).encode()]
            start_response("200 OK", [])
            return [user.encode()]

        params = {"serverSelectionTimeoutMS": STEP_MS, "journal": True}
        options = kind_options | {"URLParam": params}
        cookie = Site(options).begin_session(user="ann")
        settings = {f"session.{name}": value for name, value in options.items()}
        wsgi = SessionMiddleware(respond, {"session.type": "ext:mongodb_soajs", **settings})
        answers: list[tuple[str, list[tuple[str, str]]]] = []
        environ = {"HTTP_COOKIE": f"{COOKIE}={cookie}"}
        mongo_server.kill()
        try:
            body = wsgi(dict(environ), lambda *answer: answers.append(answer[:2]))
        finally:
            mongo_server.start()
        assert [("503 Service Unavailable", [("Retry-After", "5")])] == answers
        assert [b"Nothing was sent. Try again later."] == body
        wait_until(lambda: self.works(Site(options), cookie))

    @pytest.mark.parametrize("is_login", [False, True], ids=["reads", "logs in"])
    def test_a_wrapper_can_answer_for_an_application(
        self, kind_options: Options, mongo_server: MongoServer, *, is_login: bool
    ) -> None:
        """A wrapper around the middleware can catch all errors before any header is sent."""
        params = {"serverSelectionTimeoutMS": STEP_MS, "journal": True}
        options = kind_options | {"URLParam": params}
        site = Site(options)
        cookie = None if is_login else site.begin_session(user="ann")
        headers: list[tuple[str, str]] = []
        status = 200
        mongo_server.kill()
        try:
            site.serve(cookie, Change({"user": "bob"}), headers=headers)
        except StoreUnavailable:
            status = 503
        finally:
            mongo_server.start()
        assert (503, []) == (status, headers)
        if cookie is not None:
            wait_until(lambda: self.works(site, cookie))

    def test_a_restart_needs_nobody(self, kind_options: Options, mongo_server: MongoServer) -> None:
        """After a restart of the server, the next requests are answered."""
        site = Site(kind_options)
        cookie = site.begin_session(user="ann")
        for number in range(2):
            mongo_server.restart()
            assert "ann" == site.read(cookie)["user"]
            site.serve(cookie, Change({f"k{number}": number}))
        assert {"user": "ann", "k0": 0, "k1": 1} == site.read(cookie)

    def test_a_new_process_waits_for_no_server(
        self, kind_options: Options, mongo_server: MongoServer
    ) -> None:
        """If there is no server at first, the index is made when there is one."""
        options = kind_options | {"URLParam.serverSelectionTimeoutMS": STEP_MS}
        site = Site(options)
        mongo_server.kill()
        try:
            for cookie in (None, "an-id"):
                headers: list[tuple[str, str]] = []
                with pytest.raises(StoreUnavailable):
                    site.serve(cookie, Change({"user": "ann"}), headers=headers)
                assert [] == cookies_in(headers)
        finally:
            mongo_server.start()
        wait_until(lambda: self.begins(site))
        with Client(mongo_server.url) as client:
            sessions = client[options["name"]].sessions
            wait_until(lambda: self.begins(site) and "expires_1" in sessions.index_information())

    def begins(self, site: Site) -> bool:
        """Tell whether a new visitor is answered."""
        try:
            return bool(site.begin_session(user="ann"))
        except StoreUnavailable:
            return False
