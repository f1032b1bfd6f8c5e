"""A WSGI application behind Beaker's SessionMiddleware, and visitors with cookies."""

from collections.abc import Callable
from typing import Any

from beaker.middleware import SessionMiddleware
from beaker.session import SessionObject
from pymongo.database import Database
from webob import Request, Response
from webtest import TestApp

Action = Callable[[SessionObject], object]
COOKIE = "beaker.session.id"
# Beaker before 1.14 does not look for cryptography by itself.
KEYS = {"encrypt_key": "a key", "validate_key": "another", "crypto_type": "cryptography"}


def only_document(database: Database[dict[str, Any]]) -> dict[str, Any]:
    """Return the one session document in a database."""
    documents = live_documents(database)
    assert len(documents) == 1
    return documents[0]


def live_documents(database: Database[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the documents of sessions, without what is left of those whose id changed."""
    return list(database.sessions.find({"moved_to": {"$exists": False}}))


class Site:
    """An application in which each request calls a function of the test with the session.

    :param options: the session options; ``session.type`` is that of this package.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._action: Action = dict
        settings = {f"session.{name}": value for name, value in options.items()}
        self.wsgi = SessionMiddleware(
            self._respond, {"session.type": "ext:mongodb_soajs"} | settings
        )

    def visitor(self, cookie: str | None = None) -> "Visitor":
        """Return a new visitor.

        :param cookie: the value of a session cookie that the browser already has.
        """
        return Visitor(self, cookie)

    def serve(self, visitor: Any, action: Action) -> tuple[object, Response]:
        """Serve one request; return the result of the action, and the response."""
        answers: list[object] = []
        self._action = lambda session: answers.append(action(session))
        response = visitor.get("/")
        return answers[-1], response

    def _respond(self, environ: dict[str, Any], start_response: Any) -> Any:
        self._action(environ["beaker.session"])
        return Request(environ).get_response(Response(b"ok"))(environ, start_response)


class Visitor:
    """A browser with its cookies."""

    def __init__(self, site: Site, cookie: str | None) -> None:
        self._site = site
        self._browser: Any = TestApp(site.wsgi)
        self.set_cookies: list[str] = []
        if cookie is not None:
            self._browser.set_cookie(COOKIE, cookie)

    @property
    def cookie(self) -> str | None:
        """The value of the session cookie in the browser."""
        value: str | None = self._browser.cookies.get(COOKIE)
        # WebTest puts quotes around a cookie that is set by set_cookie().
        return value.strip('"') if value else None

    def request(self, action: Action) -> Any:
        """Make a request that calls a function with the session, and return its result."""
        answer, response = self._site.serve(self._browser, action)
        self.set_cookies = response.headers.getall("Set-Cookie")
        return answer

    def read(self) -> dict[Any, Any]:
        """Make a request that only reads; return the session without Beaker's own keys."""

        def items(session: SessionObject) -> dict[Any, Any]:
            return {key: session[key] for key in session if not str(key).startswith("_")}

        found: dict[Any, Any] = self.request(items)
        return found

    def save(self, **values: object) -> None:
        """Make a request that sets values in the session, and saves it."""
        self.save_items(values)

    def save_items(self, values: dict[Any, Any]) -> None:
        """Make a request that sets values under any keys, and saves the session."""

        def assign(session: SessionObject) -> None:
            for key, value in values.items():
                session[key] = value
            session.save()

        self.request(assign)
