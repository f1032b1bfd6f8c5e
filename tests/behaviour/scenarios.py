"""Requests that overlap in a known order, in threads or processes.

A request loads its session, then stops inside the application until the round lets it continue.
"""

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from multiprocessing.connection import Connection
from typing import Any, Protocol, Self
from urllib.parse import urlsplit, urlunsplit

from beaker.middleware import SessionMiddleware

COOKIE = "beaker.session.id"
MOST_CONCURRENT = 8
_STEP_SECONDS = 30.0

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What a request does to its session.

    :param assigned: keys and their new values.
    :param removed: keys to delete.
    :param is_logout: whether it deletes the session.
    """

    assigned: Mapping[str, object] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    is_logout: bool = False

    def make(self, session: Any) -> None:
        """Apply the change to a session and save it; an empty change only reads."""
        if self.is_logout:
            session.delete()
            return
        for key, value in self.assigned.items():
            session[key] = value
        for key in self.removed:
            del session[key]
        if self.assigned or self.removed:
            session.save()


READ = Change()
LOGOUT = Change(is_logout=True)


@dataclass(frozen=True)
class Answer:
    """The result of a request.

    :param seen: the session that the request loaded, without Beaker's own keys.
    :param cookies: the values of the session cookies that the response sets.
    """

    seen: dict[str, Any]
    cookies: list[str]


class Site:
    """An application in Beaker's SessionMiddleware, safe to use from many threads.

    :param options: the session options; by default, ``type`` is this package's.
    """

    def __init__(self, options: Options) -> None:
        settings = {f"session.{name}": value for name, value in options.items()}
        self._wsgi = SessionMiddleware(
            self._respond, {"session.type": "ext:mongodb_soajs"} | settings
        )

    def serve(
        self,
        cookie: str | None = None,
        change: Change = READ,
        pause: Callable[[], object] = lambda: None,
        headers: list[tuple[str, str]] | None = None,
    ) -> Answer:
        """Serve one request.

        :param cookie: its session cookie.
        :param change: what it does to its session.
        :param pause: called between loading and saving the session.
        :param headers: receives the headers of the response, even if the request raises an error.
        """
        seen: dict[str, Any] = {}

        def handle(session: Any) -> None:
            seen.update((key, session[key]) for key in session if not key.startswith("_"))
            pause()
            change.make(session)

        headers = [] if headers is None else headers
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "scenarios.handle": handle,
        }
        if cookie is not None:
            environ["HTTP_COOKIE"] = f"{COOKIE}={cookie}"
        self._wsgi(environ, lambda status, found, exc_info=None: headers.extend(found))
        return Answer(seen, cookies_in(headers))

    def begin_session(self, **values: object) -> str:
        """Serve a new visitor, and return the session cookie."""
        (cookie,) = self.serve(None, Change(values)).cookies
        return cookie

    def read(self, cookie: str) -> dict[str, Any]:
        """Serve a request that only reads, and return the session that it loaded."""
        return self.serve(cookie).seen

    def _respond(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["scenarios.handle"](environ["beaker.session"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]


def beaker_options(url: str, database: str) -> dict[str, str]:
    """Return session options for Beaker's own ``ext:mongodb``.

    :param url: the URL of a server.
    :param database: the name of the database; Beaker reads it from the URL.
    """
    parts = urlsplit(url)
    query = parts.query
    if parts.username is not None and "authSource=" not in query:
        query = f"{query}&authSource={parts.path.strip('/') or 'admin'}".lstrip("&")
    return {
        "type": "ext:mongodb",
        "url": urlunsplit(parts._replace(path=f"/{database}", query=query)),
    }


def cookies_in(headers: list[tuple[str, str]]) -> list[str]:
    """Return the values of the session cookies that response headers set."""
    texts = [text for name, text in headers if name.lower() == "set-cookie"]
    morsels = [SimpleCookie(text).get(COOKIE) for text in texts]
    return [morsel.value for morsel in morsels if morsel is not None]


class Request(Protocol):
    """A request that has loaded its session."""

    def go(self) -> None:
        """Let it change and save its session, without waiting for the response."""

    def answer(self) -> Answer:
        """Wait for its response."""


class Server(Protocol):
    """Serves requests that stop after loading their session.

    At most :data:`MOST_CONCURRENT` can be open at a time.
    """

    site: Site

    def begin(self, cookie: str, change: Change = READ) -> Request:
        """Begin a request; return when it has loaded its session."""


class _ThreadRequest:
    def __init__(
        self, threads: ThreadPoolExecutor, site: Site, cookie: str, change: Change
    ) -> None:
        self._has_loaded = threading.Event()
        self._may_go = threading.Event()
        self._answer: Future[Answer] = threads.submit(site.serve, cookie, change, self._pause)
        self._answer.add_done_callback(lambda _: self._has_loaded.set())
        assert self._has_loaded.wait(_STEP_SECONDS), "the session was not loaded in time"

    def _pause(self) -> None:
        self._has_loaded.set()
        assert self._may_go.wait(_STEP_SECONDS), "the round did not let the request continue"

    def go(self) -> None:
        self._may_go.set()

    def answer(self) -> Answer:
        return self._answer.result(_STEP_SECONDS)


class ThreadServer:
    """Serves each request in a thread of its own. Use it as a context manager.

    :param options: the session options, or the site itself.
    """

    def __init__(self, options: Options | Site) -> None:
        self.site = options if isinstance(options, Site) else Site(options)
        self._threads = ThreadPoolExecutor(MOST_CONCURRENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown()

    def begin(self, cookie: str, change: Change = READ) -> Request:
        """Begin a request; return when it has loaded its session."""
        return _ThreadRequest(self._threads, self.site, cookie, change)


class _ProcessRequest:
    def __init__(
        self, workers: list[Connection], options: Options, cookie: str, change: Change
    ) -> None:
        self._workers = workers
        self._worker = workers.pop()
        self._worker.send((options, cookie, change))
        assert self._receive() == "loaded"

    def go(self) -> None:
        self._worker.send("go")

    def answer(self) -> Answer:
        answer = self._receive()
        assert isinstance(answer, Answer), answer
        self._workers.append(self._worker)
        return answer

    def _receive(self) -> object:
        assert self._worker.poll(_STEP_SECONDS), "the worker process does not answer"
        return self._worker.recv()


class ProcessServer:
    """Serves each request in a process of its own.

    :param workers: idle processes, from :func:`worker_processes`.
    :param options: the session options.
    """

    def __init__(self, workers: list[Connection], options: Options) -> None:
        self.site = Site(options)
        self._options = options
        self._workers = workers

    def begin(self, cookie: str, change: Change = READ) -> Request:
        """Begin a request; return when it has loaded its session."""
        return _ProcessRequest(self._workers, self._options, cookie, change)


@contextmanager
def worker_processes(number: int = MOST_CONCURRENT) -> Iterator[list[Connection]]:
    """Start processes for :class:`ProcessServer`; they end with the context.

    :param number: how many.
    :returns: a context manager whose value is the list of their connections.
    """
    # The server of the forks imports these modules once, and has no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "beaker_mongo_soajs.namespace"])
    pipes = [context.Pipe() for _ in range(number)]
    processes = [
        context.Process(target=_work, args=[theirs], daemon=True) for _ours, theirs in pipes
    ]
    try:
        for process in processes:
            process.start()
        for _ours, theirs in pipes:
            theirs.close()
        yield [ours for ours, _theirs in pipes]
    finally:
        for ours, _theirs in pipes:
            ours.close()
        for process in processes:
            if process.pid is not None:
                process.join(_STEP_SECONDS)
                process.kill()
                process.join()
                process.close()


def _work(connection: Connection) -> None:
    """Serve requests until the other end of the connection is closed."""
    sites: dict[str, Site] = {}

    def pause() -> None:
        connection.send("loaded")
        assert connection.recv() == "go"

    while True:
        try:
            options, cookie, change = connection.recv()
        except (EOFError, ConnectionError):
            return
        site = sites.setdefault(repr(options), Site(options))
        try:
            connection.send(site.serve(cookie, change, pause))
        except EOFError:
            return
        except Exception as error:  # noqa: BLE001 - reported to the process that made the request
            connection.send(f"{type(error).__name__}: {error}")
