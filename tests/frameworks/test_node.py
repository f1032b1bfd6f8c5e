"""The example of Express and Python."""

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.frameworks.workers import Worker
from tests.node import packages

_SHOWN = re.compile(r'<b id="user">(.*?)</b>, visits: <b id="visits">(\d+)</b>')


class Visitor:
    """A browser with one cookie jar.

    :param address: the address of the example.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self.jar = CookieJar()
        self._browser = build_opener(HTTPCookieProcessor(self.jar))

    def get(self, path: str) -> tuple[str, int]:
        """Return the user and the number of visits that a page shows."""
        return self.post(path, None)

    def post(self, path: str, form: bytes | None = b"") -> tuple[str, int]:
        """Send a form, and return what the next page shows."""
        with self._browser.open(self._address + path, form, timeout=30) as page:
            found = _SHOWN.search(page.read().decode())
        assert found is not None
        return found[1], int(found[2])


@pytest.fixture
def visitor(tmp_path: Path, mongo_url: str) -> Iterator[Visitor]:
    """Start the example, and return a visitor."""
    reason = packages.missing()
    if reason is not None:
        pytest.skip(reason)
    env = {"PORT": "0", "MONGODB_URL": mongo_url, "NODE_FOLDER": str(packages.install())}
    with ExitStack() as stack:
        worker = Worker([sys.executable, "-m", "examples", "node"], env, tmp_path / "log")
        stack.callback(worker.end)
        yield Visitor(worker.wait_for_address())


def test_one_visitor_of_both(visitor: Visitor) -> None:
    """A login, a change and a logout on one side are seen on the other one, in one cookie."""
    assert ("nobody", 1) == visitor.get("/express/")
    assert ("nobody", 2) == visitor.get("/")
    assert ("ann", 1) == visitor.post("/express/login", b"user=ann")
    assert ("ann", 2) == visitor.get("/")
    assert ("ann", 3) == visitor.get("/express/")
    assert ["connect.sid"] == [cookie.name for cookie in visitor.jar]
    assert ("nobody", 1) == visitor.post("/logout")
    assert ("nobody", 2) == visitor.get("/express/")
    # The reverse.
    assert ("bob", 3) == visitor.post("/login", b"user=bob")
    assert ("bob", 4) == visitor.get("/express/")
    assert ("nobody", 1) == visitor.post("/express/logout")
    assert ("nobody", 2) == visitor.get("/")
    assert ["connect.sid"] == [cookie.name for cookie in visitor.jar]
