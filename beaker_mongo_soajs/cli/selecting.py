"""Options that select sessions, and handles."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from click import option

from beaker_mongo_soajs.cli.application import Application
from beaker_mongo_soajs.cli.failures import Failure, UsageFailure
from beaker_mongo_soajs.cli.values import Condition, possible_values
from beaker_mongo_soajs.handles import LENGTH, SHORT_LENGTH
from beaker_mongo_soajs.sessions.inventory import Selection, SessionInventory
from beaker_mongo_soajs.sessions.stored import StoredId

_MOST_SHOWN = 10

Function = TypeVar("Function", bound=Callable[..., Any])


def selection_options(function: Function) -> Function:
    """Add the options ``--user`` and ``--where`` to a command.

    :param function: the function of the command.
    """
    function = option(
        "--where",
        type=Condition(),
        multiple=True,
        metavar="KEY=VALUE",
        help="Only sessions in which a key has a value. May be repeated.",
    )(function)
    return option(
        "--user", metavar="USER", help="Only sessions of a user, by the key of store.userKey."
    )(function)


def make_selection(
    app: Application, user: str | None, where: Sequence[tuple[str, tuple[Any, ...]]]
) -> Selection:
    """Return the selection of ``--user`` and ``--where``.

    :param app: the application.
    :param user: the value of ``--user``.
    :param where: the values of ``--where``.
    """
    conditions = [*where]
    if user is not None:
        conditions.append((app.config.store.user_key, possible_values(user)))
    return Selection(where=tuple(conditions))


def resolve_handles(
    app: Application, inventory: SessionInventory, handles: Sequence[str]
) -> list[StoredId]:
    """Return the sessions that handles, or their first characters, name.

    :param app: the application.
    :param inventory: the sessions.
    :param handles: the handles.
    :raises UsageFailure: a handle names several sessions, or cannot be one.
    :raises Failure: a handle names no session.
    """
    wanted = list(dict.fromkeys(handle.strip().lower() for handle in handles))
    for handle in wanted:
        if not handle or len(handle) > LENGTH or set(handle) - set("0123456789abcdef"):
            raise UsageFailure(
                "A handle has up to 40 of the characters 0-9 and a-f. beaker-mongo list shows the "
                "handles of sessions."
            )
    with app.output.status("Reading the ids of all sessions"):
        found = inventory.find_handles(wanted)
    for handle, ids in found.items():
        if not ids:
            raise Failure(
                f"No session has a handle that begins with {handle}. It may have ended, or have a "
                "new id and handle: beaker-mongo list shows the sessions."
            )
        if len(ids) > 1:
            longer = shorten([each.handle for each in ids[:_MOST_SHOWN]], len(handle) + 1)
            more = f" and {len(ids) - _MOST_SHOWN} more" if len(ids) > _MOST_SHOWN else ""
            raise UsageFailure(
                f"The handle {handle} is ambiguous: {len(ids)} sessions begin with it. Give more "
                f"characters: {', '.join(sorted(longer))}{more}."
            )
    return list(dict.fromkeys(ids[0] for ids in found.values()))


def shorten(handles: Sequence[str], least: int = SHORT_LENGTH) -> list[str]:
    """Return the first characters of handles, as many as it takes to tell them apart.

    :param handles: the handles, in full.
    :param least: how many characters at least.
    """
    distinct = set(handles)

    def first_of(handle: str) -> str:
        first = handle[:least]
        while sum(other.startswith(first) for other in distinct) > 1:
            first = handle[: len(first) + 1]
        return first

    return [first_of(handle) for handle in handles]
