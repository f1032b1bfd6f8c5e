"""A server ends with the process that started it."""

import json
import os
import signal
from pathlib import Path

import pytest

from beaker_mongo_soajs.testing import MongoServer
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
        """Server and folder are removed after their owner is killed, ends, or forgets them."""
        owner = start_python(_SERVING + "    sys.stdin.read()")
        assert owner.stdout is not None
        pid, folder = json.loads(owner.stdout.readline())
        assert alive(pid)
        if how is None:
            owner.communicate()
        else:
            owner.send_signal(how)
        wait_until(lambda: not alive(pid) and not Path(folder).exists())

    def test_a_paused_server_ends_with_its_owner(self, start_python: StartPython) -> None:
        """A paused server also ends after its owner is killed."""
        owner = start_python(_SERVING + "    server.pause(); sys.stdin.read()")
        assert owner.stdout is not None
        pid, folder = json.loads(owner.stdout.readline())
        owner.kill()
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
