"""A server ends with the process that started it."""

import io
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from beaker_mongo_soajs.testing import MongoServer, reaper
from tests.conftest import RunPython, StartPython
from tests.testing.support import alive
from tests.waiting import wait_until

_SERVING = """
    import json, sys
    from beaker_mongo_soajs.testing import MongoServer
    server = MongoServer().start()
    print(json.dumps([server.pid, str(server.folder)]), flush=True)
"""


class TestOwnership:
    """A server ends with the process that started it."""

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
    def test_it_ends_with_its_owner(
        self, start_python: StartPython, how: signal.Signals | None
    ) -> None:
        """Server and folder are removed after their owner is killed, ends, or forgets them.

        A server that is paused, too.
        """
        owner = start_python(_SERVING + "    server.pause(); sys.stdin.read()")
        assert owner.stdout is not None
        pid, folder = json.loads(owner.stdout.readline())
        assert alive(pid)
        if how is None:
            owner.communicate()
        else:
            owner.send_signal(how)
        wait_until(lambda: not alive(pid) and not Path(folder).exists())

    def test_a_forked_child_leaves_the_server_alone(self, run_python: RunPython) -> None:
        """The server continues after a forked child closes its copy and ends."""
        answer = run_python(
            """
            import os
            from beaker_mongo_soajs.testing import MongoServer
            with MongoServer() as server:
                child = os.fork()
                if child == 0:
                    server.close()
                    os._exit(0)
                os.waitpid(child, 0)
                print(server.running, server.folder.exists())
            """
        )
        assert "True True\n" == answer.stdout

    def test_a_forked_child_does_not_keep_the_server(self, start_python: StartPython) -> None:
        """The server ends with its owner, even if a forked child still runs."""
        owner = start_python(
            """
            import json, os, sys
            from beaker_mongo_soajs.testing import MongoServer
            server = MongoServer().start()
            child = os.fork()
            if child == 0:
                sys.stdin.read()
                os._exit(0)
            print(json.dumps([server.pid, child]), flush=True)
            os.waitpid(child, 0)
            """
        )
        assert owner.stdout is not None
        server_pid, child_pid = json.loads(owner.stdout.readline())
        owner.kill()
        wait_until(lambda: not alive(server_pid))
        assert alive(child_pid)

    def test_an_interrupt_does_not_reach_the_server(self, server: MongoServer) -> None:
        """The server has a session of its own, so Ctrl-C in the terminal does not reach it."""
        assert server.pid == os.getsid(server.pid)


class TestReaper:
    """The process that watches a server."""

    @pytest.mark.parametrize("platform", ["linux", "darwin"])
    @pytest.mark.parametrize(("lines", "ends"), [("{0}", True), ("{0} 0", False), ("0 {0}", True)])
    def test_the_last_line_counts(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        platform: str,
        lines: str,
        *,
        ends: bool,
    ) -> None:
        """When the input ends, the process of its last line has ended, and the folder is gone.

        It may be stopped. Only Linux has descriptors of processes.
        """

        def kill(pid: int, number: int, kill: Callable[[int, int], None] = os.kill) -> None:
            # The id 0 would end the tests.
            assert pid > 0
            assert number in (0, signal.SIGKILL)
            kill(pid, number)

        with subprocess.Popen(["sleep", "60"]) as process:
            process.send_signal(signal.SIGSTOP)
            # A process that has ended exists until its parent waits for it.
            threading.Thread(target=process.wait).start()
            text = "\n".join(lines.format(process.pid).split())
            for name, value in (("sys.stdin", io.StringIO(text)), ("sys.platform", platform)):
                monkeypatch.setattr(name, value)
            monkeypatch.setattr("os.kill", kill)
            try:
                reaper.main(str(tmp_path))
                assert ends != alive(process.pid)
            finally:
                process.kill()
        assert not tmp_path.exists()

    def test_an_id_that_is_used_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that got the id of the one to end is not killed."""
        with subprocess.Popen(["sleep", "60"]) as other, subprocess.Popen(["true"]) as ended:
            target = reaper.Target(ended.pid)
            ended.wait()
            monkeypatch.setattr(target, "_pid", other.pid)
            target.end()
            assert alive(other.pid)
            other.kill()
