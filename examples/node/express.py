"""The Express application of the example: a process of Node, and a proxy to it."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HERE = Path(__file__).parent
_SECONDS = 30.0
# These belong to one connection (RFC 9110, section 7.6.1).
_OF_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})


def start() -> str:
    """Start Express, and return its host and port. It ends with this process.

    ``NODE_FOLDER`` names a folder that contains the scripts and the packages. By default, npm
    installs the packages beside the scripts.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        sys.exit("The example node needs node and npm, which are not on PATH. Install Node 20.")
    folder = Path(os.environ.get("NODE_FOLDER") or _HERE)
    if not (folder / "node_modules").exists():
        subprocess.run([npm, "ci", "--silent", "--prefix", str(folder)], check=True)
    process = subprocess.Popen(
        [node, str(folder / "shop.mjs")],
        env=os.environ | {"PORT": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    if not address:
        sys.exit("Express did not start: see its messages above.")
    return address.removeprefix("http://")


class Proxy:
    """Forward requests to Express, and leave the others to the Python application.

    A site in production does this in its web server; see docs/node.md.

    :param application: the Python application.
    :param prefix: the beginning of the paths of Express.
    """

    def __init__(self, application: WSGIApplication, prefix: str) -> None:
        self._application = application
        self._prefix = prefix
        self._address = start()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        if not environ["PATH_INFO"].startswith(self._prefix):
            return self._application(environ, start_response)
        connection = http.client.HTTPConnection(self._address, timeout=_SECONDS)
        try:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            path = f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
            connection.request(environ["REQUEST_METHOD"], path, body, _headers(environ))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        headers = [pair for pair in answer.getheaders() if pair[0].lower() not in _OF_CONNECTION]
        start_response(f"{answer.status} {answer.reason}", headers)
        return [content]


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
    }
    return {name: value for name, value in headers.items() if name.lower() not in _OF_CONNECTION}
