"""Move all sessions of an old backend at once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.handles import short_handle
from beaker_mongo_soajs.sessions.coder import SessionCoder
from beaker_mongo_soajs.sessions.moving import Move, SessionMover

MOST_NAMED = 100
"""How many sessions that cannot be stored are named; all of them are counted."""


@dataclass(repr=False)
class Migration:
    """What became of the sessions of an old backend.

    :param moves: how many sessions were moved, were here, had expired or were empty.
    :param failed: how many sessions cannot be read or stored.
    :param named: handles of such sessions, and the reasons.
    """

    moves: Counter[Move] = field(default_factory=Counter)
    failed: int = 0
    named: list[tuple[str, str]] = field(default_factory=list)

    @property
    def seen(self) -> int:
        """The number of sessions so far."""
        return self.moves.total() + self.failed


def migrate(
    mover: SessionMover,
    coder: SessionCoder,
    *,
    dry_run: bool,
    on_progress: Callable[[int], object],
) -> Migration:
    """Move all sessions of an old backend.

    A run that was interrupted is continued by another one: what was moved is not there any more,
    or counts as present.

    :param mover: moves one session.
    :param coder: how sessions are stored.
    :param dry_run: whether to check only which sessions can be stored.
    :param on_progress: called with the number of sessions so far.
    :raises ConfigError: the backend cannot list its sessions.
    :raises StoreUnavailable: one of the databases does not answer.
    """
    migration = Migration()
    for entry in mover.source.entries():
        try:
            migration.moves[mover.store(entry, coder, dry_run=dry_run)] += 1
        except SerializationError as error:
            migration.failed += 1
            if len(migration.named) < MOST_NAMED:
                migration.named.append((short_handle(entry.session_id), str(error)))
        on_progress(migration.seen)
    return migration
