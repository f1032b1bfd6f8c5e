"""The same promise to applications that are installed from the package index.

They cannot run twice in one process, so each worker is a process of its own, which Paste Deploy
starts with the INI file: ``python -m tests.applications.installed INI``.
"""

import http.client
import logging.config
import shutil
import sys
from collections.abc import Iterable
from configparser import RawConfigParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from paste.deploy import loadapp
from webob import Request

from examples.serving import address_of, interrupt_on_signals, listen, serve
from tests.applications.contract import ApplicationContract, Settings
from tests.applications.transcript import Transcript
from tests.frameworks.workers import Worker

_SECTION = "app:main"
_ONLY_FOR_THE_CONNECTION = ("connection", "transfer-encoding")


class InstalledContract(ApplicationContract):
    """An installed application with its INI file, and the lines that switch it to MongoDB."""

    random: ClassVar[str]
    """A regular expression for what is random in its pages: see :class:`Transcript`."""

    @classmethod
    def install(cls, folder: Path) -> Path:
        """Write the INI file of the application, and what it needs for its first start.

        :param folder: an empty folder, which is ``%(here)s`` in the file.
        :returns: the path of the INI file.
        """
        path = folder / "site.ini"
        path.write_text(f"[{_SECTION}]\n{cls.ini}")
        return path

    @pytest.fixture
    def original(self, tmp_path: Path) -> Settings:
        """Return the settings of the INI file, with Beaker's own backend."""
        folder = tmp_path / "installed"
        folder.mkdir()
        self._path = self.install(folder)
        return dict(_read(self._path)[_SECTION])

    def transcript(self, settings: Settings, *, hardened: bool = False) -> Transcript:
        """Return the transcript of a visit to two processes of the application."""
        folder = self._path.parent.with_name(f"{settings['session.type']}{hardened}")
        shutil.copytree(self._path.parent, folder)
        path = folder / self._path.name
        parser = _read(path)
        parser[_SECTION] = settings
        with path.open("w") as file:
            parser.write(file)
        command = [sys.executable, "-W", "ignore", "-m", "tests.applications.installed", str(path)]
        with ExitStack() as stack:
            workers = []
            # The first worker makes tables, which two at once cannot do.
            for number in range(2):
                workers.append(Worker(command, {}, folder / f"worker_{number}.log"))
                stack.callback(workers[-1].end)
                workers[-1].wait_for_address()
            remotes = [_Remote(worker.wait_for_address()) for worker in workers]
            visitor = Transcript(remotes, self.random)
            self.visit(visitor)
        log = "".join(worker.log for worker in workers)
        assert [] == [text for text in visitor.secrets if text in log]
        return visitor


class _Remote:
    """A WSGI application that forwards requests to a server."""

    def __init__(self, address: str) -> None:
        self._host = address.rpartition("/")[2]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        connection = http.client.HTTPConnection(self._host, timeout=60)
        connection.request(request.method, request.path_qs, request.body, dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        headers = [
            (name, value)
            for name, value in answer.getheaders()
            if name.lower() not in _ONLY_FOR_THE_CONNECTION
        ]
        start_response(f"{answer.status} {answer.reason}", headers)
        return [content]


def _read(path: Path) -> RawConfigParser:
    parser = RawConfigParser(delimiters=["="], default_section="DEFAULT")
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(path)
    return parser


def main(path: str) -> None:
    """Serve the application of an INI file until a signal, with the logs that it sets up.

    :param path: the path of the file.
    """
    interrupt_on_signals()
    if _read(Path(path)).has_section("loggers"):
        logging.config.fileConfig(path, disable_existing_loggers=False)
    listener = listen(0)
    serve(loadapp(f"config:{path}"), listener, address_of(listener))


if __name__ == "__main__":
    main(sys.argv[1])
