"""Serve an application on this machine until a signal ends it."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from wsgiref.types import WSGIApplication

from pymongo.errors import OperationFailure, PyMongoError
from waitress.server import create_server

from beaker_mongo_soajs import ConfigError
from beaker_mongo_soajs.testing import ServerError

_DEFAULT_PORT = 8080
_PORTS_TO_TRY = 50
_LARGEST_FORM_BYTES = 16_384
_REFUSED = {13, 18}
"""Unauthorized, AuthenticationFailed."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def exit_with_message(last_words: str) -> Iterator[None]:
    """Exit with one sentence instead of a traceback.

    :param last_words: the sentence after a normal end.
    """
    try:
        yield
    except KeyboardInterrupt:
        pass
    except (ConfigError, ServerError) as error:
        sys.exit(str(error))
    except OperationFailure as error:
        if error.code not in _REFUSED:
            sys.exit(f"MongoDB refused a command (error {error.code}). Check MONGODB_URL.")
        sys.exit(
            "MongoDB refused the user in MONGODB_URL. Check the name, the password, authSource and "
            "the roles."
        )
    except PyMongoError:
        sys.exit("MongoDB does not answer. Check MONGODB_URL, and that the server runs.")
    print(f"\n{last_words}")


def read_port() -> int:
    """Return the port in ``PORT``, or exit with a message if it is invalid."""
    text = os.environ.get("PORT", str(_DEFAULT_PORT))
    if text.isdecimal() and int(text) <= 65_535:
        return int(text)
    sys.exit(f"PORT cannot be {text!r}. Set it to a number from 0 to 65535.")


def interrupt_on_signals() -> None:
    """Make the signals that end a program raise ``KeyboardInterrupt``, once."""
    for number in _ENDING:
        signal.signal(number, _end)


def listen(port: int) -> socket.socket:
    """Listen on a port, or on the next free one.

    :param port: the number of the port.
    """
    for candidate in range(port, min(port + _PORTS_TO_TRY, 65_536)):
        try:
            return socket.create_server(("127.0.0.1", candidate))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                sys.exit(f"Port {candidate} cannot be used: {error.strerror}. Set PORT to another.")
    sys.exit(f"No port from {port} on is free. Set PORT to another.")


def address_of(listener: socket.socket) -> str:
    """Return the address of a listener, for a browser."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def serve(
    application: WSGIApplication, listener: socket.socket, words: str, threads: int = 4
) -> None:
    """Serve an application until the first ``KeyboardInterrupt``.

    :param application: the application.
    :param listener: the socket that it listens on.
    :param words: the message that is printed when the application is ready.
    :param threads: how many requests are served at once.
    """
    # Waitress counts threads that have not started yet as busy, and warns at the first request.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = create_server(
        application,
        sockets=[listener],
        threads=threads,
        ident="",
        max_request_body_size=_LARGEST_FORM_BYTES,
    )
    print(f"{words}\nPress Ctrl-C to end it.", flush=True)
    # It returns after a KeyboardInterrupt.
    server.run()
    server.close()


def _end(_number: int, _frame: FrameType | None) -> None:
    # A second signal must not interrupt the cleanup.
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
