"""What goes wrong between a client and a server: fail points, and a proxy that cuts the line."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from pymongo import MongoClient

_Result = TypeVar("_Result")
_CALL_SECONDS = 10.0
_CHUNK_BYTES = 65536


@contextmanager
def fail_point(
    client: MongoClient[dict[str, Any]],
    *commands: str,
    error_code: int | None = None,
    close_connection: bool = False,
    block_ms: int | None = None,
    times: int | None = None,
    app_name: str | None = None,
    **data: object,
) -> Iterator[None]:
    """Make commands fail in the server while the context is open.

    :param client: a client of a server with ``enableTestCommands``.
    :param commands: the names of the commands that fail; those of every client do.
    :param error_code: answer with this error.
    :param close_connection: close the connection instead of answering.
    :param block_ms: wait this many milliseconds before the command is carried out.
    :param times: how often; without end if not given.
    :param app_name: only for clients of this ``appName``.
    :param data: more fields of the fail point ``failCommand``, as MongoDB's
        ``src/mongo/db/commands/README`` spells them.
    """
    fields: dict[str, object] = {"failCommands": list(commands), **data}
    if error_code is not None:
        fields["errorCode"] = error_code
    if close_connection:
        fields["closeConnection"] = True
    if block_ms is not None:
        fields |= {"blockConnection": True, "blockTimeMS": block_ms}
    if app_name is not None:
        fields["appName"] = app_name
    mode: str | Mapping[str, int] = "alwaysOn" if times is None else {"times": times}
    client.admin.command("configureFailPoint", "failCommand", mode=mode, data=fields)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


class CuttingProxy:
    """A TCP proxy on 127.0.0.1 that can cut, refuse, stall and delay what goes through it.

    Use it as a context manager. It runs in a thread of its own; its methods return when what they
    name has taken place.
    """

    def __init__(self, port: int) -> None:
        """Describe the proxy.

        :param port: where the server listens on 127.0.0.1.
        """
        self._target_port = port
        self.port = 0
        self.bytes_to_server = 0
        self.bytes_to_client = 0
        self._delay_seconds = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cutting-proxy")
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        """Listen on a free port, and forward."""
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *exception: object) -> None:
        """Cut all connections and end."""
        self._call(self._refuse())
        self._call(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_SECONDS)
        self._loop.close()

    @property
    def url(self) -> str:
        """The MongoDB URL of the proxy, for a client that is to speak to this one address."""
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    @property
    def connections(self) -> int:
        """How many connections are open through the proxy."""
        return len(self._connections)

    def cut(self) -> None:
        """Cut all open connections; new ones are welcome."""
        self._call(self._cut())

    def refuse(self) -> None:
        """Cut all open connections and refuse new ones."""
        self._call(self._refuse())
        self._call(self._cut())

    def stall(self) -> None:
        """Hold back every byte in both directions, on connections old and new."""
        self._call(self._set_flow(flowing=False, delay_seconds=0.0))

    def delay(self, seconds: float) -> None:
        """Hold back each piece of data for a time, in both directions."""
        self._call(self._set_flow(flowing=True, delay_seconds=seconds))

    def resume(self) -> None:
        """Forward again, what was held back first, and take connections again."""
        self._call(self._set_flow(flowing=True, delay_seconds=0.0))
        self._call(self._listen())

    def _call(self, action: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(action, self._loop).result(_CALL_SECONDS)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _cut(self) -> None:
        # All other tasks of this loop serve connections, also those accepted only just now.
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _set_flow(self, *, flowing: bool, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        if flowing:
            self._flowing.set()
        else:
            self._flowing.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            await self._flowing.wait()
            await self._forward(reader, writer)
        except ConnectionError:
            # The server is down, and the client is about to see the same.
            pass
        except asyncio.CancelledError:
            # It was cut, and ends here: asyncio reports a connection that ends as cancelled.
            pass
        finally:
            writer.transport.abort()
            self._connections.discard(connection)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
        pumps = [
            asyncio.create_task(self._pump(reader, to_server, "bytes_to_server")),
            asyncio.create_task(self._pump(from_server, writer, "bytes_to_client")),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # First of all: a cut may come while the pumps are awaited.
            to_server.transport.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counter: str
    ) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            await asyncio.sleep(self._delay_seconds)
            await self._flowing.wait()
            setattr(self, counter, getattr(self, counter) + len(data))
            writer.write(data)
            await writer.drain()
