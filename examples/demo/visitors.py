"""What this process remembers of its visitors, to tell them what changed since the last page."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from examples.demo.commands import Trace

_MOST_VISITORS = 1000


@dataclass
class Visitor:
    """One browser. None of this is part of its session, so that the session stays as it would be.

    :param key: what the browser is known by
    :param seen: the document that its last page showed
    :param traces: the requests since then
    :param stringify: whether it wants its session stored as JSON text
    """

    key: str
    seen: dict[str, Any] | None = None
    traces: list[Trace] = field(default_factory=list)
    stringify: bool = False


class Visitors:
    """The latest visitors; whoever came long ago is forgotten and greeted as new."""

    def __init__(self) -> None:
        self._visitors: OrderedDict[str, Visitor] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Visitor:
        """Return a visitor; a new one, with another key, where nobody is known by this key.

        :param key: what the browser sent
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
