"""The Python side of a fleet with Node: one request at a time, with each kind of session."""

from collections.abc import Callable
from typing import Any

from beaker.session import Session
from webob import Request, Response
from webob.dec import wsgify

from beaker_mongo_soajs import SessionMiddleware
from beaker_mongo_soajs.express_cookie import cookie_value, session_id
from tests.node.express import NAME, SECRET, Jar

Action = Callable[[Any], Any]


class MiddlewareSide:
    """An application with MongoSession, which uses the cookie of Express.

    :param options: the session options, without prefix.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        given = {"secret": SECRET, "secure": False, "cookie_format": "express"} | options
        settings = {f"session.{name}": value for name, value in given.items()}
        self.middleware = SessionMiddleware(self._respond, settings)
        self._action: Action = dict
        self._answer: Any = None

    def run(self, jar: Jar, action: Action) -> Any:
        """Serve a request that calls a function with the session, and return its result."""
        self._action = action
        request = Request.blank("/", headers={"Cookie": jar.header} if jar.header else {})
        response = request.get_response(self.middleware)
        jar.take(response.headers.getall("Set-Cookie"))
        return self._answer

    @wsgify
    def _respond(self, request: Request) -> Response:
        self._answer = self._action(request.environ["beaker.session"])
        return Response()


class _Session(Session):
    """A session that notes whether the application saved it, as Beaker's middleware does."""

    was_saved = False

    def save(self, accessed_only: bool = False) -> None:
        """Save the session."""
        self.was_saved = True
        super().save(accessed_only)


class TypeSide:
    """Beaker's own Session, which an application opens by the id in the cookie of Express.

    :param options: the session options, without prefix.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = {"type": "ext:mongodb_soajs", "store.expressCookie": True} | options

    def run(self, jar: Jar, action: Action) -> Any:
        """Call a function with the session, save it, and return the function's result."""
        brought = session_id(jar.header, NAME, [SECRET])
        session = _Session({}, id=brought, use_cookies=False, httponly=True, **self._options)
        answer = action(session)
        if not session.was_saved:
            session.save(accessed_only=True)
        if session.id != brought:
            jar.value = cookie_value(session.id, SECRET)
        return answer


Side = MiddlewareSide | TypeSide


def read(session: Any) -> dict[Any, Any]:
    """Return the values of a session without Beaker's own keys."""
    return {key: value for key, value in session.items() if not str(key).startswith("_")}


def change(**values: Any) -> Action:
    """Return the action that sets values, and saves."""

    def act(session: Any) -> None:
        session.update(values)
        session.save()

    return act


def log_out(session: Any) -> None:
    """End a session."""
    session.delete()
    session.save()


def change_id(session: Any) -> None:
    """Give a session a new id."""
    session.regenerate_id()
    session.save()
