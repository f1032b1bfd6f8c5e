"""A site with Flask-Session, without Flask's routing."""

from typing import Any

from flask import Flask, Request, Response
from flask_session.mongodb.mongodb import MongoDBSessionInterface
from pymongo import MongoClient

from benchmarks.visits import Act, Data

_SETTINGS = {"SERVER_NAME": None, "SECRET_KEY": "cookies"}


class FlaskSite:
    """A site that calls Flask-Session as Flask does, before and after a request.

    :param data: the content of a new session.
    :param client: the client of the server.
    :param database: the name of the database.
    """

    def __init__(self, data: Data, client: MongoClient[dict[str, Any]], database: str) -> None:
        self._data = data
        self._items = len(data["cart"])
        self._app = Flask(__name__)
        self._app.config.update(_SETTINGS)
        self._sessions = MongoDBSessionInterface(
            self._app,
            client=client,
            db=database,
            collection="sessions",
            key_prefix="session:",
            use_signer=False,
            permanent=True,
            sid_length=32,
            serialization_format="msgpack",
        )
        self._cookie = str(self._app.config["SESSION_COOKIE_NAME"])

    def begin(self) -> str:
        """Serve a request without a cookie that saves a session; return the cookie."""
        return self._serve("", lambda session: session.update(self._data))

    def read(self, cookie: str) -> object:
        """Serve a request that reads its session."""
        return self._serve(cookie, self._look)

    def change(self, cookie: str, number: int) -> object:
        """Serve a request that changes one number in its session."""
        return self._serve(cookie, lambda session: session.update(visits=number))

    def log_in(self, cookie: str) -> str:
        """Serve a request that sets the user under a new id; return the new cookie."""
        return self._serve(cookie, self._log_in)

    def log_out(self, cookie: str) -> object:
        """Serve a request that deletes its session."""
        return self._serve(cookie, lambda session: session.clear())

    def _serve(self, cookie: str, act: Act) -> str:
        request = Request({"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_COOKIE": cookie})
        session = self._sessions.open_session(self._app, request)
        act(session)
        response = Response()
        self._sessions.save_session(self._app, session, response)
        sent = response.headers.get("Set-Cookie", cookie)
        return sent.partition(";")[0]

    def _look(self, session: Any) -> None:
        if len(session["cart"]) != self._items:
            raise AssertionError("the loaded session is not the saved one")

    def _log_in(self, session: Any) -> None:
        self._sessions.regenerate(session)
        session["user"] = "bob"
