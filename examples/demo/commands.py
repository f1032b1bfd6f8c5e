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

# Commands that open and close connections, which requests share.
_HOUSEKEEPING = frozenset(
    {"hello", "ismaster", "saslStart", "saslContinue", "authenticate", "endSessions"}
)


@dataclass
class Command:
    """A command with its time and size.

    :param name: the name, for example ``"find"``
    :param request_id: PyMongo's number of the command
    :param sent: the command as BSON
    :param received_bytes: the size of the response as BSON
    :param microseconds: the time until the response was read; ``None`` while the command runs
    :param failed: whether the response was an error
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
    """A request and its commands.

    :param title: the method and the path
    :param message: the message for the visitor
    :param commands: the commands that it sent, in their order
    """

    title: str
    message: str = ""
    commands: list[Command] = field(default_factory=list)


class CommandRecorder(CommandListener):
    """Record each command in the trace of the request that sends it.

    PyMongo calls a listener in the thread that sends the command, and each thread serves one
    request at a time. A trace therefore has no commands of other requests.
    """

    def __init__(self) -> None:
        self._current: ContextVar[Trace | None] = ContextVar("trace", default=None)

    def begin(self, trace: Trace) -> None:
        """Record the commands of this thread in a trace, until the next call.

        :param trace: the trace
        """
        self._current.set(trace)

    def started(self, event: CommandStartedEvent) -> None:
        """Record a command."""
        trace = self._current.get()
        if trace is not None and event.command_name not in _HOUSEKEEPING:
            sent = bson.encode(event.command)
            trace.commands.append(Command(event.command_name, event.request_id, sent))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Record the time and the size of a response."""
        command = self._running(event.request_id)
        if command is not None:
            command.microseconds = event.duration_micros
            command.received_bytes = len(bson.encode(event.reply))

    def failed(self, event: CommandFailedEvent) -> None:
        """Record that a command failed."""
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
