"""Serve the demonstration: ``python -m examples.demo``.

``PORT`` chooses the port, ``MONGODB_URL`` a MongoDB server that is already there.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from contextlib import closing
from types import FrameType

from pymongo.errors import PyMongoError
from waitress.server import create_server

from beaker_mongo_soajs import ConfigError
from beaker_mongo_soajs.testing import ServerError, mongodb_url
from examples.demo.app import Demo

_DEFAULT_PORT = 8080
_PORTS_TO_TRY = 50
_LARGEST_FORM_BYTES = 16_384
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Serve until a signal says to end."""
    port = _read_port(os.environ.get("PORT", str(_DEFAULT_PORT)))
    for number in _ENDING:
        signal.signal(number, _end)
    try:
        with _listen(port) as listener, mongodb_url() as url, closing(Demo(url)) as demo:
            _serve(demo, listener)
    except KeyboardInterrupt:
        pass
    except (ConfigError, ServerError) as error:
        sys.exit(str(error))
    except PyMongoError:
        sys.exit("MongoDB does not answer: check MONGODB_URL, and that the server runs.")
    print("\nThe demo has ended.")


def _serve(demo: Demo, listener: socket.socket) -> None:
    server = create_server(
        demo, sockets=[listener], ident="", max_request_body_size=_LARGEST_FORM_BYTES
    )
    print(
        f"The demo of beaker_mongo_soajs is at http://127.0.0.1:{listener.getsockname()[1]}/\n"
        f"Sessions are in {demo.place.collection} of {demo.place.server}\n"
        "Ctrl-C ends it.",
        flush=True,
    )
    # It takes a KeyboardInterrupt for the wish to end, and returns.
    server.run()
    server.close()


def _listen(port: int) -> socket.socket:
    """Listen on a port, or on the next one that is free."""
    for candidate in range(port, min(port + _PORTS_TO_TRY, 65_536)):
        try:
            return socket.create_server(("127.0.0.1", candidate))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                sys.exit(f"PORT {candidate} cannot be used: {error.strerror}.")
    sys.exit(f"No port from {port} on is free: name another one in PORT.")


def _read_port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65_535:
        return int(text)
    sys.exit(f"PORT is {text!r}: it must be a number from 0 to 65535.")


def _end(_number: int, _frame: FrameType | None) -> None:
    # Once is enough: a second signal must not cut the tidying up short.
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
