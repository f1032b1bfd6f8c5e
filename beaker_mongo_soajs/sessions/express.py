"""The ``session.cookie`` that express-session keeps in each session. Nothing here sends a command.

express-session fails at a session without it. It holds the attributes of the session's cookie, and
with ``originalMaxAge`` the session's lifetime.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.tags import Tree

EXPRESS_COOKIE = "cookie"
"""The session key under which express-session keeps the attributes of its cookie."""

MAX_AGE_FIELDS = ("originalMaxAge", "expires")
"""The fields of the cookie that depend on the lifetime of the session."""

_MOST_SECONDS = 100 * 365 * 86400.0


@dataclass(frozen=True, slots=True, repr=False)
class ExpressCookie:
    """The cookie of a new session, as express-session would describe it.

    :param max_age_seconds: for how long the session lives untouched; ``None`` for the lifetime of
        the configuration, and a browser's cookie that ends with the browser.
    :param same_site: ``lax``, ``strict`` or ``none``; ``None`` for a cookie without the attribute.
    """

    max_age_seconds: float | None = None
    secure: bool = False
    http_only: bool = True
    domain: str | None = None
    path: str = "/"
    same_site: str | None = None

    def native(self, now: datetime) -> Document:
        """Return the nine fields that connect-mongo writes in a sub-document.

        :param now: naive UTC.
        """
        return {
            **_max_age_fields(self.max_age_seconds, now),
            "partitioned": None,
            "priority": None,
            "secure": self.secure,
            "httpOnly": self.http_only,
            "domain": self.domain,
            "path": self.path,
            "sameSite": self.same_site,
        }


MakeCookie = Callable[[], ExpressCookie | Document]
"""A function that returns the cookie of a new session; that of an earlier one in native form."""


def max_age_seconds(cookie: Tree) -> float | None:
    """Return the lifetime in a session's cookie: a positive number, or ``None``.

    :param cookie: the sub-document, as anybody may have written it.
    """
    value = cookie.get("originalMaxAge") if isinstance(cookie, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return min(value / 1000, _MOST_SECONDS) if value > 0 else None


def with_max_age(cookie: Tree, seconds: float | None, now: datetime) -> Document:
    """Return a session's cookie with another lifetime, in the native form.

    :param cookie: the cookie; anything else counts as an empty one.
    :param seconds: the lifetime, or ``None``.
    :param now: naive UTC.
    """
    kept = cookie if isinstance(cookie, dict) else {}
    return kept | _max_age_fields(seconds, now)


def as_text(cookie: Document) -> Document:
    """Return a native cookie as express-session writes it in JSON text.

    :param cookie: the cookie.
    """
    return {
        name: _iso(value) if isinstance(value, datetime) else value
        for name, value in cookie.items()
        if value is not None or name in MAX_AGE_FIELDS
    }


def _max_age_fields(seconds: float | None, now: datetime) -> dict[str, Any]:
    if seconds is None:
        return {"originalMaxAge": None, "expires": None}
    # MongoDB's dates have milliseconds.
    expires = now + timedelta(seconds=seconds)
    expires = expires.replace(microsecond=expires.microsecond // 1000 * 1000)
    return {"originalMaxAge": round(seconds * 1000), "expires": expires}


def _iso(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='milliseconds')}Z"
