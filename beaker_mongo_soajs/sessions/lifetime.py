"""How long sessions live."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME

CREATED_AT = "createdAt"
"""The field with the date on which a session began, if ``store.maxLifetime`` is set. connect-mongo
writes the same with its option ``timestamps``."""

UPDATED_AT = "updatedAt"
"""The field with the date of the last write, if ``store.timestamps`` is set."""

IDLE_SECONDS = "idleSeconds"
"""The field with the idle timeout of a session that has one of its own."""

ENDS_AT = "endsAt"
"""The field with the date on which a session ends, in use or not, if an application set one."""

CREATION_TIME = "_creation_time"
"""Beaker's key for the time at which a session began."""

MOST_SECONDS = 100 * 365 * 86400.0
"""The longest lifetime that a session can have of its own."""


def check_idle_seconds(seconds: float) -> None:
    """Check an idle timeout.

    :param seconds: the idle timeout.
    :raises ValueError: it is not a positive number, or is more than 100 years.
    """
    if not _is_number(seconds) or not 0 < seconds <= MOST_SECONDS:
        raise ValueError(f"A lifetime must be a number of seconds above 0, and not {seconds!r}.")


@dataclass(frozen=True, slots=True, repr=False)
class Terms:
    """What is particular to the lifetime of one session.

    :param created: when it began, in naive UTC, if ``store.maxLifetime`` limits it.
    :param idle_seconds: for how long it lives untouched, if it has a lifetime of its own.
    :param ends: when it ends, in naive UTC, if an application set the date.
    :param is_exact: whether it ends no later than ``idle_seconds`` say: those of the cookie of
        express-session.
    """

    created: datetime | None = None
    idle_seconds: float | None = None
    ends: datetime | None = None
    is_exact: bool = False


