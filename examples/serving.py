"""Serve an application on this machine until somebody ends it."""

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

from pymongo.errors import PyMongoError
from waitress.server import create_server

from beaker_mongo_soajs import ConfigError
from beaker_mongo_soajs.testing import ServerError

_DEFAULT_PORT = 8080
_PORTS_TO_TRY = 50
_LARGEST_FORM_BYTES = 16_384
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def until_ended(last_words: str) -> Iterator[None]:
    """End in one sentence, whatever ends what is served meanwhile.

    :param last_words: what is said after a good end.
    """
    try:
        yield
    except KeyboardInterrupt:
        pass
    except (ConfigError, ServerError) as error:
        sys.exit(str(error))
    except PyMongoError:
        sys.exit("MongoDB does not answer: check MONGODB_URL, and that the server runs.")
    print(f"\n{last_words}")


def read_port() -> int:
    """Return the port that ``PORT`` names; it ends the program where that is none."""
    text = os.environ.get("PORT", str(_DEFAULT_PORT))
    if text.isdecimal() and int(text) <= 65_535:
        return int(text)
    sys.exit(f"PORT is {text!r}: it must be a number from 0 to 65535.")


def end_on_signals() -> None:
    """Have the signals that end a program raise ``KeyboardInterrupt``, once."""
    for number in _ENDING:
        signal.signal(number, _end)


def listen(port: int) -> socket.socket:
    """Listen on a port, or on the next one that is free.

    :param port: its number.
    """
    for candidate in range(port, min(port + _PORTS_TO_TRY, 65_536)):
        try:
            return socket.create_server(("127.0.0.1", candidate))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                sys.exit(f"PORT {candidate} cannot be used: {error.strerror}.")
    sys.exit(f"No port from {port} on is free: name another one in PORT.")


def address_of(listener: socket.socket) -> str:
    """Return the address that a browser reaches a listener at."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def serve(application: WSGIApplication, listener: socket.socket, words: str) -> None:
    """Serve an application until the first ``KeyboardInterrupt``.

    :param application: what to serve.
    :param listener: where.
    :param words: what to tell whoever started it, as soon as it can be visited.
    """
    # Waitress counts threads that have yet to begin as busy ones, and warns of the first request.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = create_server(
        application, sockets=[listener], ident="", max_request_body_size=_LARGEST_FORM_BYTES
    )
    print(f"{words}\nCtrl-C ends it.", flush=True)
    # It takes a KeyboardInterrupt for the wish to end, and returns.
    server.run()
    server.close()


def _end(_number: int, _frame: FrameType | None) -> None:
    # Once is enough: a second signal must not cut the tidying up short.
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
