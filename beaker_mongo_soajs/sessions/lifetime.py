"""How long sessions live."""

from datetime import UTC, datetime, timedelta
from typing import Any

from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.mongo.documents import Document

CREATED_AT = "createdAt"
"""The field with the date on which a session began, if ``store.maxLifetime`` is set. connect-mongo
writes the same with its option ``timestamps``."""

CREATION_TIME = "_creation_time"
"""Beaker's key for the time at which a session began."""


_MOST_SECONDS = 100 * 365 * 86400.0


class Lifetime:
    """The lifetime of the sessions of one configuration.

    :param seconds: for how long an untouched session lives.
    :param touch_after_seconds: how late times may be written.
    :param most_seconds: for how long any session lives, if there is a limit.
    :raises ConfigError: no date lies that far ahead.
    """

    def __init__(
        self, seconds: float, touch_after_seconds: float, most_seconds: float | None
    ) -> None:
        self._touch_after = timedelta(seconds=touch_after_seconds)
        # Times are written up to touchAfter late, so a session in use would end that much too
        # early.
        self._expires_after = _timedelta(seconds + touch_after_seconds, "expireAfter")
        self._most = None
        if most_seconds is not None:
            self._most = _timedelta(min(most_seconds, _MOST_SECONDS), "store.maxLifetime")

    def expires(self, now: datetime, created: datetime | None = None) -> datetime:
        """Return the date until which a session touched now lives.

        :param now: naive UTC.
        :param created: when the session began, in naive UTC.
        """
        expires = now + self._expires_after
        if self._most is None:
            return expires
        # A creation that lies ahead, by another clock, counts as now.
        return min(expires, min(created or now, now) + self._most)

    def is_touched(self, expires: datetime, now: datetime, created: datetime | None) -> bool:
        """Check whether a session was touched less than ``touchAfter`` ago.

        :param expires: the stored date.
        :param now: naive UTC.
        :param created: as for :meth:`expires`.
        """
        return self.expires(now, created) - expires < self._touch_after

    def is_half_over(self, expires: datetime, now: datetime) -> bool:
        """Check whether half of the time has passed since ``expires`` was written.

        :param expires: the stored date.
        :param now: naive UTC.
        """
        return expires - now < self._expires_after / 2

    def created(self, document: Document, session: dict[str, Any]) -> datetime | None:
        """Return when a session began, if there is a limit.

        :param document: the document.
        :param session: the session in it, as far as it can be read.
        """
        if self._most is None:
            return None
        created = document.get(CREATED_AT)
        if type(created) is datetime:
            return created
        seconds = session.get(CREATION_TIME)
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            return None
        try:
            return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
        except (ValueError, OverflowError, OSError):
            return None

    def is_over(self, created: datetime | None, now: datetime) -> bool:
        """Check whether a session has reached ``store.maxLifetime``.

        :param created: what :meth:`created` returned.
        :param now: naive UTC.
        """
        return self._most is not None and created is not None and created <= now - self._most

    def new_fields(self, now: datetime) -> Document:
        """Return the fields of a new document that hold its times.

        :param now: naive UTC.
        """
        fields: Document = {"expires": self.expires(now)}
        return fields if self._most is None else fields | {CREATED_AT: now}

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
