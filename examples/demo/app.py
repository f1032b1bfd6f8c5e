"""The demo as a WSGI application: a small shop with WebOb and Beaker's middleware."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from beaker.middleware import SessionMiddleware
from beaker.session import SessionObject
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from webob import Request, Response

from beaker_mongo_soajs import DbConfig, SessionStore, StoreUnavailable, close_clients
from examples.demo.actions import ACTIONS, FormError
from examples.demo.assets import load_assets
from examples.demo.commands import CommandRecorder, Trace
from examples.demo.view import Page, Place, render_error, render_page
from examples.demo.visitors import Visitor, Visitors

DATABASE = "beaker_demo"
SESSION_COOKIE = "demo_session"
VISITOR_COOKIE = "demo_visitor"
OBSERVER = "demo observer"

_LIFETIME_MS = 600_000
_SELECTION_TIMEOUT_MS = 3_000
_MOST_TRACES = 8
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = (
    ("Content-Security-Policy", _CONTENT_SECURITY_POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
_OUTDATED = (
    "The session of this form has ended, or its id has changed. Nothing was saved. "
    "Go back to the page and try again."
)


class RequestError(Exception):
    """A request that gets an error page.

    :param status: the HTTP status
    :param message: the message on the page
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Demo:
    """The demo.

    Beaker saves a session when the response starts. The page is made later, while it is sent,
    because it shows the saved document.
    """

    def __init__(self, url: str, database: str = DATABASE) -> None:
        """Connect to MongoDB.

        :param url: the connection string
        :param database: the name of the database
        :raises ConfigError: the connection string is invalid
        :raises PyMongoError: the server does not answer
        """
        self._recorder = CommandRecorder()
        self._visitors = Visitors()
        self._secret = secrets.token_bytes(32)
        self._assets = load_assets()
        dbconfig = {
            "url": url,
            "name": database,
            "expireAfter": _LIFETIME_MS,
            "URLParam": {
                "serverSelectionTimeoutMS": _SELECTION_TIMEOUT_MS,
                "event_listeners": [self._recorder],
            },
        }
        # By the value of stringify. Both use the same collection.
        self._shops = {form: self._build_shop(dbconfig, stringify=form) for form in (False, True)}
        self._stores = {
            form: SessionStore(dbconfig | {"stringify": form}) for form in (False, True)
        }
        # Reads the documents for the page. Its commands are not shown.
        self._observer: MongoClient[dict[str, Any]] = MongoClient(
            url, serverSelectionTimeoutMS=_SELECTION_TIMEOUT_MS, appname=OBSERVER
        )
        config = self._stores[False].config
        self._collection = self._observer[config.database][config.collection]
        try:
            self.place = self._describe(config)
        except PyMongoError:
            self.close()
            raise

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        path = environ["PATH_INFO"]
        asset = self._assets.get(path)
        if asset is not None:
            return asset(environ, start_response)
        request = Request(environ)
        visitor = self._visitors.get(_cookie(request, VISITOR_COOKIE))
        trace = Trace(f"{request.method} {path}")
        self._recorder.begin(trace)
        environ["demo.visitor"], environ["demo.trace"] = visitor, trace
        app = self._switch_form if path == "/stringify" else self._shops[visitor.stringify]
        try:
            return app(environ, start_response)
        except RequestError as error:
            status, message = error.status, error.message
        except StoreUnavailable as error:
            status, message = "503 Service Unavailable", str(error)
        page = render_error(status, message, self.place)
        return _respond(visitor, Response(page, status))(environ, start_response)

    def close(self) -> None:
        """Close the connections to MongoDB."""
        self._observer.close()
        close_clients()

    def _build_shop(self, dbconfig: Mapping[str, object], *, stringify: bool) -> SessionMiddleware:
        return SessionMiddleware(
            self._shop,
            {
                "session.type": "ext:mongodb_soajs",
                "session.dbConfig": dbconfig,
                "session.stringify": stringify,
                "session.key": SESSION_COOKIE,
                "session.httponly": True,
            },
        )

    def _describe(self, config: DbConfig) -> Place:
        version = self._observer.server_info()["version"]
        address = config.host.partition("://")[2].rstrip("/")
        return Place(
            server=f"MongoDB {version} · {address}",
            collection=f"{config.database}.{config.collection}",
            lifetime_seconds=config.expire_after_seconds,
            settings=f"session.type = ext:mongodb_soajs\n"
            f"session.servers = {address}\n"
            f"session.name = {config.name}\n"
            f"session.expireAfter = {config.expire_after_ms}",
        )

    def _shop(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request within Beaker's middleware."""
        request = Request(environ)
        session, visitor = environ["beaker.session"], environ["demo.visitor"]
        path = environ["PATH_INFO"]
        if path == "/":
            _demand_method(request, "GET", "HEAD")
            if request.method == "GET":
                session["visits"] = session.get("visits", 0) + 1
                session.save()
            response = Response(app_iter=self._page(session, visitor, environ["demo.trace"]))
        elif path in ACTIONS:
            form = self._read_form(request, session.id)
            try:
                message = ACTIONS[path](session, form)
            except FormError as error:
                raise RequestError("400 Bad Request", str(error)) from error
            response = _back_to_page(environ, message)
        else:
            raise RequestError("404 Not Found", "This page does not exist.")
        return _respond(visitor, response)(environ, start_response)

    def _page(self, session: SessionObject, visitor: Visitor, trace: Trace) -> Iterator[bytes]:
        document, problem = None, "There is no document for this session."
        try:
            document = self._collection.find_one({"_id": session.id})
        except PyMongoError:
            problem = "The document cannot be read: MongoDB does not answer."
        page = Page(
            place=self.place,
            token=self._form_token(session.id),
            session=dict(session.items()),
            document=document,
            seen=visitor.seen,
            traces=[*visitor.traces, trace],
            problem=problem,
        )
        visitor.seen, visitor.traces = document, []
        yield render_page(page).encode()

    def _switch_form(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Store the session in the other form, with SessionStore, which does not need Beaker.

        A document keeps its form. Replacing the whole session changes it.
        """
        request, visitor = Request(environ), environ["demo.visitor"]
        session_id = _cookie(request, SESSION_COOKIE)
        form = self._read_form(request, session_id)
        visitor.stringify = form.get("stringify") == "true"
        store = self._stores[visitor.stringify]
        session = store.get(session_id)
        if session is not None:
            store.set(session_id, session)
        what = "JSON text" if visitor.stringify else "a sub-document"
        response = _back_to_page(environ, f"The same session, stored as {what}.")
        return _respond(visitor, response)(environ, start_response)

    def _read_form(self, request: Request, session_id: str) -> Mapping[str, str]:
        _demand_method(request, "POST")
        try:
            form = {key: text for key, text in request.POST.items() if isinstance(text, str)}
        except (ValueError, DeprecationWarning) as error:
            # WebOb raises DeprecationWarning for other encodings than UTF-8.
            raise RequestError("400 Bad Request", "The form is not valid UTF-8.") from error
        token = form.get("token", "").encode()
        if not hmac.compare_digest(token, self._form_token(session_id).encode()):
            raise RequestError("403 Forbidden", _OUTDATED)
        return form

    def _form_token(self, session_id: str) -> str:
        """Return the token that forms send back, which other sites do not know."""
        return hmac.new(self._secret, session_id.encode(), hashlib.sha256).hexdigest()


def _cookie(request: Request, name: str) -> str:
    try:
        return request.cookies.get(name, "")
    except UnicodeDecodeError:
        # Other programs on this host may set cookies with invalid characters.
        return ""


def _demand_method(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise RequestError("405 Method Not Allowed", f"Use {methods[0]} for this address.")


def _back_to_page(environ: WSGIEnvironment, message: str) -> Response:
    """Return a redirect to the page, which shows the message. Reloading it repeats nothing."""
    visitor, trace = environ["demo.visitor"], environ["demo.trace"]
    trace.message = message
    visitor.traces = [*visitor.traces, trace][-_MOST_TRACES:]
    return Response(status=303, location="/")


def _respond(visitor: Visitor, response: Response) -> Response:
    response.headers.update(_SECURITY_HEADERS)
    response.cache_control = "no-store"
    response.set_cookie(VISITOR_COOKIE, visitor.key, httponly=True, samesite="Lax")
    return response