class Lifetime:
    """The lifetime of the sessions of one configuration.

    :param seconds: for how long an untouched session lives.
    :param touch_after_seconds: how late times may be written.
    :param most_seconds: for how long any session lives, if there is a limit.
    :param has_timestamps: whether documents have the dates of their creation and last write.
    :raises ConfigError: no date lies that far ahead.
    """

    def __init__(
        self,
        seconds: float,
        touch_after_seconds: float,
        most_seconds: float | None,
        *,
        has_timestamps: bool = False,
    ) -> None:
        self._has_timestamps = has_timestamps
        self._touch_after = timedelta(seconds=touch_after_seconds)
        # Times are written up to touchAfter late, so a session in use would end that much too
        # early.
        self._expires_after = _timedelta(seconds + touch_after_seconds, "expireAfter")
        self._most = None
        if most_seconds is not None:
            self._most = _timedelta(min(most_seconds, MOST_SECONDS), "store.maxLifetime")

    def expires(self, now: datetime, terms: Terms | None = None) -> datetime:
        """Return the date until which a session touched now lives.

        :param now: naive UTC.
        :param terms: what is particular to the session.
        """
        if terms is None:
            created, expires = None, now + self._expires_after
        else:
            created = terms.created
            expires = now + self._after(terms) if terms.ends is None else terms.ends
        if self._most is None:
            return expires
        # A creation that lies ahead, by another clock, counts as now.
        return min(expires, min(created or now, now) + self._most)

    def is_touched(self, expires: datetime, now: datetime, terms: Terms | None) -> bool:
        """Check whether a session was touched less than ``touchAfter`` ago.

        :param expires: the stored date.
        :param now: naive UTC.
        :param terms: as for :meth:`expires`.
        """
        return self.expires(now, terms) - expires < self._interval(terms)

    def is_half_over(self, expires: datetime, now: datetime, terms: Terms | None) -> bool:
        """Check whether half of the time has passed since ``expires`` was written.

        :param expires: the stored date.
        :param now: naive UTC.
        :param terms: as for :meth:`expires`.
        """
        return expires - now < self._after(terms) / 2

    def terms(
        self, document: Document, session: dict[str, Any], max_age_seconds: float | None = None
    ) -> Terms | None:
        """Return what is particular to the lifetime of a session, if anything.

        :param document: the document.
        :param session: the session in it, as far as it can be read.
        :param max_age_seconds: the lifetime in the cookie of express-session, if there is one.
        """
        idle_seconds, is_exact = max_age_seconds, max_age_seconds is not None
        if idle_seconds is None:
            idle_seconds = document.get(IDLE_SECONDS)
        if not _is_number(idle_seconds) or not 0 < idle_seconds <= MOST_SECONDS:
            idle_seconds = None
        ends = document.get(ENDS_AT)
        if type(ends) is not datetime:
            ends = None
        if self._most is None:
            has_own = idle_seconds is not None or ends is not None
            return Terms(None, idle_seconds, ends, is_exact) if has_own else None
        return Terms(_created(document, session), idle_seconds, ends, is_exact)

    def is_over(self, terms: Terms | None, now: datetime) -> bool:
        """Check whether a session has reached its own end, or ``store.maxLifetime``.

        :param terms: as for :meth:`expires`.
        :param now: naive UTC.
        """
        if terms is None:
            return False
        if terms.ends is not None and terms.ends <= now:
            return True
        if self._most is None or terms.created is None:
            return False
        return terms.created <= now - self._most

    def new_fields(self, now: datetime, max_age_seconds: float | None = None) -> Document:
        """Return the fields of a new document that hold its times.

        :param now: naive UTC.
        :param max_age_seconds: as for :meth:`terms`.
        """
        fields: Document = {"expires": self.expires(now, self.terms({}, {}, max_age_seconds))}
        if self._most is not None or self._has_timestamps:
            fields[CREATED_AT] = now
        return fields | self.stamp(now)

    def stamp(self, now: datetime) -> Document:
        """Return the field with the date of the last write, if ``store.timestamps`` is set.

        :param now: naive UTC.
        """
        return {UPDATED_AT: now} if self._has_timestamps else {}

    def stamped(self, update: Document) -> Document:
        """Return an update that also writes that field.

        :param update: the update.
        """
        return update | {"$currentDate": {UPDATED_AT: True}} if self._has_timestamps else update

    def _after(self, terms: Terms | None) -> timedelta:
        if terms is None or terms.idle_seconds is None:
            return self._expires_after
        idle = timedelta(seconds=terms.idle_seconds)
        return idle if terms.is_exact else idle + self._touch_after

    def _interval(self, terms: Terms | None) -> timedelta:
        """Return how late the times of a session may be written."""
        if terms is None or terms.idle_seconds is None or not terms.is_exact:
            return self._touch_after
        return min(self._touch_after, timedelta(seconds=terms.idle_seconds / 60))

    def over_query(self, now: datetime) -> Document:
        """Return the filter of documents whose sessions have ended.

        :param now: naive UTC.
        """
        expired: Document = {"expires": {"$lte": now}}
        if self._most is None:
            return expired
        first = now - self._most
        seconds = first.replace(tzinfo=UTC).timestamp()
        by_session = {f"session.{CREATION_TIME}": {"$lte": seconds}}
        return {"$or": [expired, {CREATED_AT: {"$lte": first}}, by_session]}


def _created(document: Document, session: dict[str, Any]) -> datetime | None:
    created = document.get(CREATED_AT)
    if type(created) is datetime:
        return created
    seconds = session.get(CREATION_TIME)
    if not _is_number(seconds):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _timedelta(seconds: float, option: str) -> timedelta:
    try:
        lifetime = timedelta(seconds=seconds)
        datetime.now() + lifetime
    except OverflowError as error:
        raise ConfigError(
            f"A session cannot live for {seconds:g} seconds: no date lies so far ahead.",
            option=option,
            value=seconds,
            hint="Ten years are 315360000000 milliseconds.",
        ) from error
    return lifetime


def is_past(session: object, timeout: float | None) -> bool:
    """Check whether a session that was found is past its idle timeout.

    :param session: the session, or a text that only its Session can read, which never is.
    :param timeout: the idle timeout in seconds, if there is one.
    """
    if timeout is None or not isinstance(session, dict):
        return False
    now = time.time()
    return bool(now - session.get(ACCESSED_TIME, now) > timeout)
