"""Express applications, in one process of Node."""

import json
import subprocess
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.waiting import wait_until

NAME = "connect.sid"
SECRET = "the secret of both sides"
_SECONDS = 20.0


class Node:
    """A process of Node that serves any number of applications.

    :param folder: the folder of the packages.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["node", "--no-deprecation", str(folder / "sites.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "Node ended: see its messages above"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request to the process itself."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(self.url + path, data, headers, method=method)
        with urlopen(request, timeout=_SECONDS) as answer:
            return json.load(answer)

    def wait_at(self, gate: str) -> None:
        """Wait until a request stops at ``await pause(gate)``."""
        wait_until(lambda: self.ask("GET", f"/gates/{gate}"))

    def open(self, gate: str) -> None:
        """Let the requests at a gate continue."""
        self.ask("POST", f"/gates/{gate}")


class Express:
    """One application.

    :param node: the process.
    :param wish: what ``makeSite`` of ``sites.mjs`` takes.
    """

    def __init__(self, node: Node, wish: dict[str, Any]) -> None:
        self._node = node
        self._id = node.ask("POST", "/sites", wish)
        self._path = f"/{self._id}"

    def close(self) -> None:
        """Close its connections."""
        self._node.ask("DELETE", f"/sites/{self._id}")

    def send(self, header: str | None, path: str, body: str, kind: str) -> tuple[Any, list[str]]:
        """Send a request.

        :param header: the ``Cookie`` header.
        :param kind: the content type of the body.
        :returns: the answer, and the ``Set-Cookie`` headers.
        """
        headers = {"Content-Type": kind} | ({"Cookie": header} if header else {})
        method = "POST" if body else "GET"
        address = self._node.url + self._path + path
        request = Request(address, body.encode() or None, headers, method=method)
        try:
            with urlopen(request, timeout=_SECONDS) as answer:
                return json.load(answer), answer.headers.get_all("Set-Cookie") or []
        except HTTPError as error:
            with error:
                return {"status": error.code, **json.load(error)}, []

    def run(self, jar: "Jar", code: str) -> Any:
        """Run JavaScript in a request, with ``session``, ``req``, ``res`` and ``pause``.

        :param jar: the cookies of the visitor.
        :param code: the body of an asynchronous function.
        :returns: what it returns.
        """
        answer, set_cookies = self.send(jar.header, "/run", code, "text/plain")
        jar.take(set_cookies)
        return answer


class Jar:
    """The session cookie of a visitor, as a browser keeps it."""

    def __init__(self) -> None:
        self.value: str | None = None
        self.set_cookies: list[str] = []
        """The ``Set-Cookie`` headers of the last response."""

    @property
    def header(self) -> str | None:
        """The ``Cookie`` header of a request."""
        return None if self.value is None else f"{NAME}={self.value}"

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes in the last ``Set-Cookie``, with names in lower case."""
        (set_cookie,) = self.set_cookies
        pairs = [part.partition("=") for part in set_cookie.split("; ")[1:]]
        return {name.lower(): value or True for name, _, value in pairs}

    def take(self, set_cookies: list[str]) -> None:
        """Keep the cookie of a response."""
        self.set_cookies = set_cookies
        for set_cookie in set_cookies:
            pair, *attributes = set_cookie.split("; ")
            name, _, value = pair.partition("=")
            assert NAME == name
            dates = [one.partition("=")[2] for one in attributes if one.startswith("Expires=")]
            is_gone = any(parsedate_to_datetime(date) < datetime.now(UTC) for date in dates)
            self.value = None if is_gone else value
