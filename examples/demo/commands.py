"""The MongoDB commands of one request, as PyMongo reports them."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import bson
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

# Opening and closing a connection, which requests share.
_HOUSEKEEPING = frozenset(
    {"hello", "ismaster", "saslStart", "saslContinue", "authenticate", "endSessions"}
)


@dataclass
class Command:
    """One command and what it took.

    :param name: its name, for example ``"find"``
    :param request_id: PyMongo's number for it
    :param sent: the command as BSON
    :param received_bytes: the length of the answer as BSON
    :param microseconds: from sending the command until its answer was read; ``None`` while it runs
    :param failed: whether there was an error instead of an answer
    """

    name: str
    request_id: int
    sent: bytes
    received_bytes: int = 0
    microseconds: int | None = None
    failed: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The command as it was sent."""
        return bson.decode(self.sent)


@dataclass
class Trace:
    """What one request did.

    :param title: its method and path
    :param message: the outcome, for the visitor
    :param commands: the commands that it sent, in this order
    """

    title: str
    message: str = ""
    commands: list[Command] = field(default_factory=list)


class CommandRecorder(CommandListener):
    """Note every command in the trace of the request that sends it.

    PyMongo calls a listener in the thread that sends the command, and that thread serves one
    request. So nobody sees the commands of anybody else.
    """

    def __init__(self) -> None:
        self._current: ContextVar[Trace | None] = ContextVar("trace", default=None)

    def begin(self, trace: Trace) -> None:
        """Note the commands of this thread in a trace, until the next one begins.

        :param trace: the trace
        """
        self._current.set(trace)

    def started(self, event: CommandStartedEvent) -> None:
        """Note a command."""
        trace = self._current.get()
        if trace is not None and event.command_name not in _HOUSEKEEPING:
            sent = bson.encode(event.command)
            trace.commands.append(Command(event.command_name, event.request_id, sent))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Note what the command took."""
        command = self._running(event.request_id)
        if command is not None:
            command.microseconds = event.duration_micros
            command.received_bytes = len(bson.encode(event.reply))

    def failed(self, event: CommandFailedEvent) -> None:
        """Note that the command failed."""
        command = self._running(event.request_id)
        if command is not None:
            command.microseconds = event.duration_micros
            command.failed = True

    def _running(self, request_id: int) -> Command | None:
        trace = self._current.get()
        for command in reversed(trace.commands if trace is not None else ()):
            if command.request_id == request_id:
                return command
        return None
