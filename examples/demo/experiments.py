"""The experiments: real HTTP requests to the applications of the lab, and their measured times."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from examples.demo.client import REQUEST_SECONDS, Answer, Browser, visit
from examples.demo.lab import BEAKER, HERE, Lab

RACERS = 8
CLICKS = 20
_WORK_MS = 40
TITLES = {BEAKER: "Beaker's own ext:mongodb", HERE: "beaker_mongo_soajs"}


@dataclass(frozen=True)
class Bar:
    """A request in a timeline, in milliseconds from the first one.

    :param label: what it does.
    :param begin: when it began.
    :param loaded: when it had loaded its session.
    :param end: when its session was saved.
    :param kept: whether its change is in the database afterwards.
    """

    label: str
    begin: float
    loaded: float
    end: float
    kept: bool


@dataclass(frozen=True)
class Outcome:
    """What one application did.

    :param title: the application.
    :param verdict: what happened, in a few words.
    :param good: whether a visitor would be content.
    :param bars: the requests.
    :param id: the session id afterwards.
    :param facts: more observations.
    """

    title: str
    verdict: str
    good: bool
    bars: Sequence[Bar] = ()
    id: str = ""
    facts: Sequence[str] = ()


class Experiments:
    """The experiments.

    :param lab: the applications.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def browser(self, port: int, application: str, cookie: str = "") -> Browser:
        """Return a browser at an application."""
        return Browser(self._lab, port, application, cookie)

    def race(self, port: int) -> list[Outcome]:
        """Send eight requests at once that set different keys of one session."""
        return [self._race(self.browser(port, name)) for name in (BEAKER, HERE)]

    def log_out_late(self, port: int) -> list[Outcome]:
        """Log out while a slow request of the same session runs, and return with the old cookie."""
        return [self._log_out_late(self.browser(port, name)) for name in (BEAKER, HERE)]

    def click(self, port: int) -> list[Outcome]:
        """Count twenty clicks at once, without a lock and with one."""
        return [
            self._click(self.browser(port, HERE), step, title)
            for step, title in (("count", "without a lock"), ("count-locked", "session.locked()"))
        ]

    def replay(self, port: int) -> list[Outcome]:
        """Log in, which gives the session a new id, and replay the cookie from before."""
        return [self._replay(self.browser(port, name)) for name in (BEAKER, HERE)]

    @staticmethod
    def log_in_elsewhere(port: int, user: str) -> None:
        """Log a user in with a browser of its own, as a second device does.

        :param port: the port of the demo.
        :param user: the name.
        """
        cookies: SimpleCookie = SimpleCookie()
        page = visit(port, cookies, "GET", "/devices")
        token = re.search(r'name="token" value="(\w+)"', page)
        assert token is not None
        form = urlencode({"token": token[1], "name": user, "panel": "devices"})
        visit(port, cookies, "POST", "/login", form)

    def _race(self, browser: Browser) -> Outcome:
        browser.go("set", key="begun")
        keys = [f"change {number}" for number in range(1, RACERS + 1)]
        answers = _at_once(
            [partial(browser.go, "set", keep=False, key=key, work=_WORK_MS) for key in keys]
        )
        there = browser.go("read").session
        lost = sum(key not in there for key in keys)
        return Outcome(
            TITLES[browser.application],
            f"{lost} of {RACERS} changes lost" if lost else f"0 of {RACERS} changes lost",
            not lost,
            _bars(answers, keys, [key in there for key in keys]),
            browser.id,
        )

    def _log_out_late(self, browser: Browser) -> Outcome:
        browser.go("login", user="ann")
        loaded, done = secrets.token_hex(8), secrets.token_hex(8)
        old = browser.cookie

        def log_out() -> Answer:
            self._lab.event(loaded).wait(REQUEST_SECONDS)
            time.sleep(_WORK_MS / 1000)
            answer = browser.go("logout", keep=False)
            self._lab.event(done).set()
            return answer

        try:
            slow, out = _at_once(
                [
                    lambda: browser.go(
                        "set", keep=False, key="note", announce=loaded, until=done, work=_WORK_MS
                    ),
                    log_out,
                ]
            )
        finally:
            self._lab.forget(loaded, done)
        back = self._returned(browser, old)
        logged_in = back.session.get("user") == "ann"
        return Outcome(
            TITLES[browser.application],
            "logged in again" if logged_in else "stays logged out",
            not logged_in,
            _bars([slow, out], ["slow request", "logout"], [not logged_in, True]),
            browser.copy(old).id,
        )

    def _click(self, browser: Browser, step: str, title: str) -> Outcome:
        browser.go("set", key="begun")
        answers = _at_once([lambda: browser.go(step, keep=False)] * CLICKS)
        count = browser.go("read").session.get("count", 0)
        labels = [f"click {number}" for number in range(1, CLICKS + 1)]
        good = count == CLICKS
        return Outcome(
            title,
            f"counted {count} of {CLICKS}",
            good,
            _bars(answers, labels, [good] * CLICKS),
            browser.id,
        )

    def _replay(self, browser: Browser) -> Outcome:
        browser.go("set", key="cart", value="flask")
        before = browser.cookie
        browser.go("login", user="ann")
        old = self._returned(browser, before)
        is_valid = bool(old.session)
        return Outcome(
            TITLES[browser.application],
            "the old cookie still works" if is_valid else "the old cookie is refused",
            not is_valid,
            id=browser.id,
            facts=(
                f"After the login, the cookie from before it opens {_shown(old.session)}.",
                f"The new cookie opens {_shown(browser.go('read').session)}.",
            ),
        )

    @staticmethod
    def _returned(browser: Browser, cookie: str) -> Answer:
        return browser.copy(cookie).go("read")


def _shown(session: Mapping[str, Any]) -> str:
    if not session:
        return "no session"
    return "a session with " + ", ".join(f"{key} = {value}" for key, value in session.items())


def _at_once(requests: Sequence[Callable[[], Answer]]) -> list[Answer]:
    barrier = threading.Barrier(len(requests))

    def send(request: Callable[[], Answer]) -> Answer:
        barrier.wait(REQUEST_SECONDS)
        return request()

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(send, requests))


def _milliseconds(times: tuple[float, float, float], first: float) -> tuple[float, float, float]:
    began, loaded, saved = times
    return (began - first) * 1000, (loaded - first) * 1000, (saved - first) * 1000


def _bars(answers: Sequence[Answer], labels: Sequence[str], kept: Sequence[bool]) -> list[Bar]:
    first = min(answer.times[0] for answer in answers)
    return [
        Bar(label, *_milliseconds(answer.times, first), kept=is_kept)
        for label, answer, is_kept in zip(labels, answers, kept, strict=True)
    ]
