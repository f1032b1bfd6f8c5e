"""The errors of temporary servers."""


class ServerError(Exception):
    """A MongoDB server cannot be found, started or stopped."""


class MongodNotFound(ServerError):
    """There is no ``mongod`` program that can be run; the message says what to do."""


class PortInUse(ServerError):
    """Another process listens on the port of the server."""
