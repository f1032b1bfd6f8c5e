"""The commands that clients send, as PyMongo reports them."""

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

# Commands that drivers send by themselves.
_HOUSEKEEPING = frozenset(
    {"hello", "ismaster", "endSessions", "saslStart", "saslContinue", "authenticate"}
)

# Commands that the package sends in a thread of its own.
_INDEXES = frozenset({"listIndexes", "createIndexes"})


class Commands:
    """The commands that were sent to some databases, in their order.

    Commands that make indexes are sent by another thread at any moment. They are listed separately,
    in :attr:`for_indexes`.
    """

    def __init__(self, *databases: str) -> None:
        """Record from now on.

        :param databases: the names of the databases; more can be added later.
        """
        self.databases = set(databases)
        self.recording = True
        self.started: list[CommandStartedEvent] = []
        self.for_indexes: list[CommandStartedEvent] = []

    @property
    def names(self) -> list[str]:
        """The names of the recorded commands."""
        return [event.command_name for event in self.started]

    def clear(self) -> None:
        """Remove the recorded commands."""
        self.started.clear()
        self.for_indexes.clear()

    def see(self, event: CommandStartedEvent) -> None:
        """Record a command, if recording is on and its database is one of these."""
        if (
            self.recording
            and event.database_name in self.databases
            and event.command_name not in _HOUSEKEEPING
        ):
            beside = event.command_name in _INDEXES
            (self.for_indexes if beside else self.started).append(event)


class Recorder(CommandListener):
    """Pass the commands of all clients that are made after its registration to one test."""

    def __init__(self) -> None:
        """Pass nothing until a test sets :attr:`commands`."""
        self.commands: Commands | None = None

    def started(self, event: CommandStartedEvent) -> None:
        """Pass the command on."""
        if self.commands is not None:
            self.commands.see(event)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Ignore the response; only the command is recorded."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Ignore the error; only the command is recorded."""
