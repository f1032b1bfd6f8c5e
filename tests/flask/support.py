"""Applications of Flask whose requests call functions of the test."""

from collections.abc import Callable
from typing import Any

import flask
from flask import Flask

from beaker_mongo_soajs import SessionStore
from beaker_mongo_soajs.flask import FlaskSession, MongoSessions, session
from tests.conftest import Options

Action = Callable[[FlaskSession], object]

SECRET = "the secret key of the tests of Flask"
BROWSER = "127.0.0.1"


def make_app(options: Options, **settings: Any) -> Flask:
    """Return an application with sessions in MongoDB.

    :param options: the setting ``BEAKER_MONGO``.
    :param settings: more settings of Flask.
    """
    app = Flask(__name__)
    app.config.update({"SECRET_KEY": SECRET, "BEAKER_MONGO": options, **settings})
    MongoSessions(app)
    return app


def store_of(app: Flask) -> SessionStore:
    """Return the store of an application's sessions."""
    found: SessionStore = app.extensions["beaker_mongo"].store
    return found


class Browser:
    """A visitor of an application, with cookies. Each request calls a function of the test.

    :param app: the application, which gets a page for that.
    :param like: another browser, whose cookies this one has, too.
    """

    def __init__(self, app: Flask, like: "Browser | None" = None) -> None:
        self.app = app
        self.cookies: dict[str, str] = {} if like is None else dict(like.cookies)
        self.headers: Any = {}
        self.status = 0
        if "act" not in app.view_functions:
            app.add_url_rule("/", "act", lambda: str(flask.request.environ["act"](session)))

    @property
    def cookie(self) -> str | None:
        """The value of the session cookie."""
        return self.cookies.get(self.app.config["SESSION_COOKIE_NAME"])

    @property
    def session_id(self) -> str:
        """The session id in the cookie."""
        return str(self.cookie).rpartition(".")[0]

    @property
    def set_cookie(self) -> str | None:
        """The header of the last response that sets the session cookie."""
        name = self.app.config["SESSION_COOKIE_NAME"]
        found = [text for text in self.headers.getlist("Set-Cookie") if text.startswith(f"{name}=")]
        assert len(found) <= 1
        return found[0] if found else None

    def request(self, action: Action = lambda _: None, path: str = "/", **environ: Any) -> Any:
        """Make a request that calls a function with the session, and return its result."""
        answers: list[object] = []
        header = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        environ = {"act": lambda found: answers.append(action(found)), **environ}
        if header:
            environ.setdefault("HTTP_COOKIE", header)
        response = self.app.test_client(use_cookies=False).get(path, environ_overrides=environ)
        self.headers, self.status = response.headers, response.status_code
        for text in response.headers.getlist("Set-Cookie"):
            # http.cookies does not have the attribute Partitioned.
            name, _, value = text.partition(";")[0].partition("=")
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answers[-1] if answers else None

    def save(self, **values: object) -> None:
        """Make a request that sets values."""
        self.request(lambda found: found.update(values))

    def read(self) -> dict[str, Any]:
        """Make a request that only reads, and return the session."""
        found: dict[str, Any] = self.request(dict)
        return found
