"""What visitors of two applications experience while the database is down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from examples.demo.client import Browser
from examples.demo.experiments import TITLES, Outcome
from examples.demo.lab import BEAKER, HERE, Lab

_RELOAD_SECONDS = 0.2
_MOST_REQUESTS = 32


class Outage:
    """A visitor of each application, before, during and after an outage.

    :param lab: the applications.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._browsers: list[Browser] = []
        self.phases: list[tuple[str, list[Outcome]]] = []

    def begin(self, port: int, stop: Callable[[], None]) -> None:
        """Log both visitors in, stop the database, and let them request a page.

        :param port: the port of the demo.
        :param stop: stops the database.
        """
        self._browsers = [Browser(self._lab, port, name) for name in (BEAKER, HERE)]
        for browser in self._browsers:
            browser.go("login", user="ann")
        self.phases = [("before", self._look())]
        stop()
        self.phases.append(("during the outage", self._look()))

    def end(self, start: Callable[[], None]) -> None:
        """Start the database while both visitors reload their pages, and let them request another.

        Some of these requests begin before the server is back, and end afterwards.

        :param start: starts the database.
        """
        is_up = threading.Event()
        with ThreadPoolExecutor(_MOST_REQUESTS) as pool:
            reloading = [
                threading.Thread(target=_reload, args=(browser, pool, is_up))
                for browser in self._browsers
            ]
            for thread in reloading:
                thread.start()
            try:
                # The first requests have to meet the outage.
                is_up.wait(_RELOAD_SECONDS * 2)
                start()
            finally:
                is_up.set()
                for thread in reloading:
                    thread.join()
        if self._browsers:
            self.phases.append(("afterwards", self._look()))

    def _look(self) -> list[Outcome]:
        return [_visit(browser) for browser in self._browsers]


def _reload(browser: Browser, pool: ThreadPoolExecutor, is_up: threading.Event) -> None:
    while True:
        pool.submit(browser.go, "read")
        if is_up.wait(_RELOAD_SECONDS):
            return


def _visit(browser: Browser) -> Outcome:
    answer = browser.go("read")
    if answer.session.get("user") == "ann":
        verdict, good = "logged in", True
    elif answer.status == 200:
        verdict, good = "anonymous: logged out", False
    elif answer.status == 503:
        verdict, good = "503: please try again", not answer.set_cookie
    else:
        verdict, good = f"{answer.status}: an unexpected error", False
    facts = () if good else ("The visitor has to log in again.",) if answer.status == 200 else ()
    return Outcome(TITLES[browser.application], verdict, good, facts=facts)
