"""A TCP proxy that can cut, refuse, stall and delay connections.

``python -m tests.proxy PORT`` runs it in a process of its own. It prints the port that it listens
on. Each line on its standard input is a new delay in seconds. It ends with its standard input.
"""

import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Self

_HOST = "127.0.0.1"
_CHUNK_BYTES = 1 << 20
_END_SECONDS = 10.0


class TcpProxy:
    """A proxy on 127.0.0.1, as a context manager. Its methods return when they have taken effect.

    :param port: the port of the server on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.target = (_HOST, port)
        self.port = 0
        self.bytes_to_server = 0
        self.bytes_to_client = 0
        self.delay_seconds = 0.0
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._flowing = threading.Event()
        self._flowing.set()

    def __enter__(self) -> Self:
        """Listen on a free port and forward."""
        self._listen()
        return self

    def __exit__(self, *exception: object) -> None:
        """Cut all connections and stop."""
        self.refuse()

    @property
    def url(self) -> str:
        """The MongoDB URL of the proxy, for a client that connects to this address only."""
        return f"mongodb://{_HOST}:{self.port}/?directConnection=true"

    @property
    def connections(self) -> int:
        """The number of open connections through the proxy."""
        with self._lock:
            return len(self._links)

    def cut(self) -> None:
        """Cut all open connections, and accept new ones."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.cut()
        for link in links:
            link.wait()

    def refuse(self) -> None:
        """Cut all open connections, and refuse new ones."""
        if self._listener is not None and self._acceptor is not None:
            # Closing alone would not end accept() in the other thread.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._acceptor.join(_END_SECONDS)
            self._listener.close()
            self._listener = None
        self.cut()

    def stall(self) -> None:
        """Hold back all bytes in both directions, on open and on new connections."""
        self._flowing.clear()

    def delay(self, seconds: float) -> None:
        """Hold back each piece of data for a time, in both directions.

        :param seconds: how long.
        """
        self.delay_seconds = seconds

    def resume(self) -> None:
        """Forward again, first what was held back, and accept connections again."""
        self.delay_seconds = 0.0
        self._flowing.set()
        self._listen()

    def is_flowing(self, seconds: float) -> bool:
        """Wait until the proxy is not stalled.

        :param seconds: how long at most.
        """
        return self._flowing.wait(seconds)

    def count(self, number: int, *, is_to_server: bool) -> None:
        """Add to the number of forwarded bytes."""
        with self._lock:
            if is_to_server:
                self.bytes_to_server += number
            else:
                self.bytes_to_client += number

    def forget(self, link: "_Link") -> None:
        """Note that a connection has ended."""
        with self._lock:
            self._links.discard(link)

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((_HOST, self.port))
            self.port = self._listener.getsockname()[1]
            self._acceptor = threading.Thread(
                target=self._accept, args=(self._listener,), name="proxy", daemon=True
            )
            self._acceptor.start()

    def _accept(self, listener: socket.socket) -> None:
        # Ends with an error when the listener is shut down.
        with suppress(OSError):
            while True:
                link = _Link(self, listener.accept()[0])
                with self._lock:
                    # Started at once: a link that is known can be waited for.
                    self._links.add(link)
                    link.start()


class _Link:
    """A connection through the proxy.

    :param proxy: the proxy.
    :param client: the connection of the client.
    """

    def __init__(self, proxy: TcpProxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server: socket.socket | None = None
        self._is_cut = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy-link", daemon=True)

    def start(self) -> None:
        """Connect to the server, and forward."""
        self._thread.start()

    def cut(self) -> None:
        """Begin to end the connection."""
        self._is_cut.set()
        for each in (self._client, self._server):
            # It may have ended by itself.
            with suppress(OSError):
                if each is not None:
                    each.shutdown(socket.SHUT_RDWR)

    def wait(self) -> None:
        """Wait until the connection has ended."""
        self._thread.join(_END_SECONDS)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._wait_until_flowing()
            # The client sees a server that is down as a connection that ends.
            with suppress(OSError), socket.create_connection(self._proxy.target) as server:
                self._server = server
                self._forward(server)
        finally:
            self._client.close()
            self._proxy.forget(self)

    def _forward(self, server: socket.socket) -> None:
        answers = threading.Thread(
            target=self._pump, args=(server, self._client), name="proxy-answers", daemon=True
        )
        answers.start()
        self._pump(self._client, server)
        answers.join()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := source.recv(_CHUNK_BYTES):
                self._wait(self._proxy.delay_seconds)
                self._wait_until_flowing()
                if self._is_cut.is_set():
                    break
                self._proxy.count(len(data), is_to_server=sink is self._server)
                sink.sendall(data)
        # The end of one direction ends the other one.
        self.cut()

    def _wait(self, seconds: float) -> None:
        due = time.perf_counter() + seconds
        while (remaining := due - time.perf_counter()) > 0 and not self._is_cut.is_set():
            self._is_cut.wait(remaining)

    def _wait_until_flowing(self) -> None:
        while not self._is_cut.is_set() and not self._proxy.is_flowing(0.02):
            pass


def main(arguments: list[str]) -> None:
    """Forward until the end of standard input.

    :param arguments: the port of the server.
    """
    with TcpProxy(int(arguments[0])) as proxy:
        sys.stdout.write(f"{proxy.port}\n")
        sys.stdout.flush()
        for line in sys.stdin:
            proxy.delay(float(line))


if __name__ == "__main__":
    main(sys.argv[1:])
