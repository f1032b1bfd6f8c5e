"""The visitors of this process: what is shown to them, and is not in their sessions."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from examples.demo.client import Browser
from examples.demo.commands import Trace
from examples.demo.experiments import Outcome

_MOST_VISITORS = 1000
_BROWSERS = ("Firefox", "Edg", "Chrome", "Safari", "curl")
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")


@dataclass
class Visitor:
    """A browser.

    :param key: the value of its cookie
    :param seen: the document on its previous page
    :param traces: the requests since that page
    :param stringify: whether its session is stored as JSON text
    :param plain: whether its pages are read by ``session.type`` alone
    :param arrives: whether its next page follows a form, and is not a visit
    :param outcomes: the last outcomes of each experiment
    :param short: its browser at the application with short sessions
    """

    key: str
    seen: dict[str, Any] | None = None
    traces: list[Trace] = field(default_factory=list)
    stringify: bool = False
    plain: bool = False
    arrives: bool = False
    outcomes: dict[str, Sequence[Outcome]] = field(default_factory=dict)
    short: Browser | None = None


class Visitors:
    """The latest visitors. Older ones are removed, and are new visitors when they return."""

    def __init__(self) -> None:
        self._visitors: OrderedDict[str, Visitor] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Visitor:
        """Return the visitor with a key, or a new one with another key.

        :param key: the value of the cookie
        """
        with self._lock:
            visitor = self._visitors.get(key)
            if visitor is None:
                visitor = Visitor(secrets.token_urlsafe(16))
                self._visitors[visitor.key] = visitor
            self._visitors.move_to_end(visitor.key)
            if len(self._visitors) > _MOST_VISITORS:
                self._visitors.popitem(last=False)
            return visitor


def device_name(agent: str) -> str:
    """Return a short name of a browser and its system.

    :param agent: the browser, as it names itself
    """
    browser = next((name for name in _BROWSERS if name in agent), "a browser")
    system = next((name for name in _SYSTEMS if name in agent), "")
    return f"{browser.replace('Edg', 'Edge')} on {system}" if system else browser
