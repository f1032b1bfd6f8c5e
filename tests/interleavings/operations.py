"""The operations that overlap, each as one request, one administrator or one server's task."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from beaker.session import Session

from beaker_mongo_soajs import MongoSession, StoreUnavailable
from beaker_mongo_soajs.mongo.documents import utc_now
from beaker_mongo_soajs.sessions.store import SessionStore
from tests.interleavings.scheduler import Crash

COOKIE = "beaker.session.id"
BEGIN = {"n": 0, "m": 0, "who": "ann"}
Act = Callable[["World", "Outcome"], None]


@dataclass
class Outcome:
    """What an operation did, as its caller saw it.

    :param values: the values that it changed.
    :param began: whether it found the session, so that it acted at all.
    :param is_acknowledged: whether it ended without an error.
    :param is_crashed: whether its process ended.
    :param new_id: the id that its response gave to the browser.
    :param error: an error that it must not raise.
    """

    values: dict[str, Any] = field(default_factory=dict)
    began: bool = False
    is_acknowledged: bool = False
    is_crashed: bool = False
    new_id: str | None = None
    error: BaseException | None = None


class World:
    """One stored session, and what may happen to it.

    :param options: the options of the sessions.
    :param kind: Beaker's ``Session`` or :class:`MongoSession`.
    :param old_id: the id of the session.
    :param store: the store of the sessions.
    """

    def __init__(
        self, options: dict[str, Any], kind: type[Session], old_id: str, store: SessionStore
    ) -> None:
        self.options = options
        self.kind = kind
        self.old_id = old_id
        self.store = store

    def visit(self, session_id: str | None = None) -> Any:
        """Return the session of a new request with the cookie."""
        more = {} if self.kind is MongoSession else {"type": "ext:mongodb_soajs"}
        request = {"cookie": f"{COOKIE}={session_id or self.old_id}"}
        return self.kind(request, **more, **self.options)

    def read(self, session_id: str) -> dict[str, Any] | None:
        """Return what a visitor with an id sees, or nothing."""
        session = self.visit(session_id)
        return {key: session[key] for key in session if key[0] != "_"} if "who" in session else None


def run(act: Act, world: World, outcome: Outcome) -> None:
    """Run an operation, and note how it ended."""
    try:
        act(world, outcome)
        outcome.is_acknowledged = True
    except Crash:
        outcome.is_crashed = True
    except StoreUnavailable:
        pass
    except BaseException as error:  # noqa: BLE001 - the test reports it
        outcome.error = error


def _found(world: World, outcome: Outcome) -> Any:
    session = world.visit()
    outcome.began = "who" in session
    return session if outcome.began else None


def read(world: World, outcome: Outcome) -> None:
    """Read the session."""
    _found(world, outcome)


def touch(world: World, outcome: Outcome) -> None:
    """Read the session, and move its times."""
    if session := _found(world, outcome):
        session.save(accessed_only=True)


def change(world: World, outcome: Outcome) -> None:
    """Change a value."""
    if session := _found(world, outcome):
        outcome.values = {"n": 1}
        session["n"] = 1
        session.save()


def change_another_key(world: World, outcome: Outcome) -> None:
    """Change another value."""
    if session := _found(world, outcome):
        outcome.values = {"m": 2}
        session["m"] = 2
        session.save()


def change_locked(world: World, outcome: Outcome) -> None:
    """Change a value under the session's lock."""
    if session := _found(world, outcome):
        with session.locked():
            if "who" in session:
                outcome.values = {"k": 3}
                session["k"] = 3


def login(world: World, outcome: Outcome) -> None:
    """Change the id, and log in."""
    if session := _found(world, outcome):
        outcome.values = {"user": "ann"}
        session.regenerate_id()
        session["user"] = "ann"
        session.save()
        if session.request.get("set_cookie"):
            outcome.new_id = session.id


def delete(world: World, outcome: Outcome) -> None:
    """Log out."""
    if session := _found(world, outcome):
        session.delete()
        session.save()


def invalidate(world: World, outcome: Outcome) -> None:
    """Log out, and continue with an empty session."""
    if session := _found(world, outcome):
        session.invalidate()


def destroy(world: World, outcome: Outcome) -> None:
    """End the session by its id, as an administrator."""
    outcome.began = True
    world.store.destroy(world.old_id)


def destroy_where(world: World, outcome: Outcome) -> None:
    """End all sessions of the user."""
    outcome.began = True
    world.store.destroy_where(who="ann")


def clear(world: World, outcome: Outcome) -> None:
    """End all sessions."""
    outcome.began = True
    world.store.clear()


def expire(world: World, outcome: Outcome) -> None:
    """Remove expired documents, as the TTL monitor does."""
    outcome.began = True
    collection = world.store._collection
    collection.delete({"expires": {"$lte": utc_now()}})


ENDINGS: tuple[Act, ...] = (delete, invalidate, destroy, destroy_where, clear)
CHANGES: tuple[Act, ...] = (change, change_another_key, change_locked, login)
OTHERS: tuple[Act, ...] = (read, touch, expire)
SHORT: tuple[Act, ...] = (read, touch, change, login, delete)
ONLY_MONGO_SESSION: tuple[Act, ...] = (login, invalidate, change_locked)
ONLY_SEARCHABLE: tuple[Act, ...] = (destroy_where,)
