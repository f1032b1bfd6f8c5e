"""The store of connect-mongo in a process of Node, if Node is installed.

Its figures do not include express, express-session, or the communication with the process.
"""

import json
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

from benchmarks.cells import Spec
from benchmarks.environment import Environment
from benchmarks.samples import Turn
from benchmarks.visits import TIMEOUT_SECONDS, cart

CONNECT_MONGO = "connect-mongo"
TITLE = "Node: connect-mongo's store alone"

_SCRIPT = Path(__file__).with_name("connect_mongo.mjs")
_PACKAGES = ("connect-mongo@6", "express-session@1", "mongodb@7")
_INSTALL_SECONDS = 120.0


class NodeCell:
    """A process of Node that makes the calls of express-session to connect-mongo.

    :param spec: what is measured: a read or a change.
    :param place: the servers.
    :param folder: the folder of the installed packages.
    """

    def __init__(self, spec: Spec, place: Environment, folder: Path) -> None:
        self.spec = spec
        self.title = TITLE
        self._place = place
        self._database = f"bench_{uuid.uuid4().hex[:16]}"
        command = ["node", str(folder / _SCRIPT.name), place.mongo_url, self._database]
        self._process = subprocess.Popen(
            [*command, str(TIMEOUT_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask({"fill": spec.sessions, "data": cart(spec.size)})

    def take_turn(self, requests: int) -> Turn:
        """Serve requests, and return the times that Node measured.

        :param requests: the number of requests.
        """
        answer = self._ask({self.spec.workload: requests})
        return Turn(answer["wall_ns"], answer["cpu_ns"], sum(answer["wall_ns"]))

    def close(self) -> None:
        """End the process, and drop the stored data."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._place.direct.drop_database(self._database)

    def _ask(self, wish: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def missing() -> str | None:
    """Return the reason if Node is not available."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"there is no `{program}` on the `PATH`"
    return None


def install(folder: Path) -> Path:
    """Install the packages for Node in a new subfolder.

    :param folder: a folder outside of the repository.
    :returns: the new subfolder.
    """
    home = folder / "node"
    home.mkdir()
    command = ["npm", "install", "--prefix", str(home), "--no-audit", "--no-fund", "--silent"]
    subprocess.run([*command, *_PACKAGES], check=True, timeout=_INSTALL_SECONDS)
    shutil.copy(_SCRIPT, home)
    return home
