"""The proxy that cuts, refuses, stalls and delays connections."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

from tests.conftest import Client
from tests.proxy import TcpProxy
from tests.waiting import wait_until

_TIMEOUT_SECONDS = 5.0


class Echo:
    """A server that returns what it receives in upper case."""

    def __init__(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Stop accepting connections, and wait for the end of the open ones."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(_TIMEOUT_SECONDS)
            assert not thread.is_alive()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                thread = threading.Thread(target=self._serve, args=[self._listener.accept()[0]])
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(1024):
                connection.sendall(data.upper())


@pytest.fixture
def echo() -> Iterator[Echo]:
    """Start a server behind the proxy."""
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def line(echo: Echo) -> Iterator[TcpProxy]:
    """Start a proxy to that server."""
    with TcpProxy(echo.port) as proxy:
        yield proxy


def _connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=_TIMEOUT_SECONDS)


def _ask(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(1024)


def _is_cut(connection: socket.socket) -> bool:
    try:
        return connection.recv(1024) == b""
    except ConnectionError:
        return True


def test_forwarding(line: TcpProxy) -> None:
    """Bytes are forwarded and counted in both directions, on several connections."""
    with _connect(line) as one, _connect(line) as two:
        assert b"HELLO" == _ask(one, b"hello")
        assert b"YOU" == _ask(two, b"you")
        assert 2 == line.connections
    assert (8, 8) == (line.bytes_to_server, line.bytes_to_client)
    wait_until(lambda: line.connections == 0)


def test_cut(line: TcpProxy) -> None:
    """A cut ends the open connections, and no later ones."""
    with _connect(line) as one:
        _ask(one, b"hello")
        line.cut()
        assert _is_cut(one)
        assert 0 == line.connections
        with _connect(line) as two:
            assert b"AGAIN" == _ask(two, b"again")


def test_refuse(line: TcpProxy) -> None:
    """Connections are cut and refused until the proxy resumes."""
    port = line.port
    with _connect(line) as one:
        _ask(one, b"hello")
        line.refuse()
        line.refuse()
        assert _is_cut(one)
    with pytest.raises(ConnectionRefusedError):
        _connect(line)
    line.resume()
    assert port == line.port
    with _connect(line) as two:
        assert b"AGAIN" == _ask(two, b"again")


def test_stall(line: TcpProxy) -> None:
    """A stall holds back all bytes, on old and new connections, until the proxy resumes."""
    with _connect(line) as one:
        _ask(one, b"hello")
        line.stall()
        with _connect(line) as two:
            for connection in (one, two):
                connection.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    _ask(connection, b"held")
                connection.settimeout(_TIMEOUT_SECONDS)
            line.resume()
            assert b"HELD" == one.recv(1024) == two.recv(1024)


def test_delay(line: TcpProxy) -> None:
    """A delay holds back requests and responses, each for that time, until the proxy resumes."""
    with _connect(line) as one:
        _ask(one, b"hello")
        line.delay(0.3)
        begun = time.monotonic()
        assert b"SLOW" == _ask(one, b"slow")
        assert time.monotonic() - begun >= 0.6
        line.resume()
        begun = time.monotonic()
        assert b"FAST" == _ask(one, b"fast")
        assert time.monotonic() - begun < 0.6


def test_server_is_down(echo: Echo, line: TcpProxy) -> None:
    """If the server refuses a connection, the proxy ends that of the client."""
    with TcpProxy(line.port) as proxy:
        line.refuse()
        with _connect(proxy) as one:
            assert _is_cut(one)


def test_driver(proxy: TcpProxy) -> None:
    """A MongoDB driver loses its server through the proxy, and finds it again."""
    with Client(proxy.url, serverSelectionTimeoutMS=500, retryReads=False) as client:
        assert 1 == client.admin.command("ping")["ok"]
        proxy.refuse()
        with pytest.raises((AutoReconnect, ServerSelectionTimeoutError)):
            client.admin.command("ping")
        proxy.resume()
    proxy.stall()
    with Client(proxy.url, timeoutMS=200) as client, pytest.raises(ServerSelectionTimeoutError):
        client.admin.command("ping")
