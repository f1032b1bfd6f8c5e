"""Starting a ``mongod`` process, and waiting until it accepts connections."""

import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from beaker_mongo_soajs.testing.errors import PortInUse, ServerError

_START_SECONDS = 60.0
_POLL_SECONDS = 0.01
# The exit code for an address in use: EXIT_NET_ERROR in MongoDB's src/mongo/util/exit_code.h.
_EXIT_NET_ERROR = 48
_SHOWN_LINES = 12
_SHOWN_CHARACTERS = 400


def free_port() -> int:
    """Return a port of 127.0.0.1 on which no process listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def launch(
    command: Sequence[str], environment: Mapping[str, str], log_path: Path
) -> subprocess.Popen[bytes]:
    """Start a server in its own session, so that Ctrl-C in a terminal does not stop it.

    :param command: the program and its arguments.
    :param environment: all its environment variables.
    :param log_path: the file to which its output is appended.
    :raises ServerError: the program cannot be executed.
    """
    try:
        with log_path.open("ab") as log:
            return subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise ServerError(f"{command[0]} does not run: {error}") from error


def wait_until_ready(process: subprocess.Popen[bytes], log_path: Path, log_start: int) -> None:
    """Wait until the log says that the server accepts connections.

    Unlike a ping, the log cannot come from another server that took the port in the meantime, and
    it needs no certificate if the server requires TLS.

    :param process: the process of the server.
    :param log_path: the log.
    :param log_start: the offset in the log at which this start begins, in bytes.
    :raises PortInUse: another process uses the port.
    :raises ServerError: the server ended, or was not ready within a minute.
    """
    deadline = time.monotonic() + _START_SECONDS
    while True:
        exit_code = process.poll()
        log = log_path.read_bytes()[log_start:]
        if exit_code == _EXIT_NET_ERROR:
            raise PortInUse(f"mongod cannot listen on its port; its log ends:\n{_end_of(log)}")
        if exit_code is not None:
            raise ServerError(f"mongod ended with {exit_code}; its log ends:\n{_end_of(log)}")
        # "Waiting for connections", in lower case before MongoDB 4.4.
        if b"waiting for connections" in log.lower():
            return
        if time.monotonic() > deadline:
            raise ServerError(
                f"mongod is not ready after {_START_SECONDS:g} s; its log ends:\n{_end_of(log)}"
            )
        time.sleep(_POLL_SECONDS)


def _end_of(log: bytes) -> str:
    lines = log.decode(errors="replace").splitlines()[-_SHOWN_LINES:]
    return "\n".join(line[:_SHOWN_CHARACTERS] for line in lines)
