"""A server without MongoDB's later features, as Amazon DocumentDB and Azure Cosmos DB are.

It is a proxy in front of a real ``mongod``: what those servers refuse, it refuses, with the error
that they give. Everything else is the real server's.
"""

import os
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Self

import bson
import pytest

needs_mongodb = pytest.mark.skipif(
    "PLAIN_SERVER" in os.environ, reason="a server without MongoDB's later features"
)
"""Marks tests of what only MongoDB itself supports."""

_HEADER = struct.Struct("<iiii")
_OP_MSG = 2013
_LENGTH = struct.Struct("<i")
_UNSUPPORTED_FEATURE = 303
_CHUNK_BYTES = 65536

_COMMANDS = frozenset(
    {"find", "getmore", "killcursors", "insert", "update", "delete", "findandmodify", "aggregate"}
    | {"count", "distinct", "listindexes", "createindexes", "listcollections", "drop"}
    | {"hello", "ismaster", "ping", "endsessions", "buildinfo", "create"}
)
_STAGES = frozenset({"$match", "$group", "$sort", "$limit", "$skip", "$project", "$count"})
_OPERATORS = frozenset({"$expr", "$where", "$jsonSchema", "$text"})
_FIELDS = frozenset({"collation", "arrayFilters", "let"})


class PlainServer:
    """A proxy on 127.0.0.1 that refuses what servers other than MongoDB do not support.

    Use it as a context manager.

    :param port: where the real server listens on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.refused: list[str] = []
        """What was refused, as the texts of the errors."""
        plain = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                plain._serve(self.request, port)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="plain-server", daemon=True
        )

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The MongoDB URL of the proxy. Retried writes are off, as DocumentDB wants it."""
        host, port = self._server.server_address[:2]
        return f"mongodb://{host!s}:{port}/?directConnection=true&retryWrites=false"

    def _serve(self, client: socket.socket, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            try:
                while (message := _read_message(client)) is not None:
                    own = self._own_answer(message)
                    if own is not None:
                        client.sendall(own)
                        continue
                    server.sendall(message)
                    # Every message is answered but those that ask for no answer.
                    if not _wants_no_answer(message):
                        answer = _read_message(server)
                        if answer is None:
                            return
                        client.sendall(answer)
            except OSError:
                # Either end is gone.
                return

    def answer(self, command: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a command that the real server does not get; else ``None``.

        :param command: the command, whose name comes first.
        """
        problem = _unsupported(command)
        if problem is None:
            return None
        text = f"Feature not supported: {problem}"
        self.refused.append(text)
        return {"ok": 0.0, "errmsg": text, "code": _UNSUPPORTED_FEATURE}

    def _own_answer(self, message: bytes) -> bytes | None:
        _, request_id, _, kind = _HEADER.unpack_from(message)
        answer = self.answer(_command(message)) if kind == _OP_MSG else None
        if answer is None:
            return None
        body = struct.pack("<IB", 0, 0) + bson.encode(answer)
        return _HEADER.pack(_HEADER.size + len(body), 0, request_id, _OP_MSG) + body


def _read_message(connection: socket.socket) -> bytes | None:
    head = _read(connection, _LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    return head + _read(connection, length - _LENGTH.size)


def _read(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size > 0:
        part = connection.recv(min(size, _CHUNK_BYTES))
        if not part:
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _wants_no_answer(message: bytes) -> bool:
    more_to_come = 2
    (flags,) = struct.unpack_from("<I", message, _HEADER.size)
    return bool(flags & more_to_come)


def _command(message: bytes) -> dict[str, Any]:
    """Return a command, with the documents of its sections in their fields."""
    (flags,) = struct.unpack_from("<I", message, _HEADER.size)
    end = len(message) - (4 if flags & 1 else 0)
    position = _HEADER.size + 4
    command: dict[str, Any] = {}
    while position < end:
        kind = message[position]
        position += 1
        (size,) = _LENGTH.unpack_from(message, position)
        section = message[position : position + size]
        position += size
        if kind == 0:
            command = bson.decode(section) | command
        else:
            name, _, documents = section[4:].partition(b"\0")
            command[name.decode()] = list(bson.decode_all(documents))
    names = [name for name in command if name not in ("updates", "deletes", "documents")]
    return {name: command[name] for name in [*names, *(set(command) - set(names))]}


def _unsupported(command: Mapping[str, Any]) -> str | None:
    """Return what those servers do not support in a command, if there is anything."""
    name = next(iter(command)).lower()
    if name not in _COMMANDS:
        return f"command {name}"
    stages = {stage for part in command.get("pipeline", ()) for stage in part}
    parts = [command]
    for field in ("updates", "deletes", "indexes"):
        parts += command.get(field, ())
    found = [_unsupported_part(part) for part in parts]
    return next(iter([*(problem for problem in found if problem), *(stages - _STAGES)]), None)


def _unsupported_part(part: Mapping[str, Any]) -> str | None:
    if isinstance(part.get("u"), list) or isinstance(part.get("update"), list):
        return "pipeline in an update"
    operators = {name for field in ("filter", "query", "q") for name in _operators(part.get(field))}
    return next(iter((_FIELDS & part.keys()) | (_OPERATORS & operators)), None)


def _operators(query: object) -> Iterator[str]:
    if isinstance(query, Mapping):
        for name, value in query.items():
            yield name
            yield from _operators(value)
    elif isinstance(query, list):
        for value in query:
            yield from _operators(value)
