"""A temporary ``mongod``."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from beaker_mongo_soajs.testing.binary import find_mongod, mongod_version
from beaker_mongo_soajs.testing.errors import PortInUse, ServerError
from beaker_mongo_soajs.testing.process import free_port, launch, wait_until_ready
from beaker_mongo_soajs.testing.watchdog import Watchdog

_STOP_SECONDS = 20.0
_FREE_PORT_ATTEMPTS = 5
_SMALL = ("--wiredTigerCacheSizeGB", "0.25", "--quiet", "--nounixsocket")
_FOR_TESTS = (
    *("--setParameter", "enableTestCommands=1"),
    *("--setParameter", "ttlMonitorSleepSecs=1"),
    *("--setParameter", "diagnosticDataCollectionEnabled=false"),
)


class MongoServer:
    """A ``mongod`` process on 127.0.0.1, with a temporary folder for its data.

    Use it as a context manager, or call :meth:`start` and :meth:`close`::

        with MongoServer() as server:
            client = MongoClient(server.url)

    When the owning process ends, even by SIGKILL, the server ends and its folder is removed. This
    class needs a POSIX system.
    """

    def __init__(
        self,
        *,
        args: Sequence[str] = (),
        port: int | None = None,
        dbpath: Path | str | None = None,
        binary: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        replica_set: str | None = None,
        keep_data: bool = False,
        for_tests: bool = False,
    ) -> None:
        """Describe a server, without starting it.

        :param args: more command line arguments for ``mongod``.
        :param port: the port; a free one by default.
        :param dbpath: a data folder that is kept, and made if it does not exist; a temporary folder
            by default.
        :param binary: the program; the one that :func:`find_mongod` finds by default.
        :param env: environment variables to add to those of this process.
        :param replica_set: the name of the replica set of which this server will be a member. The
            set is not initiated: :class:`ReplicaSet` does that.
        :param keep_data: keep the temporary folder with data and log.
        :param for_tests: allow fail points, and remove expired documents every second instead of
            every minute.
        """
        self._args = tuple(args)
        self._fixed_port = port
        self._dbpath = None if dbpath is None else Path(dbpath)
        self._binary = None if binary is None else Path(binary)
        self._environment = {**os.environ, **(env or {})}
        self._replica_set = replica_set
        self._keep_data = keep_data
        self._for_tests = for_tests
        self._port = port or 0
        self._version: str | None = None
        self._folder: Path | None = None
        self._watchdog: Watchdog | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(self, *exception: object) -> None:
        """End the server and remove its temporary folder."""
        self.close()

    def __repr__(self) -> str:
        """Return a text with the port and the state."""
        state = f"pid {self.pid}" if self.running else "not running"
        return f"<MongoServer 127.0.0.1:{self._port}, {state}>"

    @property
    def port(self) -> int:
        """The port of the server, which a restart does not change; 0 before the first start."""
        return self._port

    @property
    def url(self) -> str:
        """The URL of this one server, even if it is a member of a replica set."""
        return f"mongodb://127.0.0.1:{self._port}/?directConnection=true"

    @property
    def running(self) -> bool:
        """Whether the process exists. A paused process does."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id.

        :raises ServerError: the server does not run.
        """
        return self._live_process().pid

    @property
    def version(self) -> str:
        """The version of the program, for example ``"6.0.5"``."""
        if self._version is None:
            self._version = mongod_version(self._program(), self._environment)
        return self._version

    @property
    def folder(self) -> Path:
        """The temporary folder with the log and, unless ``dbpath`` was given, the data.

        :raises ServerError: the server was never started, or is closed.
        """
        if self._folder is None:
            raise ServerError("the server has no folder: it was not started, or is closed")
        return self._folder

    @property
    def log_path(self) -> Path:
        """The file with the output of the server."""
        return self.folder / "mongod.log"

    def start(self) -> Self:
        """Start the server, and wait until it accepts connections.

        :returns: this server.
        :raises MongodNotFound: there is no ``mongod`` program.
        :raises PortInUse: another process uses the given port.
        :raises ServerError: the program ended, or was not ready in time. The message has the last
            lines of its log.
        """
        if self.running:
            raise ServerError("the server is running already: call restart(), or stop() first")
        self._program()
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="mongod-"))
            self._watchdog = Watchdog(None if self._keep_data else self._folder)
        try:
            self._start_on_some_port()
        except BaseException:
            self.close()
            raise
        return self

    def stop(self) -> None:
        """Stop the server with SIGTERM, or with SIGKILL if it does not end; the data are kept.

        The primary of a replica set waits up to 15 s until the other members have its data.
        """
        if not self.running:
            return
        process = self._live_process()
        process.terminate()
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        self._reap(process)

    def kill(self) -> None:
        """Kill the server with SIGKILL, like a crash; the data are kept."""
        process = self._live_process()
        process.kill()
        self._reap(process)

    def pause(self) -> None:
        """Pause the server with SIGSTOP: connections stay open, and it does not answer."""
        process = self._live_process()
        process.send_signal(signal.SIGSTOP)
        if hasattr(os, "waitid"):
            # On a busy machine some threads run until the first one has received the signal. If the
            # process has ended instead, WNOWAIT leaves its status for other callers.
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Continue a paused server with SIGCONT."""
        self._live_process().send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop the server if it is running, and start it on the same port with the same data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server and remove its temporary folder. It can be called again."""
        if self._dbpath is not None or self._keep_data:
            self.stop()
        elif self.running:
            # The data are removed, so they need not be flushed.
            self.kill()
        if self._watchdog is not None:
            self._watchdog.close()
        self._watchdog = self._folder = None

    def _start_on_some_port(self) -> None:
        if self._port:
            return self._start_on(self._port)
        for _ in range(_FREE_PORT_ATTEMPTS - 1):
            try:
                return self._start_on(free_port())
            except PortInUse:
                # Another process took it in the meantime.
                continue
        return self._start_on(free_port())

    def _start_on(self, port: int) -> None:
        log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        process = launch(self._command(port), self._environment, self.log_path)
        self._process = process
        self._guard(process.pid)
        try:
            wait_until_ready(process, self.log_path, log_start)
        except BaseException:
            process.kill()
            self._reap(process)
            raise
        self._port = port

    def _command(self, port: int) -> list[str]:
        dbpath = self._dbpath or self.folder / "data"
        dbpath.mkdir(parents=True, exist_ok=True)
        command = [str(self._program()), "--bind_ip", "127.0.0.1", "--port", str(port)]
        command += ["--dbpath", str(dbpath), *_SMALL]
        if self._for_tests:
            command += _FOR_TESTS
        if self._replica_set is not None:
            command += ["--replSet", self._replica_set]
        return [*command, *self._args]

    def _program(self) -> Path:
        if self._binary is None:
            self._binary = find_mongod()
        return self._binary

    def _live_process(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise ServerError("the server is not running: call start() first")
        return self._process

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._guard(0)

    def _guard(self, pid: int) -> None:
        if self._watchdog is not None:
            self._watchdog.guard(pid)
