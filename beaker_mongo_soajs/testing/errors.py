"""What can go wrong with a throw-away server."""


class ServerError(Exception):
    """Tell that a MongoDB server could not be found, started or stopped."""


class MongodNotFound(ServerError):
    """Tell that no ``mongod`` program can be run here, and what to do about it."""


class PortInUse(ServerError):
    """Tell that another process listens on the port that the server was to have."""
