"""Fail points of the server, as context managers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient


@contextmanager
def fail_point(
    client: MongoClient[dict[str, Any]],
    *commands: str,
    error_code: int | None = None,
    close_connection: bool = False,
    block_ms: int | None = None,
    times: int | None = None,
    app_name: str | None = None,
    **data: object,
) -> Iterator[None]:
    """Make commands fail in the server while the context is open.

    :param client: a client of a server with ``enableTestCommands``.
    :param commands: the names of the commands that fail, for all clients.
    :param error_code: the code of the error that the server returns.
    :param close_connection: close the connection instead of returning an error.
    :param block_ms: milliseconds to wait before the command is executed.
    :param times: how many commands fail; all of them by default.
    :param app_name: the ``appName`` of the clients whose commands fail; all clients by default.
    :param data: more fields of the fail point ``failCommand``, with the names of MongoDB's
        ``src/mongo/db/commands/README``.
    """
    fields: dict[str, object] = {"failCommands": list(commands), **data}
    if error_code is not None:
        fields["errorCode"] = error_code
    if close_connection:
        fields["closeConnection"] = True
    if block_ms is not None:
        fields |= {"blockConnection": True, "blockTimeMS": block_ms}
    if app_name is not None:
        fields["appName"] = app_name
    mode: str | Mapping[str, int] = "alwaysOn" if times is None else {"times": times}
    client.admin.command("configureFailPoint", "failCommand", mode=mode, data=fields)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
