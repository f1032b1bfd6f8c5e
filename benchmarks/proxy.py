"""A TCP proxy that holds back what goes through it: ``python -m benchmarks.proxy PORT``.

It is a process of its own, so that it takes no time from what is measured. It prints the port that
it listens on. Each line on its standard input is how many seconds each piece of data is held back
from then on; it ends when its standard input does.
"""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK_BYTES = 1 << 20


class Delay:
    """How long data are held back.

    :param seconds: the time.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Proxy:
    """The process, as who started it sees it.

    :param process: the process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def hold_back(self, seconds: float) -> None:
        """Hold back data for a time, in each direction.

        :param seconds: the time.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """Start a proxy, and end it afterwards.

    :param port: of 127.0.0.1, where the server listens.
    """
    command = [sys.executable, "-m", "benchmarks.proxy", str(port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Proxy(process)
        finally:
            process.kill()


def main(arguments: list[str]) -> None:
    """Forward until the end of standard input.

    :param arguments: the port of the server.
    """
    target = ("127.0.0.1", int(arguments[0]))
    delay = Delay(0.0)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listener, target, delay), daemon=True).start()
    for line in sys.stdin:
        delay.seconds = float(line)


def _accept(listener: socket.socket, target: tuple[str, int], delay: Delay) -> None:
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(target)
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_pump, args=(one, other, delay), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, delay: Delay) -> None:
    try:
        while data := source.recv(_CHUNK_BYTES):
            due = time.perf_counter() + delay.seconds
            while (remaining := due - time.perf_counter()) > 0:
                time.sleep(remaining)
            sink.sendall(data)
    except OSError:
        # The other side is gone, and this one is about to be told.
        pass
    finally:
        for each in (source, sink):
            _end(each)


def _end(connection: socket.socket) -> None:
    # The other pump may have been here first.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main(sys.argv[1:])
