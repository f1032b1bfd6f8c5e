"""What one request loaded or saved: its document, and the lifetime of that."""

from datetime import datetime

from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.clock import Clock
from beaker_mongo_soajs.sessions.coder import SessionCoder
from beaker_mongo_soajs.sessions.express import max_age_seconds, with_max_age
from beaker_mongo_soajs.sessions.lifetime import Terms
from beaker_mongo_soajs.sessions.serializer import Serializer
from beaker_mongo_soajs.sessions.stored import StoredId, StoredSession
from beaker_mongo_soajs.sessions.writer import SessionWriter


class LoadedSession:
    """Hold what a request loaded or saved.

    :param writer: loads and saves documents.
    :param coder: how the session is stored.
    """

    __slots__ = ("_known", "_writer", "coder")

    def __init__(self, writer: SessionWriter, coder: SessionCoder) -> None:
        self._writer = writer
        self.coder = coder
        """How the session is stored."""
        self._known: StoredSession | None = None

    @property
    def stored_id(self) -> StoredId | None:
        """Return the ``_id`` of the document, if the session is stored."""
        return None if self._known is None else StoredId(self._known.stored_id)

    @property
    def clock(self) -> Clock:
        """The clock by which sessions count."""
        return self._writer.documents.clock

    @property
    def idle_seconds(self) -> float | None:
        """The idle timeout of this session, if it has one of its own."""
        return self._known.terms.idle_seconds if self._known and self._known.terms else None

    @property
    def ends_by_date(self) -> bool:
        """Whether ``expires`` alone decides when the session ends, without Beaker's timeout."""
        return self._known is not None and self._writer.documents.ends_by_date(self._known)

    @property
    def native_cookie(self) -> Document | None:
        """The stored cookie of express-session, if it has one, with a new date."""
        cookie = self._known and self._known.cookie
        return None if cookie is None else with_max_age(cookie, self.idle_seconds, self.clock.now())

    def set_lifetime(self, seconds: float | None, ends: datetime | None = None) -> None:
        """Give the stored session a lifetime of its own, or take it away, if that is a change.

        :param seconds: the idle timeout; ``None`` for that of the configuration.
        :param ends: the date on which it ends, in naive UTC, in use or not; ``None`` for no date.
        """
        if self._known is None:
            return
        if seconds is None and ends is None:
            # With a cookie of express-session, that holds the lifetime of the configuration, too.
            seconds = max_age_seconds(self.coder.new_cookie(self._known.form))
        terms = self._known.terms or Terms()
        if (seconds, ends) != (terms.idle_seconds, terms.ends):
            self._writer.set_lifetime(self._known, seconds, ends)

    @property
    def stored_serializer(self) -> Serializer | None:
        """Return the serializer that the loaded document names, if it does."""
        return None if self._known is None else self._known.serializer

    def _expires(self) -> datetime:
        terms = None if self._known is None else self._known.terms
        return self._writer.documents.expires(terms)

    def extend_if_half_over(self) -> None:
        """Move ``expires`` if half of the time has passed, for times that are not saved."""
        if self._known is not None:
            self._writer.extend_if_half_over(self._known)
