"""The events of the session of one request."""

from time import perf_counter
from typing import Any

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.metrics import listeners
from beaker_mongo_soajs.sessions.changes import Changes
from beaker_mongo_soajs.sessions.lifetime import is_past
from beaker_mongo_soajs.sessions.record import SessionRecord


class ReportingRecord(SessionRecord):
    """Load and save the session of one request, and report that to the listeners of events."""

    __slots__ = ()

    def find(self, session_id: object, timeout: float | None = None) -> Any:
        """Load a session, and report whether it was loaded or is past its timeout."""
        start = perf_counter()
        try:
            session = super().find(session_id, timeout)
        except SerializationError:
            self._report_unreadable(session_id)
            raise
        if listeners and self._known is not None:
            limit = timeout if self.ends_by_date else self.idle_seconds or timeout
            is_over = is_past(session, limit)
            self._report("session.expired" if is_over else "session.loaded", start)
        return session

    def load(self, session_id: object) -> bool:
        """Load a session without decoding it, and report that."""
        start = perf_counter()
        try:
            is_loaded = super().load(session_id)
        except SerializationError:
            self._report_unreadable(session_id)
            raise
        if listeners and is_loaded:
            self._report("session.loaded", start)
        return is_loaded

    def session(self) -> Any:
        """Return the session as it was loaded or last saved, and report if it is unreadable."""
        try:
            return super().session()
        except SerializationError:
            if listeners:
                self._report("session.unreadable")
            raise

    def create(self, session_id: str, session: dict[Any, Any]) -> bool:
        """Store a new session, unless another one has the id, and report it."""
        start = perf_counter()
        is_stored = super().create(session_id, session)
        if listeners and is_stored:
            self._report("session.created", start)
        return is_stored

    def save(
        self, session_id: str, session: dict[Any, Any], changes: Changes | None = None
    ) -> str | None:
        """Save what changed, and report it."""
        start = perf_counter()
        event = super().save(session_id, session, changes)
        if listeners and event and not self.is_destroyed:
            self._report(event, start)
        return event

    def _report(self, event: str, start: float = 0.0) -> None:
        self._writer.report(event, self.stored_id, start)

    def _report_unreadable(self, session_id: object) -> None:
        if listeners:
            stored_id = self._writer.documents.stored_id_or_none(session_id)
            self._writer.report("session.unreadable", stored_id)
