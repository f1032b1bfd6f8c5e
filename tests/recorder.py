"""The commands that clients send, as PyMongo reports them."""

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

# What a driver sends to keep itself going, whoever uses it.
_HOUSEKEEPING = frozenset(
    {"hello", "ismaster", "endSessions", "saslStart", "saslContinue", "authenticate"}
)

# What the package sends beside the requests, in a thread of its own.
_INDEXES = frozenset({"listIndexes", "createIndexes"})


class Commands:
    """The commands that were sent to certain databases, in the order in which they were sent.

    Commands that make indexes are sent beside the requests, at any moment: they are apart, in
    ``for_indexes``.
    """

    def __init__(self, *databases: str) -> None:
        """Record from now on.

        :param databases: the names of the databases to look at; more can be added later.
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
        """Forget what was recorded so far."""
        self.started.clear()
        self.for_indexes.clear()

    def see(self, event: CommandStartedEvent) -> None:
        """Record a command, if it is one to record."""
        if (
            self.recording
            and event.database_name in self.databases
            and event.command_name not in _HOUSEKEEPING
        ):
            beside = event.command_name in _INDEXES
            (self.for_indexes if beside else self.started).append(event)


class Recorder(CommandListener):
    """Hand the commands of every client that is made after its registration to one test."""

    def __init__(self) -> None:
        """Wait for a test that wants commands."""
        self.commands: Commands | None = None

    def started(self, event: CommandStartedEvent) -> None:
        """Pass the command on."""
        if self.commands is not None:
            self.commands.see(event)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Leave the answer alone: what was sent is what counts."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Leave the error alone: what was sent is what counts."""
